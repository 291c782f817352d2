"""Claims about `corps.watch_refusals`: what an Env refuses is counted, and reaches all that listen there."""

import asyncio
import json
import logging
import os
import socket
import stat
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import pytest

import corps
from corps.errors import ContextError
from corps.messages.refusal import Refusal
from corps.runtime.this_process import this_process
from corps.security.audit import Audit
from corps.services.refusal_file import write_all
from corps.workers.news import News
from corps.workers.refusals import Refusals

LIMIT: Final = 60.0


class Guard(corps.Conc):
    """Listens in its Env, and is asked for what has come."""

    def __init__(self) -> None:
        self._refusals = corps.watch_refusals()

    def next(self) -> corps.Refusal:
        return self._refusals.take(LIMIT)

    async def next_awaited(self) -> corps.Refusal:
        async with asyncio.timeout(LIMIT):
            return await anext(self._refusals)

    def sockets(self) -> list[str]:
        """Where this Env listens."""
        env = self._corps_cell.env
        directory = Path(str(env.runtime_dir))
        return [str(path) for path in directory.glob("*.sock") if path.name.startswith(f"{env.id}-")]

    def counts(self) -> dict[str, int]:
        found: dict[str, int] = self._corps_cell.env.statistics()["refused"]
        return found


class App(corps.Corps):
    def guard(self) -> "corps.Name[Guard]":
        return corps.options(env=1).create(Guard)


@pytest.fixture
def guard() -> Iterator[Any]:
    with corps.boot(App, envs=1) as app:
        yield app.guard().ret


def knock(guard: Any, said: bytes) -> None:
    """Connect to the Env as what is no Env, and say something."""
    (path,) = guard.sockets().ret
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as stranger:
        stranger.connect(path)
        stranger.sendall(said)
        stranger.settimeout(LIMIT)
        while stranger.recv(1000):
            pass  # until it is cut off


def test_a_stranger_that_knocks_is_a_refusal_for_all_that_listen_there(guard: Any) -> None:
    knock(guard, os.urandom(64))
    first = guard.next().ret
    assert first.env == 1
    assert first.kind in {"hello", "frames", "version", "protocol"}
    assert first.reason
    assert guard.counts().ret == {first.kind: 1}
    assert corps.statistics()[1]["refused"] == {first.kind: 1}
    knock(guard, os.urandom(64))
    assert guard.next_awaited().ret.time >= first.time


def test_each_env_writes_what_it_refuses_to_a_file_of_its_own_that_begins_anew(tmp_path: Path) -> None:
    settings = {"file": str(tmp_path / "refusals.jsonl"), "rotate_bytes": 500, "rotate_kept": 1}
    with corps.boot(App, envs=1, config={"audit": settings}) as app:
        guard = app.guard().ret
        knocks = 5
        for _ in range(knocks):
            knock(guard, os.urandom(64))
        seen = [guard.next().ret for _ in range(knocks)]
    assert {path.name for path in tmp_path.iterdir()} >= {
        "refusals.env0.jsonl",
        "refusals.env1.jsonl",
        "refusals.env1.jsonl.1",
        "refusals.front.jsonl",
    }
    lines = [
        json.loads(line)
        for name in ("refusals.env1.jsonl.1", "refusals.env1.jsonl")
        for line in (tmp_path / name).read_text().splitlines()
    ]
    assert lines
    assert lines == [asdict(each) for each in seen][-len(lines) :]
    assert max(path.stat().st_size for path in tmp_path.iterdir()) <= 500


def test_what_was_refused_is_for_the_eyes_of_its_user_alone(tmp_path: Path) -> None:
    before = tmp_path / "refusals.env0.jsonl"
    before.write_text("")
    before.chmod(0o644)  # as an older release has left it
    with corps.boot(App, envs=1, config={"audit": {"file": str(tmp_path / "refusals.jsonl")}}) as app:
        guard = app.guard().ret
        knock(guard, os.urandom(64))
        guard.next().ret  # noqa: B018
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == dict.fromkeys(
        ("refusals.env0.jsonl", "refusals.env1.jsonl", "refusals.front.jsonl"), 0o600
    )


@pytest.mark.parametrize("kind", ["link", "fifo", "folder"])
def test_what_is_no_file_of_this_user_is_not_written_to(tmp_path: Path, kind: str) -> None:
    place = tmp_path / "refusals.env0.jsonl"
    aim = tmp_path / "aim"
    if kind == "link":
        place.symlink_to(aim)
    elif kind == "fifo":
        os.mkfifo(place)
    else:
        place.mkdir()
    with pytest.raises(corps.CorpsError, match=r"refusals cannot be written to audit\.file"):
        corps.boot(App, envs=1, config={"audit": {"file": str(tmp_path / "refusals.jsonl")}})
    assert not aim.exists()


def test_a_file_that_cannot_be_opened_is_an_error_of_the_boot(tmp_path: Path) -> None:
    with pytest.raises(corps.CorpsError, match=r"refusals cannot be written to audit\.file"):
        corps.boot(App, envs=1, config={"audit": {"file": str(tmp_path / "no" / "refusals.jsonl")}})


def test_what_a_slow_disk_has_no_time_for_is_a_line_too() -> None:
    news: News[Refusal] = News("refusals", lambda _: None, most=2)
    for number in range(5):
        news.put(Refusal("hello", str(number), 1, 2.0))
    news.end()
    written: list[Any] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            written.append(json.loads(record.getMessage()))

    write_all(news, Kept())
    assert [line.get("reason", line.get("count")) for line in written] == ["3", 3, "4"]


def test_outside_of_an_env_nobody_can_listen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(this_process, "open_envs", list)  # whatever other tests leave open
    with pytest.raises(ContextError):
        corps.watch_refusals()


def test_an_env_that_is_alone_refuses_nothing_and_ends_what_listens() -> None:
    with corps.env() as env:
        refusals = corps.watch_refusals()
        assert env.statistics()["refused"] == {}
    assert list(refusals) == []


def test_a_slow_listener_loses_the_oldest_and_knows_how_many() -> None:
    news: News[int] = News("numbers", lambda _: None, most=3)
    for number in range(5):
        news.put(number)
    assert news.missed == 2
    news.end()
    assert list(news) == [2, 3, 4]
    assert news.missed == 2


class _Closed:
    """As much of an Env as the Part needs."""

    closed = False
    id = 7


def test_a_listener_that_has_closed_hears_no_more() -> None:
    part = Refusals(_Closed())  # type: ignore[arg-type]
    audit = Audit("env7")
    part.follow(audit)
    audit.refused("hello", "before")
    with part.listen() as first, part.listen() as second:
        audit.refused("hello", "a")
        second.close()
        audit.refused("key", "b")
        assert [(each.kind, each.reason, each.env) for each in _taken(first)] == [
            ("hello", "a", 7),
            ("key", "b", 7),
        ]
        assert [each.reason for each in second] == ["a"]
    part.close()


def _taken(news: News[Refusal]) -> list[Refusal]:
    news.end()
    return list(news)
