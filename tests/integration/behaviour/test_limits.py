"""Claims about time limits and full mailboxes, over every path."""

import asyncio
import pickle
import threading
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import corps
from tests.integration.behaviour.paths import Way, booted, local
from tests.integration.behaviour.test_event_loops import PATHS, narrow
from tests.integration.behaviour.workers import Holder, Latch, Newest


class Nested(corps.Conc):
    def ask(self, other: corps.Name[Any], method: str, *args: Any) -> Any:
        return getattr(other, method)(*args).ret

    async def ask_softly(self, other: corps.Name[Any], method: str, *args: Any) -> Any:
        return await getattr(other, method)(*args)

    def ask_with_more_time(self, other: corps.Name[Any], *args: Any) -> Any:
        return other.options(deadline=60.0).ask(*args).ret

    def sees_a_deadline(self) -> str:
        try:
            self.my_self().sees_a_deadline().result(timeout=0.0)
        except corps.CorpsError as error:
            return type(error).__name__
        return "?"

    def fill_own_mailbox(self, n: int) -> int:
        for i in range(n):
            self.my_self().nothing.send(i)
        return n

    def nothing(self, _: int) -> None:
        pass

    def send_many(self, other: corps.Name[Holder], n: int) -> int:
        for i in range(n):
            other.note.send(i)
        other.my_tag().result()  # behind all of them
        return n


@pytest.fixture
def latch(way: Way) -> corps.Name[Latch]:
    return way.create(Latch)


def test_a_deadline_that_passes_while_the_request_waits_says_it_never_ran(
    way: Way, latch: corps.Name[Latch]
) -> None:
    holder, busy = way.busy(latch)
    future = holder.options(deadline=0.25).note("late")  # time enough to be sent
    with pytest.raises(corps.DeadlineExceeded) as caught:
        future.result()
    assert isinstance(caught.value, TimeoutError)
    assert caught.value.executed == ("no" if way.is_local else "unknown")
    latch.open().result()
    assert busy.ret == "held"
    assert holder.log.ret == ["held"]


@pytest.mark.parametrize("wrong", [float("nan"), np.float32("nan"), "3", 1j, 10**400])
def test_a_deadline_that_is_no_number_is_refused_on_every_path(way: Way, wrong: Any) -> None:
    holder = way.create(Holder)
    with pytest.raises(corps.ConfigError, match="wants a number of seconds"):
        holder.options(deadline=wrong)


@pytest.mark.parametrize("over", [0, -1.0, float("-inf")])
def test_a_deadline_that_has_passed_is_one(way: Way, over: float) -> None:
    with pytest.raises(corps.DeadlineExceeded) as caught:
        way.create(Holder).options(deadline=over).note("late").result()
    assert caught.value.executed == "no"


@pytest.mark.parametrize("far", [float("inf"), 1e300, np.float32(1e9), Fraction(10**6)])
def test_a_deadline_may_be_any_real_number(way: Way, latch: corps.Name[Latch], far: Any) -> None:
    holder, busy = way.busy(latch)
    early = holder.options(deadline=far).note("early")
    with pytest.raises(corps.DeadlineExceeded):  # the thread that says so goes on
        holder.options(deadline=0.02).note("late").result()
    latch.open().result()
    assert early.result() == "early"
    busy.result()


def test_a_deadline_that_passes_while_the_method_runs_leaves_it_running(
    way: Way, latch: corps.Name[Latch]
) -> None:
    holder = way.create(Holder)
    future = holder.options(deadline=20.0).ask(latch.options(deadline=None), "arrive")
    assert future.ret is None
    late = holder.options(deadline=0.25).hold(latch)  # time enough to begin
    with pytest.raises(corps.DeadlineExceeded):
        late.result()
    latch.open().result()
    assert holder.note("next").ret == "next"


