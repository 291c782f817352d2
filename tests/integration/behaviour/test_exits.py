"""Claims about how workers end: in order, once, and with every request settled."""

import asyncio
import os
import threading
from pathlib import Path
from typing import Any, ClassVar

import pytest

import corps
from tests.integration.behaviour.paths import Way, local
from tests.integration.behaviour.workers import Holder, Latch


class Diary(corps.Conc):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def write(self, line: str) -> None:
        self.lines.append(line)


class Member(corps.Conc):
    """Writes down its end."""

    def __init__(self, diary: corps.Name[Diary], name: str) -> None:
        self._diary = diary
        self._called = name

    def bear(self, name: str, env: int) -> corps.Name["Member"]:
        return corps.options(env=env).create(Member, self._diary, name)

    def cleanup(self) -> None:
        self._diary.write(self._called).result()

    def leave(self) -> str:
        self.my_self().exit()
        return "left"

    def leave_and_wait(self) -> None:
        self.my_self().exit().result()

    def end_child(self, child: corps.Name["Member"]) -> list[corps.Name[Any]]:
        child.exit().result()
        return self.my_children()


class Unclean(corps.Conc):
    def cleanup(self) -> None:
        raise OSError("cannot clean up")


class Stubborn(corps.Conc):
    interleave: ClassVar[bool | int] = True

    async def refuse(self, latch: corps.Name[Latch]) -> None:
        latch.arrive.send()
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if await latch.is_open():
                    raise


class Release(Latch):
    async def is_open(self) -> bool:
        return self._opened.is_set()


class Hoarder(corps.Conc):
    """Its loop takes requests, and then hangs outside of corps."""

    def __init__(self, fifo: str, latch: corps.Name[Latch]) -> None:
        self._fifo = fifo
        self._latch = latch

    def main(self) -> None:
        taken = [self.receive(), self.receive()]
        self._latch.arrive.send()
        with open(self._fifo) as pipe:
            pipe.read()
        assert taken

    def ask(self) -> None:
        """Never called."""


@pytest.fixture
def latch(way: Way) -> corps.Name[Latch]:
    return way.create(Latch)


@pytest.fixture
def fifo(tmp_path: Path) -> str:
    path = str(tmp_path / "fifo")
    os.mkfifo(path)
    return path


def let_go(fifo: str) -> None:
    with open(fifo, "w"):
        pass


def test_a_worker_that_has_ended_is_gone(way: Way) -> None:
    diary = way.create(Diary)
    member = way.create(Member, diary, "me")
    assert member.exit().ret is None
    assert diary.lines.ret == ["me"]
    with pytest.raises(corps.WorkerGone) as caught:
        member.my_tag().result()
    assert caught.value.executed == "no"
    assert str(member._addr) in str(caught.value.target)


def test_ending_twice_is_no_error_and_cleans_up_once(way: Way) -> None:
    diary = way.create(Diary)
    member = way.create(Member, diary, "me")
    ends = [member.exit() for _ in range(5)]
    assert [end.ret for end in ends] == [None] * 5
    assert member.exit().ret is None
    assert diary.lines.ret == ["me"]


def test_children_end_before_their_mgr(way: Way) -> None:
    diary = way.create(Diary)
    top = way.create(Member, diary, "top")
    first = top.bear("first", way.near).ret
    second = top.bear("second", way.far).ret
    first.bear("first of first", way.far).result()
    second.bear("first of second", way.near).result()
    second.bear("second of second", way.near).result()
    top.exit().result()
    lines = diary.lines.ret
    assert len(lines) == 6
    for child, mgr in (
        ("second of second", "second"),
        ("first of second", "second"),
        ("first of first", "first"),
        ("second", "top"),
        ("first", "top"),
    ):
        assert lines.index(child) < lines.index(mgr)


def test_a_child_that_has_ended_is_forgotten_by_its_mgr(way: Way) -> None:
    diary = way.create(Diary)
    top = way.create(Member, diary, "top")
    first, second = top.bear("first", way.near).ret, top.bear("second", way.near).ret
    assert top.end_child(first).ret == [second]
    top.exit().result()
    assert diary.lines.ret == ["first", "second", "top"]


def test_what_waits_when_a_worker_ends_fails_and_what_runs_is_finished(
    way: Way, latch: corps.Name[Latch]
) -> None:
    holder, busy = way.busy(latch)
    queued = [holder.note(i) for i in range(100)]
    end = holder.exit()
    opened = latch.open()  # at once: a slow machine must not keep the holder for `exit_timeout`
    for future in queued:
        with pytest.raises(corps.WorkerGone) as caught:
            future.result()
        assert caught.value.executed == "no"
    opened.result()
    assert busy.ret == "held"
    assert end.ret is None


