"""Which requests of one worker may be under way beside each other: a table.

Pure. A request has a *manner*. It follows from its kind, and from how its method is declared.
"""

import sys
from collections.abc import Iterable, Mapping
from typing import Final, Literal

from corps.messages.interfaces import Interface
from corps.messages.requests import AHEAD, BACK, CALL, DROP, GET, PINNED, PULL, REACHING, Kind

Manner = Literal[
    "alone",  # a plain method, and all that the runtime asks for
    "turn",  # a coroutine without a mark
    "interleaving",  # a coroutine that lets others begin while it awaits
    "reading",  # a method that changes nothing
    "free",  # a function of Funcs
]

BESIDE: Final[Mapping[Manner, frozenset[Manner]]] = {
    "alone": frozenset(),
    "turn": frozenset({"interleaving"}),
    "interleaving": frozenset({"turn", "interleaving"}),
    "reading": frozenset({"reading"}),
    "free": frozenset({"free"}),
}
"""For each manner those with which it may be under way at the same time. It is symmetrical."""

ON_ITS_OWN: Final[frozenset[Manner]] = frozenset({"reading", "free"})
"""What a thread runs outside of the worker's turn, with a context of its own."""

ANY_NUMBER: Final = sys.maxsize
"""An `interleave` without a limit of its own."""

_OF_FUNCTIONS: Final[frozenset[Kind]] = frozenset({CALL, PINNED, GET, PULL, AHEAD, DROP})


def manner_of(interface: Interface, kind: Kind, method: str) -> Manner:
    """Return the manner of a request for a worker with this interface."""
    if kind is BACK:  # the manner is that of the coroutine that comes back
        kind = CALL
    if interface.is_free:
        return "free" if kind in _OF_FUNCTIONS else "alone"
    if kind is CALL or kind is PINNED:
        if method in interface.read_only:
            return "reading"
        if method in interface.interleaving:
            return "interleaving"
    if kind is GET and not interface.has_steps and method not in interface.computed:
        return "reading"  # that runs no author's code
    if method in interface.async_methods and (kind in REACHING or kind in (PINNED, PULL, AHEAD, DROP)):
        return "turn" if interface.interleave == 1 else "interleaving"
    return "alone"


def goes_beside(manner: Manner, under_way: Iterable[Manner]) -> bool:
    """Return whether a request may begin while others are under way."""
    return BESIDE[manner].issuperset(under_way)
