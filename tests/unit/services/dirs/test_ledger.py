"""Claims about numbered changes: every copy comes to what the Dir of the Corps has, whatever happens."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from corps.services.dirs import ledger
from corps.services.dirs.ledger import Follower, Ledger, Push

ENVS = (1, 2, 3)


class Copy:
    """A copy in a process: what it has, and which pushes are on their way to it, oldest first."""

    def __init__(self) -> None:
        self.follower: Follower[str] = Follower()
        self.has: dict[int, str] = {}
        self.coming: list[Push[str]] = []

    def take(self, push: Push[str]) -> bool:
        changes = self.follower.take(push)
        if changes is None:
            return False
        if push.since < 0 and push.ends:
            self.has.clear()
        for number, there in changes:
            if there is None:
                self.has.pop(number, None)
            else:
                self.has[number] = there
        return True


class Copies(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.batch, ledger.BATCH = ledger.BATCH, 2  # type: ignore[misc]  # so that few entries are many messages
        self.ledger: Ledger[str] = Ledger()
        self.has: dict[int, str] = {}
        self.was: dict[int, dict[int, str]] = {0: {}}
        self.copies = {env: Copy() for env in ENVS}
        self.away: set[int] = set()
        self.new: set[int] = set()  # copies without a first full listing
        self.acknowledged = 0
        self.missing: set[int] = set()  # copies with a gap that the next change shows
        self.ledger.meet(ENVS)

    def teardown(self) -> None:
        self.change(6, "the last one")
        for _ in range(200):
            for env in ENVS:
                self.send(env)
                self.arrive(env)
        for env in ENVS:
            if env not in self.away:
                assert self.copies[env].has == self.has
        assert self.ledger.has_all() == self.ledger.number
        assert self.away or not self.ledger._log
        ledger.BATCH = self.batch  # type: ignore[misc]

    @rule(number=st.integers(1, 6), value=st.sampled_from(("x", "y", None)))
    def change(self, number: int, value: str | None) -> None:  # also called at the end
        if value is None:
            self.has.pop(number, None)
        else:
            self.has[number] = value
        self.was[self.ledger.add(number, value)] = dict(self.has)

    @rule(env=st.sampled_from(ENVS))
    def send(self, env: int) -> None:
        push = self.ledger.next_push(env, self.has)
        if push is not None:
            self.copies[env].coming.append(push)

    @rule(env=st.sampled_from(ENVS))
    def arrive(self, env: int) -> None:
        copy = self.copies[env]
        if copy.coming:
            push = copy.coming.pop(0)
            is_taken = copy.take(push)
            if is_taken and push.since < 0 and push.ends and env in self.new:
                self.new.discard(env)  # workers may begin there: all that was acknowledged is there
                assert copy.follower.number >= self.acknowledged
            self.ledger.answered(env, push, is_taken=is_taken)

    @rule(env=st.sampled_from(ENVS))
    def die(self, env: int) -> None:
        self.away.add(env)
        self.copies[env] = Copy()
        self.missing.discard(env)
        self.new.discard(env)
        self.ledger.lost(env)

    @rule(env=st.sampled_from(ENVS))
    def come(self, env: int) -> None:
        if env in self.away:
            self.away.discard(env)
            self.new.add(env)
            self.ledger.came(env)

    @rule(env=st.sampled_from(ENVS))
    def fail_to_take(self, env: int) -> None:
        """A message has reached a copy that could not take it, and said so."""
        copy = self.copies[env]
        if copy.coming:
            self.ledger.answered(env, copy.coming.pop(0), is_taken=False)

    @rule(env=st.sampled_from(ENVS))
    def miss(self, env: int) -> None:
        """A copy has changes that it was not sent: it must notice the gap, and be sent everything."""
        copy = self.copies[env]
        if copy.follower.number > 0 and copy.follower.coming is None:
            copy.follower.number -= 1
            copy.has = dict(self.was[copy.follower.number])
            self.missing.add(env)

    @invariant()
    def what_all_have_they_have(self) -> None:
        upto = self.ledger.has_all()
        self.acknowledged = max(self.acknowledged, upto)
        for env in ENVS:
            if env not in self.away | self.missing | self.new:
                assert self.copies[env].follower.number >= upto

    @invariant()
    def a_copy_that_is_in_step_is_what_the_dir_was_then(self) -> None:
        for env in ENVS:
            copy = self.copies[env]
            if copy.follower.number == self.ledger.number and copy.follower.coming is None:
                assert copy.has == self.has


TestCopies = Copies.TestCase
TestCopies.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None, derandomize=True, database=None
)


def test_one_message_at_a_time_takes_all_changes_since_the_last_one() -> None:
    changes: Ledger[str] = Ledger()
    changes.meet([1])
    changes.add(1, "a")
    first = changes.next_push(1, {})
    assert first == Push(0, 1, [(1, "a")])
    changes.add(2, "b")
    changes.add(1, None)
    assert changes.next_push(1, {}) is None
    changes.answered(1, first, is_taken=True)
    assert changes.next_push(1, {}) == Push(1, 3, [(2, "b"), (1, None)])


def test_the_log_is_empty_when_all_copies_have_everything() -> None:
    changes: Ledger[int] = Ledger()
    changes.meet([1, 2])
    for number in range(5):
        changes.add(number, number)
        for env in (1, 2):
            push = changes.next_push(env, {})
            assert push is not None
            changes.answered(env, push, is_taken=True)
    assert not changes._log
    changes.meet([3])  # which was not there: it needs everything
    push = changes.next_push(3, {1: 1})
    assert push == Push(-1, 5, [(1, 1)], begins=True, ends=True)


def test_a_copy_that_is_away_holds_nothing_up() -> None:
    changes: Ledger[str] = Ledger()
    changes.meet([1, 2])
    changes.lost(2)
    changes.add(1, "a")
    push = changes.next_push(1, {})
    assert push is not None
    changes.answered(1, push, is_taken=True)
    assert changes.has_all() == 1
    assert changes.next_push(2, {}) is None
    changes.came(2)
    assert changes.has_all() == 1


def test_what_changes_waits_for_a_new_copy_from_the_end_of_its_listing_on() -> None:
    changes: Ledger[str] = Ledger()
    changes.meet([1])
    changes.came(2)
    changes.add(1, "a")
    for env in (1, 2):
        push = changes.next_push(env, {1: "a"})
        assert push is not None
        if env == 2:
            assert push == Push(-1, 1, [(1, "a")], begins=True, ends=True)
            assert changes.has_all() == 0  # it counts
        changes.answered(env, push, is_taken=True)
    assert changes.has_all() == 1


def test_the_end_of_a_listing_has_what_has_changed_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "BATCH", 2)
    changes: Ledger[str] = Ledger()
    changes.came(1)
    there = {1: "a", 2: "b", 3: "c"}
    first = changes.next_push(1, there)
    assert first == Push(-1, 0, [(1, "a"), (2, "b")], begins=True, ends=False)
    changes.add(2, None)
    changes.answered(1, first, is_taken=True)
    last = changes.next_push(1, {})
    assert last == Push(-1, 1, [(3, "c"), (2, None)], begins=False, ends=True)
    follower: Follower[str] = Follower()
    assert follower.take(first) == []
    assert follower.take(last) == [(1, "a"), (2, "b"), (3, "c"), (2, None)]
    assert follower.number == 1


def test_a_follower_refuses_the_middle_of_a_listing_that_it_does_not_know() -> None:
    follower: Follower[str] = Follower()
    assert follower.take(Push(-1, 5, [(1, "a")], begins=False, ends=True)) is None
    assert follower.take(Push(-1, 5, [(1, "a")], begins=True, ends=False)) == []
    assert follower.take(Push(-1, 5, [(2, "b")], begins=False, ends=True)) == [(1, "a"), (2, "b")]
    assert follower.number == 5


def test_changes_that_come_twice_are_taken_once() -> None:
    follower: Follower[str] = Follower()
    assert follower.take(Push(0, 2, [(1, "a"), (2, "b")])) == [(1, "a"), (2, "b")]
    assert follower.take(Push(0, 3, [(1, "a"), (2, "b"), (3, "c")])) == [(3, "c")]


def test_a_listing_that_is_on_its_way_is_not_begun_again() -> None:
    changes: Ledger[str] = Ledger()
    changes.meet([1])
    assert changes.is_complete(1)
    assert not changes.is_complete(2)
    changes.lost(1)
    assert not changes.is_complete(1)
    changes.came(1)
    assert not changes.is_complete(1)
    push = changes.next_push(1, {1: "a"})
    assert push is not None
    assert not changes.is_complete(1)
    changes.answered(1, push, is_taken=True)
    assert changes.is_complete(1)