def test_a_coroutine_is_cancelled_at_its_deadline(way: Way, latch: corps.Name[Latch]) -> None:
    holder = way.create(Holder)
    future = holder.options(deadline=0.05).hold_softly(latch)
    with pytest.raises(corps.DeadlineExceeded):
        future.result()
    assert holder.note("next").ret == "next"
    assert holder.log.ret in (["cancelled", "next"], ["next"])


@pytest.mark.parametrize("method", ["ask", "ask_softly"])
def test_requests_made_for_a_request_inherit_its_deadline(
    way: Way, latch: corps.Name[Latch], method: str
) -> None:
    holder, busy = way.busy(latch)
    middle, front = way.create_far(Nested), way.create(Nested)
    future = getattr(front.options(deadline=0.1), method)(middle, method, holder, "note", "late")
    with pytest.raises(corps.DeadlineExceeded):
        future.result()
    assert front.nothing(1).ret is None
    assert middle.nothing(1).ret is None, "freed by the deadline, although the last worker is busy still"
    latch.open().result()
    assert busy.ret == "held"
    assert holder.log.ret == ["held"]


def test_more_time_than_the_caller_has_is_not_given(way: Way, latch: corps.Name[Latch]) -> None:
    holder, busy = way.busy(latch)
    middle, front = way.create_far(Nested), way.create(Nested)
    with pytest.raises(corps.DeadlineExceeded):
        front.options(deadline=0.1).ask_with_more_time(middle, holder, "note", "late").result()
    assert middle.nothing(1).ret is None
    latch.open().result()
    assert busy.ret == "held"


def test_an_answer_in_time_is_an_answer(way: Way) -> None:
    holder = way.create(Holder)
    futures = [holder.options(deadline=30.0).note(i) for i in range(200)]
    assert [future.ret for future in futures] == list(range(200))


def test_a_sender_waits_for_room_in_a_full_mailbox() -> None:
    with local({"send_timeout": None}) as way, way.entered():
        latch, holder = way.create(Latch), way.options(mailbox=5).create(Holder)
        busy = holder.hold(latch)
        latch.arrived().result()
        sent = threading.Semaphore(0)

        def send() -> None:
            for i in range(50):
                holder.note.send(i)
                sent.release()

        sender = threading.Thread(target=send)
        sender.start()
        for _ in range(5):
            assert sent.acquire(timeout=20)
        assert not sent.acquire(timeout=0.02)
        latch.open().result()
        sender.join()
        assert busy.ret == "held"
        assert holder.log.ret == ["held", *range(50)]


def test_a_mailbox_that_stays_full_is_an_error_after_a_while() -> None:
    with local({"send_timeout": 0.02}) as way, way.entered():
        latch, holder = way.create(Latch), way.options(mailbox=3).create(Holder)
        busy = holder.hold(latch)
        latch.arrived().result()
        futures = [holder.note(i) for i in range(3)]
        with pytest.raises(corps.Overloaded, match="stayed full with 3 requests") as caught:
            holder.note("too much")
        assert caught.value.executed == "no"
        with pytest.raises(corps.Overloaded):
            holder.note.send("too much")
        with pytest.raises(corps.Overloaded):
            holder.options(deadline=0.001).note("too much")
        latch.open().result()
        assert [future.ret for future in [busy, *futures]] == ["held", 0, 1, 2]
        assert holder.note("room").ret == "room"


@PATHS
def test_a_name_says_that_its_senders_wait_for_no_room(path: str) -> None:
    with narrow(path, {"send_timeout": None}) as (_, holder, latch):
        hasty = pickle.loads(pickle.dumps(holder.options(when_full="raise")))
        sent: list[corps.Future[Any]] = []
        with pytest.raises(corps.Overloaded, match="wait") as caught:
            sent.extend(map(hasty.note, range(100)))
        assert caught.value.executed == "no"
        assert path == "env" or caught.value.retry_after > 0.0  # type: ignore[operator]
        assert 3 <= len(sent) <= 4
        for each in (hasty, hasty.pinned):
            with pytest.raises(corps.Overloaded):
                each.note("no room")
            with pytest.raises(corps.Overloaded):
                each.note.send("no room")

        async def ask() -> None:
            await corps.asking(hasty.note, "no room")

        with pytest.raises(corps.Overloaded):
            asyncio.run(ask())
        latch.open().result()
        assert [future.ret for future in sent] == list(range(len(sent)))
        assert hasty.note("room").ret == "room"


