"""Claims about the start journal: what it says of requests whose process died is true, in all orders."""

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from corps.errors import Cancelled, EnvLost, Executed, Overloaded
from corps.messages.members import Member
from corps.messages.outcomes import Refused, Value
from corps.messages.requests import CALL, EXIT, WATCH, Kind, Request
from corps.peers.journal import AskerJournal, RunnerJournal, journal_path
from corps.peers.promises import WirePromise
from tests.unit.transport.sides import CountedPromise, Side, carry, member

SLOT = 0xFFFF

MADE: list[Side] = []


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    while MADE:
        MADE.pop().peers.close()


def path_in(directory: Path) -> str:
    return journal_path(str(directory), "a" * 32, "b" * 32)


# The two sides of the file


def test_it_tells_what_never_began_what_was_running_and_what_had_ended(tmp_path: Path) -> None:
    asker = AskerJournal(64, is_kept=True)
    asker.keep_at(path_in(tmp_path))
    never, running, over = (asker.number() for _ in range(3))
    runner = RunnerJournal(path_in(tmp_path))
    runner.began(running)
    runner.began(over)
    runner.ended(over)
    runner.ended(never)
    assert [asker.executed(each) for each in (never, running, over)] == ["no", "unknown", "yes"]
    asker.close()
    runner.close()
    assert list(tmp_path.iterdir()) == []