def test_a_worker_ends_itself_and_still_answers(way: Way) -> None:
    diary = way.create(Diary)
    member = way.create(Member, diary, "me")
    assert member.leave().ret == "left"
    member.exit().result()
    assert diary.lines.ret == ["me"]


def test_waiting_for_ones_own_end_is_a_deadlock(way: Way) -> None:
    member = way.create(Member, way.create(Diary), "me")
    with pytest.raises(corps.DeadlockError):
        member.leave_and_wait().result()
    member.exit().result()


def test_a_cleanup_that_raises_is_told_to_who_asked(way: Way) -> None:
    unclean = way.create(Unclean)
    with pytest.raises(OSError, match="cannot clean up"):
        unclean.exit().result()
    assert unclean.exit().ret is None


def test_a_worker_stuck_in_a_method_is_given_up(way: Way, latch: corps.Name[Latch], fifo: str) -> None:
    holder = way.create(Holder)
    stuck = holder.hold_hard(latch, fifo)
    latch.arrived().result()
    with pytest.raises(corps.WorkerGone, match="was abandoned") as caught:
        holder.exit().result()
    assert caught.value.executed == "unknown"
    with pytest.raises(corps.WorkerGone, match="was abandoned"):
        stuck.result()
    with pytest.raises(corps.WorkerGone):
        holder.note(1).result()
    let_go(fifo)


def test_a_worker_that_waits_in_a_coroutine_is_cancelled_when_its_time_is_over() -> None:
    with local({"exit_timeout": 1.5}) as way:  # a slow machine has so much time for the cancelling, too
        holder, latch = way.create(Holder), way.create(Latch)
        soft = holder.hold_softly(latch)
        latch.arrived().result()
        assert holder.exit().ret is None
        with pytest.raises(corps.WorkerGone) as caught:
            soft.result()
    assert caught.value.executed == "unknown"


def test_coroutines_that_refuse_to_end_are_given_up_each_of_them(way: Way) -> None:
    release = way.create(Release)
    stubborn = way.create(Stubborn)
    stuck = [stubborn.refuse(release) for _ in range(3)]
    release.arrived(3).result()
    with pytest.raises(corps.WorkerGone, match="was abandoned"):
        stubborn.exit().result()
    for future in stuck:
        with pytest.raises(corps.WorkerGone):
            future.result()
    release.open().result()


def test_what_a_stuck_loop_of_its_own_has_taken_fails_when_it_is_given_up(
    way: Way, latch: corps.Name[Latch], fifo: str
) -> None:
    hoarder = way.create(Hoarder, fifo, latch)
    taken = [hoarder.ask(), hoarder.ask()]
    latch.arrived().result()
    with pytest.raises(corps.WorkerGone, match="was abandoned"):
        hoarder.exit().result()
    for future in taken:
        with pytest.raises(corps.WorkerGone):
            future.result()
    let_go(fifo)


def test_a_request_that_was_cancelled_does_not_keep_a_worker_from_ending(
    way: Way, latch: corps.Name[Latch]
) -> None:
    holder, busy = way.busy(latch)
    holder.note(1).cancel()
    end = holder.exit()
    latch.open().result()
    assert (busy.ret, end.ret) == ("held", None)


class Stuck(corps.Conc):
    def wait(self, begun: threading.Event, gate: threading.Event) -> None:
        begun.set()
        gate.wait()

    def note(self, number: int) -> int:
        return number


def test_the_end_of_an_env_settles_every_request_that_waits(caplog: pytest.LogCaptureFixture) -> None:
    begun, gate = threading.Event(), threading.Event()
    with corps.env(config={"exit_timeout": 0.2}) as env:
        stuck = env.create(Stuck)
        busy = stuck.wait(begun, gate)
        assert begun.wait(20)
        queued = [stuck.note(i) for i in range(50)]
    for future in [busy, *queued]:
        assert isinstance(future.exception(timeout=10), corps.RequestError)
    gate.set()
    abandoned = [record.message for record in caplog.records if "was abandoned" in record.message]
    assert len([line for line in abandoned if line.startswith("Stuck")]) == 1
    assert not [line for line in abandoned if line.startswith("EnvMgr")], "it waited for its child in peace"
