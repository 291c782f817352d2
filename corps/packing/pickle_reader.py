"""Reads a pickle step by step, so that each look-up, call and assignment in it can be judged first.

The unpickler of the standard library judges names only: once a class may be named, the bytes may call what
comes of it, and set attributes of the class itself. This reader knows no way to do anything but to ask its
`Judge`. It is some twenty times slower, and meant for bytes of others: files, never messages.

It takes what protocol 5 writes, which is all that `store` writes. Everything else is `Untrusted`.

Leans on pickletools for how arguments of opcodes are written. One reader reads one pickle. One thread.
"""

import pickletools
from collections.abc import Callable, Iterable, Mapping
from io import BytesIO
from typing import Any, Final, Protocol

from corps.errors import UnpackError, Untrusted
from corps.handlers import came_from_a_handler

# A hash goes through all that a tuple holds, without a limit on its depth, and through what is shared again
# and again: a few bytes would take the stack, or years.
_MOST_IN_KEY: Final = 1_000
_DEEPEST_KEY: Final = 50

_ATOMS: Final = frozenset({str, int, bytes, float, bool, type(None)})


class Judge(Protocol):
    """Decide what a pickle may do, and raise Untrusted at anything else."""

    def find(self, module: str, qualname: str) -> Any:
        """Return what a name stands for."""

    def make(self, cls: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Return a new object of a class, not initialised."""

    def call(self, function: Any, args: tuple[Any, ...]) -> Any:
        """Return what a function gives."""

    def fill(self, thing: Any, state: Any) -> Any:
        """Return an object, with its state put into it."""

    def extend(self, thing: Any, items: list[Any]) -> None:
        """Append to what is no plain list."""

    def put(self, thing: Any, pairs: list[tuple[Any, Any]]) -> None:
        """Set the items of what is no plain dict."""

    def judge_key(self, key: Any) -> None:
        """Judge what is hashed and compared, and is no plain value."""


class PickleReader:
    """Read one pickle."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: list[Any] = []

    def read(self, body: bytes, names: Iterable[str] = ()) -> Any:
        """Return the object of the pickle, after judging its names; Untrusted or UnpackError if it is bad."""
        for name in names:
            module, _, qualname = name.partition(":")
            self._judge.find(module, qualname)
        try:
            return self._run(BytesIO(body))
        except (KeyboardInterrupt, UnpackError):
            raise
        except BaseException as error:
            if came_from_a_handler(error):
                raise
            raise UnpackError(f"the bytes cannot be unpacked: {type(error).__name__}: {error}") from error

    def _run(self, stream: BytesIO) -> Any:
        while code := stream.read(1):
            step = _STEPS.get(code)
            if step is None:
                raise Untrusted(f"the bytes hold the step {code!r}, which no stored form has")
            read_argument, do = step
            if do is None:
                (value,) = self._stack
                return value
            do(self, None if read_argument is None else read_argument(stream))
        raise UnpackError("the bytes end before the object does")

    def _push(self, value: Any) -> None:
        self._stack.append(value)

    def _above_mark(self) -> list[Any]:
        begin = self._marks.pop()
        items = self._stack[begin:]
        del self._stack[begin:]
        return items

    def _pop_tuple(self, count: int) -> None:
        if len(self._stack) < count:
            raise UnpackError("the bytes take more than they have given")
        begin = len(self._stack) - count
        self._stack[begin:] = [tuple(self._stack[begin:])]

    def _find(self, module: Any, qualname: Any) -> None:
        if type(module) is not str or type(qualname) is not str:
            raise Untrusted("the bytes name something by what is no text")
        self._push(self._judge.find(module, qualname))

    def _find_of_stack(self) -> None:
        qualname, module = self._stack.pop(), self._stack.pop()
        self._find(module, qualname)

    def _extend(self, items: list[Any]) -> None:
        target = self._stack[-1]
        if type(target) is list:
            target += items
        else:
            self._judge.extend(target, items)

    def _put(self, items: list[Any]) -> None:
        target = self._stack[-1]
        keys = items[::2]
        self._judge_keys(keys)
        pairs = list(zip(keys, items[1::2], strict=True))
        if type(target) is dict:
            target.update(pairs)
        else:
            self._judge.put(target, pairs)

    def _add(self, items: list[Any]) -> None:
        self._judge_keys(items)
        target = self._stack[-1]
        if type(target) is not set:
            raise Untrusted("the bytes add to what is no set")
        target.update(items)

    def _freeze(self) -> None:
        items = self._above_mark()
        self._judge_keys(items)
        self._push(frozenset(items))

    def _judge_keys(self, keys: Iterable[Any]) -> None:
        for key in keys:
            if type(key) not in _ATOMS:
                self._judge_key(key)

    def _judge_key(self, key: Any) -> None:
        level, seen = [key], 0
        for _ in range(_DEEPEST_KEY):
            inside: list[Any] = []
            for each in level:
                seen += 1
                if type(each) in _ATOMS:
                    continue
                self._judge.judge_key(each)
                if isinstance(each, tuple | frozenset):
                    inside += each
            if not inside:
                return
            if seen + len(inside) > _MOST_IN_KEY:
                break
            level = inside
        raise Untrusted("the bytes hold a key that is too large, or too deep")

    def _make(self, kwargs: Any) -> None:
        args, cls = self._stack.pop(), self._stack.pop()
        if type(args) is not tuple or type(kwargs) is not dict:
            raise Untrusted("the bytes call with what are no arguments")
        self._push(self._judge.make(cls, args, kwargs))

    def _call(self) -> None:
        args, function = self._stack.pop(), self._stack.pop()
        if type(args) is not tuple:
            raise Untrusted("the bytes call with what are no arguments")
        self._push(self._judge.call(function, args))

    def _fill(self) -> None:
        state, thing = self._stack.pop(), self._stack.pop()
        self._push(self._judge.fill(thing, state))


_Do = Callable[[PickleReader, Any], object]

_VALUES: Final = (
    *("BININT", "BININT1", "BININT2", "LONG1", "LONG4", "BINFLOAT"),
    *("SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"),
    *("SHORT_BINBYTES", "BINBYTES", "BINBYTES8", "BYTEARRAY8"),
)
_OTHERS: Final[Mapping[str, _Do | None]] = {
    "PROTO": lambda _reader, _number: None,
    "FRAME": lambda _reader, _size: None,
    "STOP": None,
    "NONE": lambda reader, _: reader._push(None),
    "NEWTRUE": lambda reader, _: reader._push(True),
    "NEWFALSE": lambda reader, _: reader._push(False),
    "EMPTY_TUPLE": lambda reader, _: reader._push(()),
    "EMPTY_LIST": lambda reader, _: reader._push([]),
    "EMPTY_DICT": lambda reader, _: reader._push({}),
    "EMPTY_SET": lambda reader, _: reader._push(set()),
    "TUPLE": lambda reader, _: reader._push(tuple(reader._above_mark())),
    "TUPLE1": lambda reader, _: reader._pop_tuple(1),
    "TUPLE2": lambda reader, _: reader._pop_tuple(2),
    "TUPLE3": lambda reader, _: reader._pop_tuple(3),
    "APPEND": lambda reader, _: reader._extend([reader._stack.pop()]),
    "APPENDS": lambda reader, _: reader._extend(reader._above_mark()),
    "SETITEM": lambda reader, _: reader._put([reader._stack.pop(-2), reader._stack.pop()]),
    "SETITEMS": lambda reader, _: reader._put(reader._above_mark()),
    "ADDITEMS": lambda reader, _: reader._add(reader._above_mark()),
    "FROZENSET": lambda reader, _: reader._freeze(),
    "MARK": lambda reader, _: reader._marks.append(len(reader._stack)),
    "POP": lambda reader, _: reader._stack.pop(),
    "POP_MARK": lambda reader, _: reader._above_mark(),
    "MEMOIZE": lambda reader, _: reader._memo.append(reader._stack[-1]),
    "BINGET": lambda reader, number: reader._push(reader._memo[number]),
    "LONG_BINGET": lambda reader, number: reader._push(reader._memo[number]),
    "GLOBAL": lambda reader, name: reader._find(*name.split(" ", 1)),
    "STACK_GLOBAL": lambda reader, _: reader._find_of_stack(),
    "NEWOBJ": lambda reader, _: reader._make({}),
    "NEWOBJ_EX": lambda reader, _: reader._make(reader._stack.pop()),
    "REDUCE": lambda reader, _: reader._call(),
    "BUILD": lambda reader, _: reader._fill(),
}
_ALL: Final[Mapping[str, _Do | None]] = {**_OTHERS, **dict.fromkeys(_VALUES, PickleReader._push)}

# What to do for each opcode, and how its argument is read.
_STEPS: Final[Mapping[bytes, tuple[Callable[[Any], Any] | None, _Do | None]]] = {
    opcode.code.encode("latin-1"): (opcode.arg.reader if opcode.arg else None, _ALL[opcode.name])
    for opcode in pickletools.opcodes
    if opcode.name in _ALL
}
