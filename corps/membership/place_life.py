"""The life of one process of an Env, as the membership sees it: one table of states and events. Pure."""

from collections.abc import Mapping
from enum import Enum, auto
from types import MappingProxyType
from typing import Final


class State(Enum):
    """Where a process stands."""

    STARTING = auto()  # it loads the application, and knows no other Env
    INTRODUCED = auto()  # it has the list of all others, and hears what happens to them
    JOINED = auto()  # it knows all others, and they can reach it
    DOOMED = auto()  # the membership kills it, because another Env cannot reach it
    LEAVING = auto()  # its Env is being removed
    ENDING_EARLY = auto()  # it got the order to end before it had joined
    ENDING = auto()  # it got the order to end
    RETURNING = auto()  # it has ended, and its Env gets another process
    GONE = auto()  # it has ended, and its Env gets no other process


class Move(Enum):
    """What happens to a process."""

    INTRODUCE = auto()  # the membership sends it the list of all others
    JOIN = auto()  # it answers that it knows them
    DOOM = auto()  # another Env cannot reach it
    REMOVE = auto()  # an author removes its Env
    STOP = auto()  # the membership sends it the order to end
    DIE_TO_RETURN = auto()  # it has ended, and the Supervisor plans another process
    DIE = auto()  # it has ended, and the Supervisor plans none
    GIVE_UP = auto()  # the process that should follow it could not be started


_TABLE: Final[Mapping[State, Mapping[Move, State]]] = MappingProxyType(
    {
        State.STARTING: {
            Move.INTRODUCE: State.INTRODUCED,
            Move.STOP: State.ENDING_EARLY,
            Move.DIE_TO_RETURN: State.RETURNING,
            Move.DIE: State.GONE,
        },
        State.INTRODUCED: {
            Move.JOIN: State.JOINED,
            Move.STOP: State.ENDING_EARLY,
            Move.DIE_TO_RETURN: State.RETURNING,
            Move.DIE: State.GONE,
        },
        State.JOINED: {
            Move.DOOM: State.DOOMED,
            Move.REMOVE: State.LEAVING,
            Move.STOP: State.ENDING,
            Move.DIE_TO_RETURN: State.RETURNING,
            Move.DIE: State.GONE,
        },
        State.DOOMED: {
            Move.REMOVE: State.LEAVING,
            Move.STOP: State.ENDING,
            Move.DIE_TO_RETURN: State.RETURNING,
            Move.DIE: State.GONE,
        },
        State.LEAVING: {Move.STOP: State.ENDING, Move.DIE: State.GONE},
        # The thread that starts a process goes on while the Corps ends, and reads what it had said before.
        State.ENDING_EARLY: {
            Move.INTRODUCE: State.ENDING_EARLY,
            Move.JOIN: State.ENDING,
            Move.STOP: State.ENDING_EARLY,
            Move.DIE: State.GONE,
        },
        State.ENDING: {Move.STOP: State.ENDING, Move.DIE: State.GONE},
        # The same after its death: its answer may still be in the channel.
        State.RETURNING: {
            Move.INTRODUCE: State.RETURNING,
            Move.JOIN: State.RETURNING,
            Move.STOP: State.RETURNING,
            Move.GIVE_UP: State.GONE,
        },
        State.GONE: {
            Move.INTRODUCE: State.GONE,
            Move.JOIN: State.GONE,
            Move.STOP: State.GONE,
        },
    }
)

_STARTS: Final = frozenset({State.STARTING, State.INTRODUCED, State.ENDING_EARLY})
_KNOWS_ALL: Final = frozenset({State.JOINED, State.DOOMED, State.LEAVING, State.ENDING})
_HEARS: Final = frozenset({State.INTRODUCED, State.JOINED, State.DOOMED, State.LEAVING})


class IllegalMoveError(Exception):
    """An event that cannot happen in a state: a defect of the membership."""


class PlaceLife:
    """Where one process stands. Caller holds the lock of the Membership."""

    __slots__ = ("state",)

    def __init__(self) -> None:
        self.state = State.STARTING

    def on(self, event: Move) -> None:
        """Move on. An event that cannot happen now is an IllegalMoveError, and the state stays."""
        after = _TABLE[self.state].get(event)
        if after is None:
            raise IllegalMoveError(f"{event.name} cannot happen to a process that is {self.state.name}")
        self.state = after

    @property
    def is_gone(self) -> bool:
        """Whether it has ended."""
        return self.state in {State.RETURNING, State.GONE}

    @property
    def is_awaited(self) -> bool:
        """Whether others wait for it, or for the process that follows it."""
        return self.state in _STARTS or self.state is State.RETURNING

    @property
    def knows_all(self) -> bool:
        """Whether it has joined, and has not ended."""
        return self.state in _KNOWS_ALL

    @property
    def hears(self) -> bool:
        """Whether it gets the orders that go to all."""
        return self.state in _HEARS

    @property
    def can_be_removed(self) -> bool:
        """Whether it has joined, and neither its end nor its removal has begun."""
        return self.state in {State.JOINED, State.DOOMED}

    @property
    def is_well(self) -> bool:
        """Whether it has joined, and nothing is known against it."""
        return self.state is State.JOINED

    @property
    def was_stopped(self) -> bool:
        """Whether it got the order to end, and its death is not known yet."""
        return self.state in {State.ENDING, State.ENDING_EARLY}