def test_what_is_done_without_room_is_one_of_three_words() -> None:
    with local({}) as way, way.entered(), pytest.raises(corps.ConfigError, match="when_full='drop'"):
        way.create(Holder).options(when_full="drop")  # type: ignore[arg-type]
    with pytest.raises(corps.ConfigError, match="when_full='drop'"):
        corps.options(when_full="drop")  # type: ignore[arg-type]
    with pytest.raises(corps.DefinitionError, match="when_full is 'drop'"):
        type("Bad", (corps.Conc,), {"when_full": "drop"})


@pytest.mark.parametrize("by", ["class", "options", "name"])
def test_the_newest_take_the_places_of_the_oldest(way: Way, latch: corps.Name[Latch], by: str) -> None:
    options = way.options(mailbox=3, when_full="drop_oldest" if by == "options" else None)
    holder = options.create(Newest if by == "class" else Holder)
    busy = holder.hold(latch)
    latch.arrived().result()
    name = pickle.loads(pickle.dumps(holder.options(when_full="drop_oldest"))) if by == "name" else holder
    sent = [name.note(i) for i in range(10)]
    for future in sent[:7]:
        with pytest.raises(corps.Overloaded, match="a newer one has come") as caught:
            future.result()
        assert caught.value.executed == "no"
    latch.open().result()
    assert [future.ret for future in [busy, *sent[7:]]] == ["held", 7, 8, 9]
    assert holder.log.ret == ["held", 7, 8, 9]


def test_a_worker_refuses_what_finds_no_room(way: Way, latch: corps.Name[Latch]) -> None:
    holder = way.options(mailbox=3, when_full="raise").create(Holder)
    busy = holder.hold(latch)
    latch.arrived().result()
    sent = [holder.note(i) for i in range(6)]
    for future in sent[3:]:
        with pytest.raises(corps.Overloaded, match="full with 3") as caught:
            future.result()
        assert caught.value.executed == "no"
    latch.open().result()
    assert [future.ret for future in [busy, *sent[:3]]] == ["held", 0, 1, 2]
    assert holder.note("room").ret == "room"


def test_what_was_sent_and_found_no_room_is_a_dead_letter(way: Way, latch: corps.Name[Latch]) -> None:
    before = corps.dead_letters().counts().get("crowded", 0)
    holder = way.options(mailbox=3, when_full="drop_oldest").create(Holder)
    busy = holder.hold(latch)
    latch.arrived().result()
    for i in range(5):
        holder.note.send(i)
    late = holder.note("late")
    latch.open().result()
    assert [busy.ret, late.ret] == ["held", "late"]
    assert holder.log.ret == ["held", 3, 4, "late"]
    assert corps.dead_letters().counts()["crowded"] == before + 3


def test_only_what_yields_gives_its_place_to_another_one(way: Way, latch: corps.Name[Latch]) -> None:
    holder = way.options(mailbox=3).create(Holder)
    busy = holder.hold(latch)
    latch.arrived().result()
    newest = holder.options(when_full="drop_oldest")
    sent = [holder.note(0), newest.note(1), holder.note(2), newest.note(3)]
    with pytest.raises(corps.Overloaded):
        sent[1].result()
    pinned = newest.pinned.note(4)
    with pytest.raises(corps.Overloaded):
        sent[3].result()
    latch.open().result()
    assert [future.ret for future in (busy, sent[0], sent[2], pinned)] == ["held", 0, 2, 4]
    full = way.options(mailbox=1).create(Holder)
    other = way.create(Latch)
    held = full.hold(other)
    other.arrived().result()
    kept = full.note("kept")
    with pytest.raises(corps.Overloaded, match="does not wait for room"):
        full.options(when_full="drop_oldest").note("no place").result()
    other.open().result()
    assert [held.ret, kept.ret] == ["held", "kept"]


