"""Calling something at each depth near the end of the stack."""

import sys
from collections.abc import Callable, Iterator


def at_each_depth(act: Callable[[], object], levels: int = 80) -> Iterator[bool]:
    """Call it with ever less room in the stack; yield after each call whether it ended as usual."""
    for left in range(levels, 2, -1):
        try:
            _deeper(sys.getrecursionlimit() - _depth() - left, act)
        except RecursionError:
            yield False
        else:
            yield True


def _deeper(levels: int, act: Callable[[], object]) -> object:
    return _deeper(levels - 1, act) if levels > 0 else act()


def _depth() -> int:
    frame, depth = sys._getframe(), 0
    while frame.f_back is not None:
        frame, depth = frame.f_back, depth + 1
    return depth
