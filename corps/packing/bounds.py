"""How much a body of the codec "data" may hold, checked before any of it becomes an object.

A short body can ask for much: MessagePack allots each array at the length that it claims, 1 000 levels deep,
and a dict whose keys share one hash takes time by the square of its length. So a body of a stranger is looked
through once, byte by byte, and nothing is made of it meanwhile. It passes if all that it claims to hold is
there, within the bounds, and if the keys of its maps and the elements of its sets are plain scalars. Such
keys cannot be chosen so that many share a hash.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NoReturn

from corps.errors import UnpackError
from corps.packing.data import BIG_INT, FROZENSET, SET, TUPLE

# What the mark at the beginning of an array looks like, and which it is. No mark stands elsewhere.
_MARKS: Final[Mapping[bytes, int]] = {bytes((0xC7, 0, kind)): kind for kind in (TUPLE, SET, FROZENSET)}
_MARK_BYTES: Final = 3
_SETS: Final = frozenset({SET, FROZENSET})
_BIG_INT_BYTES: Final = 1024  # of an integer at most: making text of it takes the square of that

_SCALAR: Final = 0  # kinds of tokens
_ARRAY: Final = 1
_MAP: Final = 2
_EXTENSION: Final = 3

# By the first byte of a token from 0xc0 on: its kind, the bytes of its own content, and the bytes that tell
# how much follows. None: no token begins so.
_TOKENS: Final[tuple[tuple[int, int, int] | None, ...]] = (
    (_SCALAR, 0, 0),  # nil
    None,
    (_SCALAR, 0, 0),  # false
    (_SCALAR, 0, 0),  # true
    (_SCALAR, 0, 1),  # bin
    (_SCALAR, 0, 2),
    (_SCALAR, 0, 4),
    (_EXTENSION, 0, 1),
    (_EXTENSION, 0, 2),
    (_EXTENSION, 0, 4),
    (_SCALAR, 4, 0),  # float
    (_SCALAR, 8, 0),
    (_SCALAR, 1, 0),  # unsigned
    (_SCALAR, 2, 0),
    (_SCALAR, 4, 0),
    (_SCALAR, 8, 0),
    (_SCALAR, 1, 0),  # signed
    (_SCALAR, 2, 0),
    (_SCALAR, 4, 0),
    (_SCALAR, 8, 0),
    (_EXTENSION, 1, 0),  # of a fixed length
    (_EXTENSION, 2, 0),
    (_EXTENSION, 4, 0),
    (_EXTENSION, 8, 0),
    (_EXTENSION, 16, 0),
    (_SCALAR, 0, 1),  # str
    (_SCALAR, 0, 2),
    (_SCALAR, 0, 4),
    (_ARRAY, 0, 2),
    (_ARRAY, 0, 4),
    (_MAP, 0, 2),
    (_MAP, 0, 4),
)


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one body of a stranger may hold at most.

    Attributes:
        bytes: Of the body.
        values: In it, each container and each thing inside counted.
        depth: Of containers in containers.
    """

    bytes: int = 16 * 1024 * 1024
    values: int = 200_000
    depth: int = 64


BOUNDS: Final = Bounds()  # where nothing else is said


def check_bounds(body: bytes, bounds: Bounds) -> None:
    """Check that a body is whole, and holds no more than it may. Make nothing of it.

    Raises:
        UnpackError: It is not. The text says what is wrong, and at which byte.
    """
    if len(body) > bounds.bytes:
        raise UnpackError(
            f"the body has {len(body)} bytes, and {bounds.bytes} are allowed: send less at once, in parts"
        )
    _Look(body, bounds).through()


class _Look:
    """One look through a body. One thread."""

    __slots__ = ("_allowed", "_at", "_body", "_bounds", "_end")

    def __init__(self, body: bytes, bounds: Bounds) -> None:
        self._body = body
        self._bounds = bounds
        self._at = 0
        self._end = len(body)
        self._allowed = bounds.values

    def through(self) -> None:
        """Follow all tokens of the body."""
        # Of each open container: how many tokens are to come, and whether each, or each other one, is a key.
        left: list[int] = [1]
        key_every: list[int] = [0]  # 0: none is, 1: each is, 2: each other one
        while left:
            if not left[-1]:
                left.pop()
                key_every.pop()
                continue
            every = key_every[-1]
            is_key = every == 1 or (every == 2 and left[-1] % 2 == 0)
            left[-1] -= 1
            kind, count = self._token()
            if kind == _SCALAR:
                continue
            if is_key:
                self._refuse("a key of a map or an element of a set is no plain scalar")
            if kind == _EXTENSION:
                continue
            if len(left) > self._bounds.depth:
                self._refuse(f"its containers are more than {self._bounds.depth} deep")
            tokens = count if kind == _ARRAY else 2 * count
            if tokens > self._end - self._at:
                self._refuse(f"a container claims {count} items, and the body ends before")
            self._allowed -= tokens
            if self._allowed <= 0:
                self._refuse(f"it holds more than {self._bounds.values} values")
            mark = self._mark() if kind == _ARRAY and tokens else None
            left.append(tokens if mark is None else tokens - 1)
            key_every.append(2 if kind == _MAP else int(mark in _SETS))
        if self._at != self._end:
            self._refuse("more follows behind the value")

    def _token(self) -> tuple[int, int]:
        """Step over one token; return its kind, and of a container how many items it has."""
        if self._at >= self._end:
            self._refuse("the body ends in the middle")
        first = self._body[self._at]
        self._at += 1
        if first < 0x80 or first >= 0xE0:
            return _SCALAR, 0
        if first < 0x90:
            return _MAP, first & 0x0F
        if first < 0xA0:
            return _ARRAY, first & 0x0F
        if first < 0xC0:
            self._step(first & 0x1F)
            return _SCALAR, 0
        token = _TOKENS[first - 0xC0]
        if token is None:
            self._refuse(f"no token begins with the byte {first:#x}")
        kind, own, length = token
        count = own
        if length:
            at = self._at
            self._step(length)
            count = int.from_bytes(self._body[at : self._at], "big")
        if kind == _EXTENSION:
            self._extension(count)
        elif kind == _SCALAR:
            self._step(count)
        return kind, count

    def _extension(self, length: int) -> None:
        at = self._at
        self._step(1)
        number = self._body[at]
        if number != BIG_INT or length > _BIG_INT_BYTES:
            self._refuse(f"an extension of the type {number} with {length} bytes is no data here")
        self._step(length)

    def _mark(self) -> int | None:
        """Step over the mark at the beginning of an array, and return which it is; None if there is none."""
        mark = _MARKS.get(self._body[self._at : self._at + _MARK_BYTES])
        if mark is not None:
            self._at += _MARK_BYTES
        return mark

    def _step(self, count: int) -> None:
        if count > self._end - self._at:
            self._refuse("the body ends in the middle")
        self._at += count

    def _refuse(self, what: str) -> NoReturn:
        raise UnpackError(f"the bytes are not data that may come from others: {what} (byte {self._at})")
