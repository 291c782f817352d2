"""The codec "data": MessagePack, for what must run no code on either side.

Carries None, bool, int of any size, float, str, bytes, list, tuple, dict, set and frozenset, each exactly: no
subclasses, because their class would be lost. ``bytearray`` and ``memoryview`` are taken and arrive as bytes.

MessagePack has neither tuples nor sets. They are arrays whose first element is an extension of type
``TUPLE``, ``SET`` or ``FROZENSET`` without content. The other way, an extension that holds packed items,
calls the unpacker from inside the unpacker, and each level takes 40 KiB of C stack: a short message crashes
the process.

MessagePack packs extensions and times of its own too, and asks nobody. They are no data here: a time would
arrive as an object of the library, and an extension as a tuple or as nothing that can be read. Both are
looked for only where a byte of the body can be the beginning of one.

Leans on msgpack, and on the unpacked sizes being bounded by the size of the body.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final, NoReturn

import msgpack

from corps.errors import UnpackError
from corps.handlers import came_from_a_handler
from corps.packing.refusals import Reason, Refusal

BIG_INT: Final = 1
"""Extension type of integers beyond 64 bits: two's complement, big-endian, as short as possible."""
TUPLE: Final = 2
SET: Final = 3
FROZENSET: Final = 4

_MARKS: Final[dict[type, msgpack.ExtType]] = {
    tuple: msgpack.ExtType(TUPLE, b""),
    set: msgpack.ExtType(SET, b""),
    frozenset: msgpack.ExtType(FROZENSET, b""),
}
_OWN_KINDS: Final = frozenset({msgpack.ExtType, msgpack.Timestamp})
_HOLDERS: Final = frozenset({list, tuple, set, frozenset, dict})
_MAY_HOLD_EXTENSIONS: Final = re.compile(rb"[\xc7-\xc9\xd4-\xd8]")
_MAY_HOLD_TIMES: Final = re.compile(rb"[\xd6\xd7]\xff|\xc7\x0c\xff")

_NOT_DATA: Final = Reason(
    "the codec 'data' carries only None, bool, int, float, str, bytes, list, tuple, dict, set and frozenset,"
    " and no subclasses of them",
    "pass its fields as a dict or a tuple",
)


def encode_data(value: object) -> bytes:
    """Turn plain data into bytes.

    Raise Refusal at what is not data, UnicodeEncodeError at half a surrogate pair, which UTF-8 cannot
    express. Raise RecursionError at more than the 511 levels that msgpack allows; tuples and sets count
    twice.
    """
    try:
        body: bytes = msgpack.packb(value, default=_encode_other, strict_types=True, use_bin_type=True)
    except ValueError as error:
        # msgpack has no type of its own for this.
        if "recursion limit" in str(error):
            raise RecursionError(str(error)) from error
        raise
    if _MAY_HOLD_EXTENSIONS.search(body) is not None:
        for thing in _own_kinds_in(value):
            raise Refusal(thing, _NOT_DATA)
    return body


def _encode_other(thing: Any) -> Any:
    mark = _MARKS.get(type(thing))
    if mark is not None:
        return [mark, *thing]
    if type(thing) is int:
        length = thing.bit_length() // 8 + 1
        return msgpack.ExtType(BIG_INT, thing.to_bytes(length, "big", signed=True))
    raise Refusal(thing, _NOT_DATA)


def decode_data(body: bytes) -> Any:
    """Turn bytes of ``encode_data``, here or in another language, into data; UnpackError at others."""
    limit = len(body)
    reader = _Reader()
    try:
        value = msgpack.unpackb(
            body,
            raw=False,
            strict_map_key=False,
            list_hook=reader.read_array,
            ext_hook=reader.read_extension,
            max_str_len=limit,
            max_bin_len=limit,
            max_array_len=limit,
            max_map_len=limit,
            max_ext_len=limit,
        )
    except UnpackError:
        raise
    # Malformed bytes show up as ValueError and its kin, as TypeError for an unhashable key, as RecursionError
    # or MemoryError for absurd structure: whatever it is, the bytes are at fault.
    except Exception as error:
        if came_from_a_handler(error):
            raise
        raise UnpackError(f"the bytes are not data: {type(error).__name__}: {error}") from error
    if reader.marks_open:
        _refuse("a mark of a tuple or set stands alone")
    if _MAY_HOLD_TIMES.search(body) is not None:
        for _ in _own_kinds_in(value):
            _refuse("they hold a time of MessagePack")
    return value


def _own_kinds_in(value: object) -> Iterator[object]:
    """Yield MessagePack's own kinds in a value that it has packed or unpacked, so in no circle."""
    todo: list[Collection[Any]] = [(value,)]
    while todo:
        items = todo.pop()
        kinds = set(map(type, items))
        if not kinds.isdisjoint(_OWN_KINDS):
            yield from (item for item in items if type(item) in _OWN_KINDS)
        if not kinds.isdisjoint(_HOLDERS):
            for item in items:
                if type(item) is dict:
                    todo += (item.keys(), item.values())
                elif type(item) in _HOLDERS:
                    todo.append(item)


class _Reader:
    """Count the marks of one body: the array that a mark begins uses it up."""

    __slots__ = ("marks_open",)

    # No array holds a class, so a class says in its first place what the array is to become.
    _kinds: Final[Mapping[int, type]] = {TUPLE: tuple, SET: set, FROZENSET: frozenset}

    def __init__(self) -> None:
        self.marks_open = 0

    def read_array(self, items: list[Any]) -> Any:
        if not items or type(items[0]) is not type:
            return items
        self.marks_open -= 1
        return items[0](items[1:])

    def read_extension(self, kind: int, content: bytes) -> Any:
        if kind == BIG_INT:
            return int.from_bytes(content, "big", signed=True)
        mark = self._kinds.get(kind)
        if mark is None or content:
            _refuse(f"they hold an extension of the unknown type {kind}")
        self.marks_open += 1
        return mark


def _refuse(what: str) -> NoReturn:
    raise UnpackError(f"the bytes are not data: {what}")
