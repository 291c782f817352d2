"""Where a worker of an Env is, as far as its number can say: here, about to leave, to come back, or gone.

A request for a worker that is not here waits only if the worker may come. So each number has one state, and
one table says what each event makes of it. Pure: no thread, no lock, no request. `corps.runtime.registry`
uses it.
"""

from collections.abc import Iterable, Mapping
from enum import IntEnum
from typing import Final

from corps.addresses import ENV_MGR


class State(IntEnum):
    """What is known of one number."""

    UNKNOWN = 0  # one of a former process may come, as long as an Env has not said whom it will start again
    HERE = 1  # its cell takes requests
    LEAVING = 2  # its cell takes nothing more, and its worker may come back as another cell
    EXPECTED = 3  # the Env of its Mgr has said that it will start it again. It is not on record how it ended
    RETURNING = 4  # it has ended here, and its Mgr may start it again
    HOPELESS = 5  # it will not come. That is remembered until all Envs have said whom they will start again
    GONE = 6  # it has ended here for good. That is remembered as long as its end is on record


# Constants, because Python 3.11 takes 40 ns to find a member in its class.
_UNKNOWN: Final = State.UNKNOWN
_HERE: Final = State.HERE
_EXPECTED: Final = State.EXPECTED
_RETURNING: Final = State.RETURNING

# What each event makes of each state. A state that is missing cannot meet the event.
_Moves = Mapping[State, State]
_KEPT: Final[_Moves] = {state: state for state in State}
_CAME: Final[_Moves] = {
    State.UNKNOWN: State.HERE,
    State.EXPECTED: State.HERE,
    State.RETURNING: State.HERE,
    State.HOPELESS: State.HERE,
    State.GONE: State.HERE,
}
_LEAVES: Final[_Moves] = {State.HERE: State.LEAVING}
_ENDED: Final[_Moves] = {State.HERE: State.GONE, State.LEAVING: State.GONE}
_ENDED_TO_RETURN: Final[_Moves] = {State.HERE: State.RETURNING, State.LEAVING: State.RETURNING}
_CLAIMED: Final[_Moves] = {**_KEPT, State.UNKNOWN: State.EXPECTED}
_GIVEN_UP: Final[_Moves] = {
    **_KEPT,
    State.UNKNOWN: State.HOPELESS,
    State.EXPECTED: State.HOPELESS,
    State.RETURNING: State.GONE,
}
_ALL_SAID: Final[_Moves] = {**_KEPT, State.HOPELESS: State.UNKNOWN}
_FORGOTTEN: Final[_Moves] = {State.GONE: State.UNKNOWN, State.RETURNING: State.EXPECTED}

_COMING: Final = frozenset({State.LEAVING, State.EXPECTED, State.RETURNING})


class IllegalMove(Exception):
    """An event has met a state in which it cannot happen: a defect of the runtime."""


class Presences:
    """The states of all numbers of one Env. One thread at a time."""

    def __init__(self, first: int) -> None:
        """Know nothing; numbers below `first` belong to former processes of the Env."""
        self._first = first
        self._states: dict[int, State] = {}  # without an entry: UNKNOWN
        self._mgr_envs: dict[int, int] = {}  # of EXPECTED and RETURNING: the Env of the Mgr
        self._undecided: set[int] = set()  # Envs that have not said yet whom they will start again here

    def state(self, number: int) -> State:
        """Return what is known of a number."""
        return self._states.get(number, State.UNKNOWN)

    def may_come(self, number: int) -> bool:
        """Return whether a request for a worker that takes none now has to wait for it."""
        state = self._states.get(number, _UNKNOWN)
        if state is _UNKNOWN:
            return bool(self._undecided) and ENV_MGR < number < self._first
        return state in _COMING

    def await_word_of(self, mgr_envs: Iterable[int]) -> None:
        """Note Envs that may start again here what lived in a former process. Each of them will say whom."""
        self._undecided.update(mgr_envs)

    def came(self, number: int) -> None:
        """Record that a cell was entered."""
        if number in self._states:
            self._move(number, _CAME)
        else:  # the move of a new worker: 0.2 µs less
            self._states[number] = _HERE

    def leaves(self, number: int) -> None:
        """Record that a cell is about to be abandoned, and that its worker may come back."""
        self._move(number, _LEAVES)

    def ended(self, number: int, mgr_env: int | None) -> None:
        """Record that a cell was removed; `mgr_env` is the Env of its Mgr if its worker may come back."""
        if mgr_env is None:
            self._move(number, _ENDED)
        else:
            self._move(number, _ENDED_TO_RETURN)
            self._mgr_envs[number] = mgr_env

    def claimed(self, mgr_env: int, numbers: Iterable[int]) -> None:
        """Record whom an Env will start again here. There are no others."""
        for number in numbers:
            self._move(number, _CLAIMED)
            if self.state(number) is State.EXPECTED:
                self._mgr_envs[number] = mgr_env
        self._has_said(mgr_env)

    def given_up(self, numbers: Iterable[int]) -> None:
        """Record who will not be started again."""
        for number in numbers:
            self._move(number, _GIVEN_UP)
            if not self._undecided:
                self._move(number, _ALL_SAID)

    def mgr_env_lost(self, mgr_env: int) -> None:
        """Record that an Env has died, and with it the Mgrs that were to start workers here."""
        self.given_up([number for number, env in self._mgr_envs.items() if env == mgr_env])
        self._has_said(mgr_env)

    def forgotten(self, number: int) -> None:
        """Record that it is not on record any more how a worker ended."""
        self._move(number, _FORGOTTEN)

    def _has_said(self, mgr_env: int) -> None:
        if mgr_env in self._undecided:
            self._undecided.discard(mgr_env)
            if not self._undecided:
                for number in list(self._states):
                    self._move(number, _ALL_SAID)

    def _move(self, number: int, moves: _Moves) -> None:
        state = self._states.get(number, _UNKNOWN)
        after = moves.get(state)
        if after is None:
            wanted = ", ".join(each.name for each in moves)
            raise IllegalMove(f"the worker number {number} is {state.name}, which has to be {wanted}")
        if after is _UNKNOWN:
            self._states.pop(number, None)
        else:
            self._states[number] = after
        if self._mgr_envs and after is not _EXPECTED and after is not _RETURNING:
            self._mgr_envs.pop(number, None)
