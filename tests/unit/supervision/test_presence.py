"""Claims about where a worker is: who waits for it, and who need not, against a model that keeps facts."""

from collections.abc import Callable

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from corps.supervision.presence import IllegalMove, Presences, State

FIRST = 100
NUMBERS = [0, 1, 2, FIRST, FIRST + 1]
ENVS = [2, 3, 4]


def arrived(number: int) -> Presences:
    presences = Presences(FIRST)
    presences.came(number)
    return presences


@pytest.mark.parametrize(
    "move",
    [
        lambda presences: presences.came(1),
        lambda presences: presences.forgotten(1),
        lambda presences: presences.leaves(2),
        lambda presences: presences.ended(2, None),
        lambda presences: presences.ended(2, 3),
    ],
)
def test_an_illegal_move_raises_and_changes_nothing(move: Callable[[Presences], object]) -> None:
    presences = arrived(1)
    with pytest.raises(IllegalMove, match=r"worker number [12] is (HERE|UNKNOWN)"):
        move(presences)
    assert presences.state(1) is State.HERE
    assert presences.state(2) is State.UNKNOWN


def test_a_worker_that_has_ended_for_good_is_not_waited_for_though_envs_are_undecided() -> None:
    presences = arrived(1)
    presences.await_word_of([2])
    presences.ended(1, None)
    assert not presences.may_come(1)
    presences.claimed(2, [1])
    assert not presences.may_come(1)


def test_the_env_manager_of_a_former_process_is_not_waited_for() -> None:
    presences = Presences(FIRST)
    presences.await_word_of([2])
    assert not presences.may_come(0)
    assert presences.may_come(1)
    assert not presences.may_come(FIRST)


class AgainstFacts(RuleBasedStateMachine):
    """The model keeps each fact for itself, and asks all of them."""

    def __init__(self) -> None:
        super().__init__()
        self.presences = Presences(FIRST)
        self.undecided: set[int] = set()
        self.here: set[int] = set()
        self.leaving: set[int] = set()
        self.mgr_envs: dict[int, int] = {}
        self.on_record: set[int] = set()
        self.hopeless: set[int] = set()

    def _decided(self, env: int) -> None:
        self.undecided.discard(env)
        self._clear()

    def _clear(self) -> None:
        if not self.undecided:
            self.hopeless.clear()

    @rule(envs=st.sets(st.sampled_from(ENVS)))
    def await_word_of(self, envs: set[int]) -> None:
        self.presences.await_word_of(envs)
        self.undecided |= envs

    @rule(number=st.sampled_from(NUMBERS))
    def come(self, number: int) -> None:
        if number not in self.here:
            self.presences.came(number)
            self.here.add(number)
            self.mgr_envs.pop(number, None)
            self.on_record.discard(number)
            self.hopeless.discard(number)

    @precondition(lambda self: self.here - self.leaving)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.here - self.leaving)))
        self.presences.leaves(number)
        self.leaving.add(number)

    @precondition(lambda self: self.here)
    @rule(data=st.data(), env=st.sampled_from([None, *ENVS]))
    def end(self, data: st.DataObject, env: int | None) -> None:
        number = data.draw(st.sampled_from(sorted(self.here)))
        self.presences.ended(number, env)
        self.here.discard(number)
        self.leaving.discard(number)
        self.on_record.add(number)
        if env is not None:
            self.mgr_envs[number] = env

    @rule(env=st.sampled_from(ENVS), numbers=st.sets(st.sampled_from(NUMBERS)))
    def claim(self, env: int, numbers: set[int]) -> None:
        self.presences.claimed(env, numbers)
        for number in numbers - self.here - self.on_record - self.hopeless:
            self.mgr_envs[number] = env
        self._decided(env)

    @rule(numbers=st.sets(st.sampled_from(NUMBERS)))
    def give_up(self, numbers: set[int]) -> None:
        self.presences.given_up(numbers)
        self._give_up(numbers)
        self._clear()

    def _give_up(self, numbers: set[int]) -> None:
        for number in numbers - self.here:
            self.mgr_envs.pop(number, None)
            if number not in self.on_record:
                self.hopeless.add(number)

    @rule(env=st.sampled_from(ENVS))
    def lose(self, env: int) -> None:
        self.presences.mgr_env_lost(env)
        self._give_up({number for number, mgr_env in self.mgr_envs.items() if mgr_env == env})
        self._decided(env)

    @precondition(lambda self: self.on_record)
    @rule(data=st.data())
    def forget(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.on_record)))
        self.presences.forgotten(number)
        self.on_record.discard(number)

    @invariant()
    def the_states_say_what_the_facts_say(self) -> None:
        for number in NUMBERS:
            is_former = 0 < number < FIRST
            if number in self.here:
                may_come = number in self.leaving
            elif number in self.mgr_envs:
                may_come = True
            else:
                is_lost = number in self.on_record or number in self.hopeless
                may_come = is_former and bool(self.undecided) and not is_lost
            assert self.presences.may_come(number) == may_come, self.presences.state(number).name

    @invariant()
    def nothing_is_kept_without_a_reason(self) -> None:
        known = self.here | set(self.mgr_envs) | self.on_record | self.hopeless
        assert {n for n in NUMBERS if self.presences.state(n) is not State.UNKNOWN} == known


AgainstFacts.TestCase.settings = settings(
    max_examples=200, stateful_step_count=50, deadline=None, derandomize=True, database=None
)
TestAgainstFacts = AgainstFacts.TestCase