def test_a_sender_that_waits_for_room_is_told_of_the_end() -> None:
    with local({"send_timeout": None}) as way, way.entered():
        latch, holder = way.create(Latch), way.options(mailbox=1).create(Holder)
        holder.hold(latch)
        latch.arrived().result()
        holder.note("first")
        begun, futures = threading.Event(), []

        def send() -> None:
            begun.set()
            futures.append(holder.note("second"))

        sender = threading.Thread(target=send)
        sender.start()
        begun.wait()
        end = holder.exit()
        latch.open().result()
        sender.join()
        assert end.ret is None
        with pytest.raises(corps.WorkerGone):
            futures[0].result()


def test_an_end_needs_no_room() -> None:
    with local() as way, way.entered():
        latch, holder = way.create(Latch), way.options(mailbox=1).create(Holder)
        holder.hold(latch)
        latch.arrived().result()
        queued = holder.note("first")
        end = holder.exit()
        opened = latch.open()  # at once: a slow machine must not keep the holder for `exit_timeout`
        assert isinstance(queued.exception(), corps.WorkerGone)
        assert (opened.ret, end.ret) == (None, None)


def test_a_worker_that_fills_its_own_mailbox_is_told_at_once() -> None:
    with local({"send_timeout": None}) as way, way.entered():
        nested = way.options(mailbox=10).create(Nested)
        assert nested.fill_own_mailbox(9).ret == 9
        with pytest.raises(corps.Overloaded, match="fills its own mailbox"):
            nested.fill_own_mailbox(30).result()


def test_two_workers_that_fill_each_others_mailboxes_end_up_overloaded() -> None:
    with local({"send_timeout": 0.1}) as way, way.entered():
        one, other = (way.options(mailbox=3).create(Filler) for _ in range(2))
        futures = [one.fill(other, 50), other.fill(one, 50)]
        for future in futures:
            error = future.exception()
            assert error is None or isinstance(error, corps.Overloaded)


def test_the_window_of_a_link_holds_senders_back_and_loses_nothing() -> None:
    with booted("unix", {"window.requests": 8}) as way, way.entered():
        holder, other = way.create(Holder), way.create_far(Nested)
        futures = [holder.note(i) for i in range(500)]
        assert other.send_many(holder, 500).ret == 500
        assert [future.ret for future in futures] == list(range(500))
        assert len(holder.log.ret) == 1_000


class Filler(corps.Conc):
    def fill(self, other: corps.Name["Filler"], n: int) -> None:
        for _ in range(n):
            other.nothing.send()

    def nothing(self) -> None:
        pass


class Large(corps.Conc):
    def __init__(self) -> None:
        self.kept: list[bytes] = []

    def give(self, number: int) -> bytes:
        return number.to_bytes(2, "little") * 70_000

    def keep(self, array: Any) -> int:
        self.kept.append(array)
        return len(self.kept)


def test_no_large_message_is_lost_however_many_are_kept() -> None:
    """Was a defect: past 256 of them results were lost, and a worker that kept all stopped its sender."""
    with booted("unix") as way, way.entered():
        large = way.create_far(Large)
        results = corps.gather(*[large.give(number) for number in range(300)]).ret
        assert [len(result) for result in results] == [140_000] * 300
        assert [result[:2] for result in results] == [number.to_bytes(2, "little") for number in range(300)]
        arrays = np.zeros((300, 140_000), np.uint8)
        assert corps.gather(*[large.keep(array) for array in arrays]).ret == list(range(1, 301))
