"""Small plain data and everything else: the first can skip every rule that cannot concern it.

``is_plain`` answers True only if a value consists of exact builtin types, through and through. Such a value
holds no function, no class and no buffer, so no rule of packing applies to it. ``pickle.dumps`` alone gives
the same bytes as the careful pickler would.
"""

from typing import Any, Final

ATOMS: Final = frozenset({int, str, bytes, float, bool, type(None)})
"""Exact types that hold nothing else, and that no pickler asks anybody about."""

_LARGEST = 16
_DEEPEST = 3


def is_plain(value: Any, depth: int = _DEEPEST) -> bool:
    """Return whether a value is certainly plain data, and small enough for the question to pay off.

    The walk and ``dumps`` take less time than a pickler object with its file and its callbacks: 0.7 µs
    against 1.8 µs for ``(1,)``, 2.1 µs against 2.4 µs for a dict of 16 keys. With 32 keys the gain is gone,
    hence the limits.
    """
    kind = type(value)
    if kind is dict:
        if not value:  # such as the keyword arguments of most calls
            return True
        for key in value:
            if type(key) is not str:
                return False
        value = value.values()
    elif kind is not tuple and kind is not list:
        return kind in ATOMS
    if len(value) > _LARGEST:
        return False
    for item in value:
        if type(item) not in ATOMS and (not depth or not is_plain(item, depth - 1)):
            return False
    return True