def test_a_full_file_system_takes_the_journal_and_no_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Was a defect: the file had a hole, and to write there was a SIGBUS, in every Env and in the script."""
    asker = AskerJournal(4096, is_kept=True)
    asker.keep_at(path_in(tmp_path))
    asker.number()
    there = os.stat(path_in(tmp_path))
    assert there.st_blocks * 512 >= there.st_size > 4096 * 8
    asker.close()

    def is_full(fd: int, offset: int, size: int) -> None:
        raise OSError(errno.ENOSPC, "planted")

    monkeypatch.setattr(os, "posix_fallocate", is_full)
    asker = AskerJournal(64, is_kept=True)
    asker.keep_at(path_in(tmp_path))
    assert asker.executed(asker.number()) == "unknown"
    assert list(tmp_path.iterdir()) == []


def test_a_number_from_before_the_file_has_a_place_in_it_too(tmp_path: Path) -> None:
    """Was a defect: its place was taken for that of another request, and both lied."""
    asker = AskerJournal(64, is_kept=True)
    early = [asker.number() for _ in range(3)]
    asker.keep_at(path_in(tmp_path))
    runner = RunnerJournal(path_in(tmp_path))  # it is there before anything is sent
    late = [asker.number() for _ in range(3)]
    assert len({number & SLOT for number in early + late}) == 6
    for number in early:
        runner.began(number)
    for number in late:
        runner.began(number)
    assert {asker.executed(number) for number in early + late} == {"unknown"}
    asker.free(early[0])
    assert asker.number() & SLOT == early[0] & SLOT
    asker.close()
    runner.close()


def test_without_a_place_nothing_is_known(tmp_path: Path) -> None:
    asker = AskerJournal(64, is_kept=True)
    asker.keep_at(path_in(tmp_path))
    numbers = [asker.number() for _ in range(70)]
    runner = RunnerJournal(path_in(tmp_path))
    assert [asker.executed(number) for number in numbers] == ["no"] * 64 + ["unknown"] * 6
    for number in numbers:
        asker.free(number)
    assert len({asker.number() & SLOT for _ in range(64)}) == 64
    asker.close()
    runner.close()


def test_where_the_other_side_could_not_open_the_file_nothing_is_known(tmp_path: Path) -> None:
    asker = AskerJournal(64, is_kept=True)
    asker.keep_at(path_in(tmp_path))
    number = asker.number()
    assert asker.executed(number) == "no", "nothing was read from there"
    os.unlink(path_in(tmp_path))  # as who cannot open it does
    assert asker.executed(number) == "unknown"
    asker.close()


def test_where_no_file_can_be_made_nothing_is_known(tmp_path: Path) -> None:
    asker = AskerJournal(64, is_kept=True)
    asker.keep_at(path_in(tmp_path / "missing"))
    assert asker.executed(asker.number()) == "unknown"
    (tmp_path / "link").symlink_to(tmp_path / "victim")
    asker = AskerJournal(64, is_kept=True)
    asker.keep_at(str(tmp_path / "link"))
    assert asker.executed(asker.number()) == "unknown"
    assert not (tmp_path / "victim").exists()


def test_what_is_noted_after_the_end_harms_nobody(tmp_path: Path) -> None:
    asker = AskerJournal(64, is_kept=True)
    asker.keep_at(path_in(tmp_path))
    number = asker.number()
    runner = RunnerJournal(path_in(tmp_path))
    asker.close()
    asker.close()
    runner.began(number)
    runner.close()
    runner.close()
    runner.began(number)
    runner.ended(number)


# Two Envs


def asking(directory: str, *, is_awaited: bool = True) -> Side:
    one = Side(1, 2, window=(6, 100_000), journals=directory, incarnation="1" * 32)
    MADE.append(one)
    if is_awaited:
        one.peers.lose(2, "planted", returns=True)
    return one


def answering(one: Side, directory: str, incarnation: str) -> Side:
    two = Side(
        2,
        1,
        window=(6, 100_000),
        journals=directory,
        incarnation=incarnation,
        learns=Member(1, "1" * 32, "line://1"),
    )
    MADE.append(two)
    one.peers.learn(Member(2, incarnation, "line://2"))
    return two


def executed(promise: object) -> Executed:
    assert isinstance(promise, CountedPromise)
    error = promise.error()
    assert isinstance(error, EnvLost)
    return error.executed


def die(one: Side) -> None:
    one.transport.outbox.clear()
    one.peers.lose(2, "planted", "killed", has_died=True, returns=True)


def test_a_request_that_wants_no_answer_takes_nobody_s_place(tmp_path: Path) -> None:
    """Was a defect: it had the first place, and who ran there was said not to have begun."""
    one = asking(str(tmp_path))
    two = answering(one, str(tmp_path), "2" * 32)
    promise = one.ask()
    one.tell()
    carry(one, two)
    for request in two.delivered:
        request.open()
    die(one)
    assert executed(promise) == "unknown"


def test_what_waited_for_the_process_is_told_of_truly(tmp_path: Path) -> None:
    one = asking(str(tmp_path))
    promises = [one.ask() for _ in range(3)]
    two = answering(one, str(tmp_path), "2" * 32)
    carry(one, two)
    two.delivered[0].open()
    two.delivered[1].open()
    two.delivered[1].settle(Value(None))
    die(one)
    assert [executed(promise) for promise in promises] == ["unknown", "yes", "no"]


def test_whether_a_worker_was_ended_is_not_known(tmp_path: Path) -> None:
    """Was a defect: to end a worker runs its cleanup(), and opens nothing."""
    one = asking(str(tmp_path))
    two = answering(one, str(tmp_path), "2" * 32)
    promise = one.ask(kind=EXIT)
    carry(one, two)
    die(one)
    assert executed(promise) == "unknown"


def test_a_request_that_begins_after_it_was_given_up_leaves_the_place_to_the_next(tmp_path: Path) -> None:
    """Was a defect: between being taken out of the mailbox and being opened, it could lose its place."""
    one = asking(str(tmp_path))
    two = answering(one, str(tmp_path), "2" * 32)
    given_up = one.request()
    one.peers.send(given_up)
    carry(one, two)
    (taken,) = two.delivered
    two.holder.begun.add(id(taken))
    one.peer.asking.withdraw(given_up)
    carry(one, two)
    promise = one.ask()
    carry(one, two)
    two.delivered[1].open()
    taken.open()
    die(one)
    assert executed(promise) == "unknown"


def test_what_the_new_process_asks_before_all_is_ready_is_noted(tmp_path: Path) -> None:
    """Was a defect: it was admitted before its journal was known."""
    one = asking(str(tmp_path))
    two = Side(2, 1, journals=str(tmp_path), incarnation="2" * 32, learns=Member(1, "1" * 32, "line://1"))
    MADE.append(two)
    promise = two.ask()
    admit = one.transport.admit

    def admit_and_receive(member: Member) -> None:
        admit(member)
        one.receive(two.transport.outbox.popleft())

    one.transport.admit = admit_and_receive  # type: ignore[method-assign]
    thread = Thread(target=one.peers.learn, args=(Member(2, "2" * 32, "line://2"),))
    thread.start()
    thread.join()
    one.delivered[0].open()
    two.peers.lose(1, "planted", has_died=True)
    assert executed(promise) == "unknown"


class AnyOrder(RuleBasedStateMachine):
    """One Env asks another one, which comes, runs, answers and dies, again and again."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.mkdtemp(prefix="journal-")
        self.one = asking(self.directory)
        self.two: Side | None = None
        self.lives = 0
        self.asked: list[Request] = []
        self.begun: set[int] = set()  # numbers, of the present process
        self.ended: set[int] = set()
        self.numbers: set[int] = set()
        self.promises: list[CountedPromise] = []

    @rule(kind=st.sampled_from([CALL, CALL, CALL, EXIT, WATCH]), size=st.integers(0, 10))
    def ask(self, kind: Kind, size: int) -> None:
        request = self.one.request(bytes(size), kind=kind)
        try:
            self.one.peers.send(request)
        except Overloaded:
            return
        assert isinstance(request.promise, CountedPromise)
        self.promises.append(request.promise)
        self.asked.append(request)
        assert request.number not in self.numbers
        self.numbers.add(request.number)

    @rule()
    def tell(self) -> None:
        try:
            self.one.tell()
        except Overloaded:
            pass

    @precondition(lambda self: self.two is None)
    @rule()
    def come(self) -> None:
        self.lives += 1
        self.two = answering(self.one, self.directory, f"{self.lives:032}")

    @precondition(lambda self: self.two is not None)
    @rule(n=st.integers(1, 4))
    def deliver_there(self, n: int) -> None:
        assert self.two is not None
        for _ in range(min(n, len(self.one.transport.outbox))):
            self.two.receive(self.one.transport.outbox.popleft())

    @precondition(lambda self: self.two is not None)
    @rule(n=st.integers(1, 4))
    def deliver_back(self, n: int) -> None:
        assert self.two is not None
        for _ in range(min(n, len(self.two.transport.outbox))):
            self.one.receive(self.two.transport.outbox.popleft())

    def _delivered(self, which: int) -> Request | None:
        if self.two is None or not self.two.delivered:
            return None
        return self.two.delivered[which % len(self.two.delivered)]

    @staticmethod
    def _number(request: Request) -> int:
        return request.promise._number if isinstance(request.promise, WirePromise) else 0

    @rule(which=st.integers(0, 10))
    def begin(self, which: int) -> None:
        request = self._delivered(which)
        if request is not None and self.two is not None and request.packed is not None:
            if request.kind == CALL:
                if not request.promise.done():
                    self.begun.add(self._number(request))
                request.open()
            self.two.holder.begun.add(id(request))

    @rule(which=st.integers(0, 10))
    def end(self, which: int) -> None:
        request = self._delivered(which)
        if request is not None and self.two is not None and id(request) in self.two.holder.begun:
            self.two.delivered.remove(request)
            self.ended.add(self._number(request))
            request.settle(Value(None))

    @rule(which=st.integers(0, 10))
    def give_up(self, which: int) -> None:
        unanswered = [each for each in self.asked if not each.promise.done()]
        if unanswered:
            request = unanswered[which % len(unanswered)]
            self.one.peer.asking.take_back(request)
            request.settle(Refused(Cancelled("planted")))
            self.one.peer.asking.withdraw(request)

    @rule()
    def ring(self) -> None:
        if self.two is not None:
            self.two.alarms.ring_all()

    @rule()
    def die(self) -> None:
        unanswered = [each for each in self.asked if not each.promise.done()]
        is_awaited = not self.one.peer.member.incarnation
        die(self.one)
        if is_awaited:  # it dies again before it is there: what waits for it goes on waiting
            assert not any(each.promise.done() for each in unanswered)
            return
        for request in unanswered:
            told = executed(request.promise)
            if self.two is None or request.kind == WATCH:
                assert told == "no"
            elif request.kind == EXIT:
                assert told == ("unknown" if self.one.transport.links else "no")
            elif request.number in self.begun:
                assert told == ("yes" if request.number in self.ended else "unknown")
            else:
                assert told == "no"
        self.asked = []
        self.begun, self.ended, self.numbers = set(), set(), set()
        if self.two is not None:
            self.two.peers.close()
        self.two = None

    @invariant()
    def no_place_is_shared(self) -> None:
        pending = [number for number in self.one.peer.asking._pending if number & SLOT != SLOT]
        assert len({number & SLOT for number in pending}) == len(pending)
        free = self.one.peer.asking._journal._free or []
        assert len(set(free)) == len(free)
        assert not set(free) & {number & SLOT for number in pending}

    @invariant()
    def nothing_is_settled_twice(self) -> None:
        assert all(len(promise.outcomes) <= 1 for promise in self.promises)

    def teardown(self) -> None:
        if self.two is None:
            self.come()
        assert self.two is not None
        carry(self.one, self.two)
        for request in self.two.delivered:
            request.settle(Value(None))
        self.two.alarms.ring_all()
        carry(self.one, self.two)
        assert all(len(promise.outcomes) == 1 for promise in self.promises)
        window = self.one.peer.asking.room.window
        assert (window.requests, window.size) == (0, 0)
        assert not self.one.peers.audit.counts
        assert not self.two.peers.audit.counts
        self.one.peers.close()
        self.two.peers.close()
        left = os.listdir(self.directory)
        shutil.rmtree(self.directory)
        assert left == []


AnyOrder.TestCase.settings = settings(
    max_examples=150, stateful_step_count=50, deadline=None, derandomize=True, database=None
)
TestAnyOrder = AnyOrder.TestCase


@pytest.mark.parametrize("is_known", [True, False])
def test_a_process_that_is_not_there_yet_can_be_lost_again(tmp_path: Path, is_known: bool) -> None:
    one = asking(str(tmp_path))
    promise = one.ask()
    if is_known:
        one.peers.learn(member(2, "2"))
    die(one)
    if not is_known:  # it goes on waiting
        assert not promise.done()
        one.peers.lose(2, "planted")
    assert executed(promise) == "no"
