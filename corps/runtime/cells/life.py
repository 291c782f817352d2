"""The life of one worker as three tables: who runs its cell, what its mailbox takes, how far its end is.

The tables are pure: states, events, and what each move does, as data. The cell keeps a `Turn`, its mailbox a
`Door`, and its ending a `Stage`. Each is changed under the lock of the object that keeps it.

A state is an object with one attribute for each event, so a move costs the look-up of one attribute. A move
that the table does not have is illegal: it raises InternalError, and nothing changes.
"""

from collections.abc import Mapping
from typing import Any, Final, Literal, TypeVar, get_args

from corps.core import native
from corps.errors import InternalError

T = TypeVar("T")

TurnName = Literal["idle", "ready", "running", "own", "held", "halted"]

TurnEvent = Literal[
    "offered",  # a request waits that may begin
    "blocked",  # a request waits that may not begin before a coroutine has ended
    "called",  # the pool has taken the cell out of its queue, for a thread to run it
    "helped",  # a caller that waits for an answer would run it
    "entered",  # the thread that creates the worker is about to construct it
    "released",  # the thread that ran it gives it up
    "resumed",  # a thread that has run a request of it outside of its turn would go on
    "owned",  # the worker gets a thread of its own
    "halted",  # its incarnation has ended, and the next one has not begun
    "woken",  # the next incarnation begins, or the end
]

TURNS: Final[Mapping[TurnName, Mapping[TurnEvent, TurnName]]] = {
    "idle": {
        "offered": "ready",
        "blocked": "held",
        "called": "idle",
        "helped": "idle",
        "entered": "running",
        "released": "idle",
        "resumed": "running",
        "halted": "halted",  # a cell that is made for a further incarnation
    },
    "ready": {
        "offered": "ready",
        "blocked": "ready",
        "called": "running",
        "helped": "running",
        "entered": "running",  # its end was asked for before its creator came to construct it
        "released": "ready",
        "resumed": "running",
    },
    "running": {
        "offered": "running",
        "blocked": "running",
        "called": "running",
        "helped": "running",
        "entered": "running",
        "released": "idle",
        "resumed": "running",
        "owned": "own",
        "halted": "halted",
    },
    "own": {
        "offered": "own",
        "blocked": "own",
        "called": "own",
        "helped": "own",
        "released": "own",
        "resumed": "own",
        "halted": "halted",
    },
    "held": {
        "offered": "ready",
        "blocked": "held",
        "called": "held",
        "helped": "held",
        "released": "held",
        "resumed": "running",
    },
    "halted": {
        "offered": "halted",
        "blocked": "halted",
        "called": "halted",
        "helped": "halted",
        "released": "halted",
        "resumed": "halted",
        "woken": "idle",
    },
}
"""Whose turn it is to run the cell. A cell that is ready is always in the pool's queue."""


@native
class Turn:
    """One state of `TURNS`, and whether the pool's queue has the cell, perhaps from an earlier turn."""

    __slots__ = ("is_busy", "is_halted", "is_held", "is_queued", "name", *get_args(TurnEvent))

    offered: "Move"
    blocked: "Move"
    called: "Move"
    helped: "Move"
    entered: "Move"
    released: "Move"
    resumed: "Move"
    owned: "Move"
    halted: "Move"
    woken: "Move"

    def __init__(self, name: TurnName, is_queued: bool) -> None:
        self.name = name
        self.is_queued = is_queued
        self.is_busy = name in ("running", "own")
        self.is_halted = name == "halted"
        self.is_held = name == "held"

    def __repr__(self) -> str:
        return f"{self.name}, {'' if self.is_queued else 'not '}in the queue"


@native
class Move:
    """What one event does to a cell."""

    __slots__ = ("claims", "notifies", "submits", "to")

    def __init__(self, before: Turn, to: Turn, event: TurnEvent) -> None:
        self.to = to  # the state after it
        # The cell has to be put into the pool's queue; the thread that made the move has the cell now; the
        # worker's own thread has to hear of the request.
        self.submits = to.name == "ready" and not before.is_queued
        self.claims = to.name == "running" and before.name != "running"
        self.notifies = to.name == "own" and event in ("offered", "blocked")


class _IllegalMove(Move):
    __slots__ = ("_text",)

    def __init__(self, before: Turn, event: TurnEvent) -> None:
        self._text = f"a cell that is {before} cannot be {event}"

    def __getattr__(self, name: str) -> Any:
        raise InternalError(self._text)


def _move(turns: Mapping[tuple[TurnName, bool], Turn], before: Turn, event: TurnEvent) -> Move:
    name = TURNS[before.name].get(event)
    if name is None or (event == "called" and not before.is_queued):
        return _IllegalMove(before, event)
    is_queued = name == "ready" or (before.is_queued and event != "called")
    return Move(before, turns[name, is_queued], event)


