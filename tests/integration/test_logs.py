"""Claims about the one log of a Corps: over several processes, and when one of them is killed."""

import asyncio
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import warnings
from pathlib import Path
from typing import Any

import pytest
import zmq
from zmq.log.handlers import PUBHandler

import corps

LIMIT = 30.0
COUNT = 200

log = logging.getLogger("logs_test")


class Heard(logging.Handler):
    """Collects records; a test waits until there is one with a text."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []
        self.changed = threading.Condition()

    def emit(self, record: logging.LogRecord) -> None:
        with self.changed:
            self.records.append(record)
            self.changed.notify_all()

    def texts(self, logger: str = "logs_test") -> list[str]:
        return [record.getMessage() for record in self.records if record.name == logger]

    def wait_for(self, text: str, times: int = 1) -> list[logging.LogRecord]:
        def found() -> list[logging.LogRecord]:
            return [record for record in self.records if text in record.getMessage()]

        with self.changed:
            assert self.changed.wait_for(lambda: len(found()) >= times, LIMIT), self.texts()
            return found()


class Unpackable(Exception):
    def __init__(self) -> None:
        super().__init__("cannot be packed")
        self.lock = threading.Lock()


class Talker(corps.Conc):
    restart = corps.Restart()

    def say(self, text: str, level: int = logging.WARNING) -> None:
        log.log(level, text)

    def say_numbers(self, count: int) -> None:
        for number in range(count):
            log.warning("%d", number)

    def say_unpackable(self) -> None:
        try:
            raise Unpackable
        except Unpackable:
            log.exception("with %s and %r", threading.Lock(), lambda: 1, extra={"lock": threading.Lock()})

    def say_and_die(self, count: int) -> None:
        self.say_numbers(count)
        os.kill(os.getpid(), signal.SIGKILL)

    def lose_a_thread(self) -> None:
        thread = threading.Thread(target=lambda: 1 / 0, name="the lost one")
        thread.start()
        thread.join()

    async def lose_a_task(self) -> None:
        async def fail() -> None:
            raise RuntimeError("of a task")

        asyncio.get_running_loop().create_task(fail())
        await asyncio.sleep(0)

    def print(self) -> None:
        print("printed", "by Python")
        os.write(2, b"written to stderr")
        subprocess.run(["echo", ", and echoed"], check=True)
        warnings.warn("a warning of Python", stacklevel=1)

    def crash(self) -> None:
        os.write(1, b"without an end")
        os.abort()

    def incarnation(self) -> int:
        return self._corps_own_cell().incarnation


class Quiet(Talker):
    pass


class Taker(corps.Conc):
    def __init__(self) -> None:
        self.got: list[dict[str, Any]] = []

    def take(self, records: list[dict[str, Any]]) -> None:
        log.warning("the taker logs too")
        self.got += records

    def has(self, text: str) -> list[dict[str, Any]]:
        return [each for each in self.got if each["event"] == text]


class App(corps.Corps):
    def make(self, cls: type[Any], env: int, tag: str = "") -> Any:
        return corps.options(env=env, tag=tag).create(cls)


def test_records_of_all_envs_come_to_the_sink_in_order_with_their_workers() -> None:
    heard = Heard()
    with corps.boot(App, envs=2) as app:
        corps.log_to(heard)
        talkers = {env: app.make(Talker, env, f"tag {env}").ret for env in (1, 2)}
        corps.gather(*[talker.say_numbers(COUNT) for talker in talkers.values()]).result(LIMIT)
    for env, talker in talkers.items():
        mine = [vars(record) for record in heard.records if vars(record)["env"] == f"env{env}"]
        mine = [record for record in mine if record["name"] == "logs_test"]
        assert [record["msg"] for record in mine] == [str(number) for number in range(COUNT)]
        assert {record["worker"] for record in mine} == {str(talker._addr)}
        assert {record["cls"] for record in mine} == {"Talker"}
        assert {record["tag"] for record in mine} == {f"tag {env}"}
        assert {record["incarnation"] for record in mine} == {1}
        assert len({record["request"] for record in mine}) == 1


def test_a_record_with_what_cannot_be_packed_arrives_with_its_traceback() -> None:
    heard = Heard()
    with corps.boot(App, envs=1) as app:
        corps.log_to(heard)
        app.make(Talker, 1).ret.say_unpackable().result(LIMIT)
        [record] = heard.wait_for("with <unlocked")
    assert record.exc_text is not None
    assert record.exc_text.endswith("Unpackable: cannot be packed")
    assert vars(record)["lock"].startswith("<unlocked")


def test_a_kill_loses_no_record_doubles_none_and_keeps_them_in_order() -> None:
    heard = Heard()
    with corps.boot(App, envs=2) as app:
        corps.log_to(heard)
        talker = app.make(Talker, 2).ret
        with pytest.raises(corps.EnvLost):
            talker.say_and_die(COUNT).result(LIMIT)
        heard.wait_for(str(COUNT - 1))
        talker.say("again there").result(LIMIT)
        [again] = heard.wait_for("again there")
        assert vars(again)["incarnation"] == talker.incarnation().ret == 2
    assert heard.texts()[: COUNT + 1] == [*map(str, range(COUNT)), "again there"]


def test_levels_are_set_while_it_runs_for_an_env_a_class_a_tag_and_late_processes() -> None:
    heard = Heard()
    with corps.boot(App, envs=2) as app:
        corps.log_to(heard)
        plain, other, tagged = (
            app.make(Talker, 1).ret,
            app.make(Quiet, 2).ret,
            app.make(Talker, 2, "loud").ret,
        )

        def round_of(mark: str) -> set[str]:
            """Who is heard at DEBUG."""
            for name, who in (("plain", plain), ("other", other), ("tagged", tagged)):
                who.say(f"{mark} {name}", logging.DEBUG).result(LIMIT)
            for who in (plain, other):
                who.say(f"{mark} ends").result(LIMIT)
            heard.wait_for(f"{mark} ends", 2)
            return {text.split()[1] for text in heard.texts() if text.startswith(f"{mark} ")} - {"ends"}

        assert round_of("a") == set()
        corps.log_level("DEBUG", "logs_test")
        assert round_of("b") == {"plain", "other", "tagged"}
        corps.log_level(None, "logs_test")
        corps.log_level("DEBUG", env=2)
        assert round_of("c") == {"other", "tagged"}
        corps.log_level(None, env=2)
        corps.log_level("DEBUG", cls=Quiet)
        assert round_of("d") == {"other"}
        corps.log_level("DEBUG", tag="loud")
        assert round_of("e") == {"other", "tagged"}
        with pytest.raises(corps.EnvLost):
            tagged.say_and_die(0).result(LIMIT)
        tagged.say("late process", logging.DEBUG).result(LIMIT)
        heard.wait_for("late process")


def test_lines_of_json_and_lines_for_people_are_written_to_files(tmp_path: Path) -> None:
    lines, text = tmp_path / "log.jsonl", tmp_path / "log.txt"
    with corps.boot(App, envs=2, config={"log": {"json_lines": str(lines), "file": str(text)}}) as app:
        for env in (1, 2):
            app.make(Talker, env, "t").ret.say(f"from env{env}").result(LIMIT)
    found = [json.loads(line) for line in lines.read_text().splitlines()]
    assert {(each["env"], each["event"]) for each in found if each["logger"] == "logs_test"} == {
        ("env1", "from env1"),
        ("env2", "from env2"),
    }
    assert {each["class"] for each in found if each["logger"] == "logs_test"} == {"Talker"}
    assert " Talker[t] WARNING logs_test: from env2" in text.read_text()


def test_a_full_file_is_renamed(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    with corps.boot(App, envs=1) as app:
        corps.log_to(file=path, rotate_bytes=4_000, rotate_kept=2)
        app.make(Talker, 1).ret.say_numbers(COUNT).result(LIMIT)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["log.txt", "log.txt.1", "log.txt.2"]


def test_the_console_shows_each_record_once(capfd: pytest.CaptureFixture[str]) -> None:
    with corps.boot(App, envs=2, config={"log.console": True}) as app:
        app.make(Talker, 2).ret.say("shown once").result(LIMIT)
    lines = [line for line in capfd.readouterr().err.splitlines() if "shown once" in line]
    assert len(lines) == 1
    assert " Talker WARNING logs_test: shown once" in lines[0]


def test_without_a_sink_each_env_shows_its_own_records(capfd: pytest.CaptureFixture[str]) -> None:
    with corps.boot(App, envs=1) as app:
        talker = app.make(Talker, 1).ret
        talker.say("by itself").result(LIMIT)
        with corps.log_to(console=True):
            talker.say("by the console").result(LIMIT)
        talker.say("by itself again").result(LIMIT)
    lines = [line for line in capfd.readouterr().err.splitlines() if "logs_test" in line]
    assert [line.partition(",")[2][4:] for line in lines] == [
        "env1 WARNING logs_test: by itself",
        "env1/1 Talker WARNING logs_test: by the console",
        "env1 WARNING logs_test: by itself again",
    ]


def test_a_worker_gets_the_records_and_its_own_do_not_come_to_it() -> None:
    with corps.boot(App, envs=2) as app:
        taker = app.make(Taker, 1).ret
        sink = corps.log_to(worker=taker, method="take")
        app.make(Talker, 2).ret.say("for the taker").result(LIMIT)
        sink.close()
        [found] = taker.has("for the taker").ret
        assert (found["env"], found["class"], found["level"]) == ("env2", "Talker", "warning")
        assert taker.has("the taker logs too").ret == []


def test_a_sink_can_be_opened_and_closed_by_a_worker(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    with corps.boot(Opener, envs=1) as app:
        app.log_to(str(path)).result(LIMIT)
    assert path.read_text().count("from the opener") == 1


class Opener(corps.Corps):
    def log_to(self, path: str) -> None:
        with corps.log_to(file=path):
            log.warning("from the opener")
        log.warning("too late")
        with pytest.raises(corps.ContextError, match="give it there"):
            corps.log_to(logging.NullHandler())


def test_records_are_published_as_pyzmq_s_own_handler_does(tmp_path: Path) -> None:
    address = f"ipc://{tmp_path}/log"
    context = zmq.Context()
    subscriber = context.socket(zmq.SUB)
    try:
        subscriber.subscribe(b"env1.")
        subscriber.connect(address)
        heard = Heard()
        with corps.boot(App, envs=1) as app:
            corps.log_to(publish=address)
            corps.log_to(heard)
            talker = app.make(Talker, 1).ret
            while not subscriber.poll(50):  # until it has joined
                talker.say("sub.topic::are you there?").result(LIMIT)
            talker.say("an error", logging.ERROR).result(LIMIT)
            talker.say("5 is no level of pyzmq", 55).result(LIMIT)
            got: list[list[bytes]] = []
            while not got or got[-1][0] != b"env1.Level 55":
                assert subscriber.poll(int(1000 * LIMIT))
                got.append(subscriber.recv_multipart())
    finally:
        subscriber.close()
        context.term()
    by_text = {record.getMessage(): record for record in heard.records}
    for text in ("sub.topic::are you there?", "an error"):
        assert as_pyzmq_publishes(by_text[text]) in got
    assert got[-1][1].endswith(b"5 is no level of pyzmq\n")


def as_pyzmq_publishes(record: logging.LogRecord) -> list[bytes]:
    context = zmq.Context()
    pub, sub = context.socket(zmq.PUB), context.socket(zmq.SUB)
    pub.bind("inproc://log")
    sub.connect("inproc://log")
    sub.subscribe(b"")
    handler = PUBHandler(pub)
    handler.root_topic = "env1"
    handler.emit(record)
    assert sub.poll(int(1000 * LIMIT))
    frames: list[bytes] = sub.recv_multipart()
    for socket in (pub, sub):
        socket.close()
    context.term()
    return frames


def test_the_exception_that_ends_a_thread_is_a_record() -> None:
    heard = Heard()
    with corps.boot(App, envs=1) as app:
        corps.log_to(heard)
        app.make(Talker, 1).ret.lose_a_thread().result(LIMIT)
        [record] = heard.wait_for("the thread the lost one has ended by an exception")
    assert record.exc_text is not None
    assert record.exc_text.endswith("ZeroDivisionError: division by zero")
    assert record.name == "corps.uncaught"


def test_the_exception_of_a_task_that_nobody_asks_for_is_a_record() -> None:
    heard = Heard()
    with corps.boot(App, envs=1) as app:
        corps.log_to(heard)
        app.make(Talker, 1).ret.lose_a_task().result(LIMIT)
        [record] = heard.wait_for("Task exception was never retrieved")
    assert record.exc_text is not None
    assert record.exc_text.endswith("RuntimeError: of a task")


def test_what_envs_print_is_a_record_line_by_line_also_of_a_crash() -> None:
    heard = Heard()
    with corps.boot(App, envs=2, config={"log": {"output": True, "warnings": True}}) as app:
        corps.log_to(heard)
        talker = app.make(Talker, 2).ret
        talker.print().result(LIMIT)
        talker.say("by logging").result(LIMIT)
        heard.wait_for("by logging")
        heard.wait_for("written to stderr, and echoed")
        with pytest.raises(corps.EnvLost):
            talker.crash().result(LIMIT)
        heard.wait_for("without an end")
        heard.wait_for("Fatal Python error: Aborted")
    lines = [record for record in heard.records if record.name == "corps.output"]
    assert {vars(record)["env"] for record in lines} == {"env2"}
    texts = [record.getMessage() for record in lines]
    assert "printed by Python" in texts
    assert [text for text in texts if "by logging" in text] == []
    [warning] = [record for record in heard.records if record.name == "py.warnings"]
    assert "UserWarning: a warning of Python" in warning.getMessage()


def test_the_log_of_corps_itself_at_its_lowest_level_comes_to_rest() -> None:
    heard = Heard()
    with corps.boot(App, envs=2) as app:
        corps.log_to(heard)
        corps.log_level("DEBUG")
        talker = app.make(Talker, 2).ret
        for number in range(5):
            talker.say(f"round {number}").result(LIMIT)
            heard.wait_for(f"round {number}")
        before = -1
        while len(heard.records) != before:  # for ever, if records about sending were sent
            before = len(heard.records)
            threading.Event().wait(0.3)
        corps.log_level(None)


if __name__ == "__main__":
    sys.exit("run it by pytest")
