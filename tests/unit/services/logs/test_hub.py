"""Claims about the place where records come together: what a dead process has left, and printed lines."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import corps
from corps.runtime.this_process import this_process
from corps.services.logs.entries import Source, pack
from corps.services.logs.hub import LogHub
from corps.services.logs.last_records import LastRecords, records_path


class Heard(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(f"{vars(record)['env']}: {record.getMessage()}")


def bodies(*numbers: int) -> list[bytes]:
    return [
        pack(number, logging.makeLogRecord({"msg": f"number {number}"}), None, None) for number in numbers
    ]


def source(hub: LogHub, generation: int = 1) -> Source:
    return Source(hub._env.corps_id, 2, generation, 4711)


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def hub(heard: Heard, tmp_path: Path) -> Iterator[LogHub]:
    with corps.env():
        (env,) = this_process.open_envs()
        env.runtime_dir = str(tmp_path)
        corps.log_to(heard)
        yield env.parts.get(LogHub)


def leave(hub: LogHub, *numbers: int) -> str:
    """Leave a file, as a process of env2 that was killed."""
    path = records_path(str(hub._env.runtime_dir), 2, 1)
    records = LastRecords(path, 65_536)
    for body in bodies(*numbers):
        records.write(body)
    records.close()
    return path


def test_of_the_file_of_a_dead_process_what_has_not_come_is_taken_once(hub: LogHub, heard: Heard) -> None:
    path = leave(hub, 1, 2, 3, 4, 5)
    hub.take(source(hub), bodies(1, 2, 3))
    hub.take_rest(2, 1)
    hub.take_rest(2, 1)
    hub.close()
    assert heard.texts == [
        *[f"env2: number {number}" for number in (1, 2, 3)],
        "env0: 2 records follow that env2 had not sent when it ended",
        *[f"env2: number {number}" for number in (4, 5)],
    ]
    assert not os.path.exists(path)


def test_a_process_that_had_sent_all_leaves_nothing(hub: LogHub, heard: Heard) -> None:
    leave(hub, 1, 2)
    hub.take(source(hub), bodies(1, 2))
    hub.take_rest(2, 1)
    hub.close()
    assert heard.texts == ["env2: number 1", "env2: number 2"]


def test_the_numbers_of_another_process_of_the_same_env_count_for_nothing(hub: LogHub, heard: Heard) -> None:
    leave(hub, 1)
    hub.take(source(hub, generation=2), bodies(7))
    hub.take_rest(2, 1)
    hub.close()
    assert heard.texts[-1] == "env2: number 1"


def test_the_death_of_an_env_is_enough(hub: LogHub, heard: Heard) -> None:
    hub._env.others._generations[2] = 1
    leave(hub, 1)
    hub.env_lost(2, returns=True)
    corps.log_to(Heard()).close()  # the service takes one after the other
    hub.close()
    assert heard.texts[-1] == "env2: number 1"


def test_a_line_that_an_env_has_printed_is_a_record(hub: LogHub, heard: Heard) -> None:
    hub.take_line(2, 4711, "printed \udcff")
    hub.close()
    assert heard.texts == ["env2: printed \\udcff"]


def test_without_a_sink_a_printed_line_is_shown(capfd: pytest.CaptureFixture[str]) -> None:
    with corps.env():
        (env,) = this_process.open_envs()
        env.parts.get(LogHub).take_line(2, 4711, "printed")
    assert capfd.readouterr().err == "printed\n"