def _turns() -> dict[tuple[TurnName, bool], Turn]:
    """Make the states of a cell: each is there with and without a place in the pool's queue."""
    turns = {(name, is_queued): Turn(name, is_queued) for name in TURNS for is_queued in (False, True)}
    del turns["ready", False]
    for turn in turns.values():
        for event in get_args(TurnEvent):
            setattr(turn, event, _move(turns, turn, event))
    return turns


ALL_TURNS: Final[Mapping[tuple[TurnName, bool], Turn]] = _turns()
NEW: Final = ALL_TURNS["idle", False]  # the state of a new cell
READY: Final = ALL_TURNS["ready", True]


class Door:
    """What a mailbox takes."""

    __slots__ = ("closed", "drained", "name", "stilled", "takes", "takes_first", "takes_late")

    closed: "Door | None"  # the state after `Mailbox.close`; None where it changes nothing
    drained: "Door | None"  # the same for `Mailbox.close_behind`
    stilled: "Door | None"  # the same for `Mailbox.still`

    def __init__(self, name: str, *, takes: bool = False, late: bool = False, first: bool = False) -> None:
        self.name = name
        self.takes = takes  # every request
        self.takes_late = late  # the last words of workers that end
        self.takes_first = first  # a CREATE, which runs before all that waits

    def __repr__(self) -> str:
        return self.name


OPEN: Final = Door("open", takes=True, first=True)
STILL: Final = Door("still", late=True)
"""Nothing more begins until the worker is asked to end, but for last words."""
DRAINING: Final = Door("draining", first=True)  # what waits is run, and then the worker ends
CLOSED: Final = Door("closed")

DOORS: Final[Mapping[Door, Mapping[str, Door | None]]] = {
    OPEN: {"closed": CLOSED, "drained": DRAINING, "stilled": STILL},
    STILL: {"closed": CLOSED, "drained": DRAINING, "stilled": None},
    DRAINING: {"closed": CLOSED, "drained": None, "stilled": None},
    CLOSED: {"closed": None, "drained": None, "stilled": None},
}


class Stage:
    """How far the end of a worker is."""

    __slots__ = ("asked", "finished", "is_finishing", "is_over", "is_wanted", "left", "name", "stilled")

    stilled: "Stage"  # the state after a STILL
    asked: "Stage | None"  # after an EXIT; None where the EXIT is answered at once
    finished: "Stage | None"  # once the last steps begin; None where they have begun before
    left: "Stage"  # once the worker has left, in order or not

    def __init__(
        self, name: str, *, wanted: bool = False, finishing: bool = False, over: bool = False
    ) -> None:
        self.name = name
        self.is_wanted = wanted  # it was asked for, or will be
        self.is_finishing = finishing  # the last steps of the worker run, or have run
        self.is_over = over  # the worker has left

    def __repr__(self) -> str:
        return self.name


LIVING: Final = Stage("living")
STILLED: Final = Stage("stilled", wanted=True)
ASKED: Final = Stage("asked", wanted=True)
FINISHING: Final = Stage("finishing", finishing=True)
"""It ends of itself: it has failed, or its `main` has returned."""
OBEYING: Final = Stage("obeying", wanted=True, finishing=True)  # it ends because it was asked to
ABANDONED: Final = Stage("abandoned", over=True)
"""It has left without its last steps. They run if its thread ever comes back."""
OVER: Final = Stage("over", finishing=True, over=True)

STAGES: Final[Mapping[Stage, Mapping[str, Stage | None]]] = {
    LIVING: {"stilled": STILLED, "asked": ASKED, "finished": FINISHING, "left": ABANDONED},
    STILLED: {"stilled": STILLED, "asked": ASKED, "finished": OBEYING, "left": ABANDONED},
    ASKED: {"stilled": ASKED, "asked": ASKED, "finished": OBEYING, "left": ABANDONED},
    FINISHING: {"stilled": OBEYING, "asked": OBEYING, "finished": None, "left": OVER},
    OBEYING: {"stilled": OBEYING, "asked": OBEYING, "finished": None, "left": OVER},
    ABANDONED: {"stilled": ABANDONED, "asked": None, "finished": OVER, "left": ABANDONED},
    OVER: {"stilled": OVER, "asked": None, "finished": None, "left": OVER},
}


def _connect(table: Mapping[T, Mapping[str, T | None]]) -> None:
    """Give each state its moves."""
    for state, moves in table.items():
        for event, to in moves.items():
            setattr(state, event, to)


_connect(DOORS)
_connect(STAGES)
