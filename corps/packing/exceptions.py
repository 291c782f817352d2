"""Packing exceptions as they are: with fields that live in C, slots, cause, context and notes.

By itself an exception reduces to ``cls(*args)`` and its ``__dict__``. A class with its own ``__init__`` hands
on other arguments than it takes, as a rule one message built from several fields. Rebuilding it then raises a
TypeError, in the middle of reporting another error. And what stands neither in the arguments nor in
``__dict__`` is lost. So the builtin base makes an empty exception here, and what the original held is put
into it. The constructor of the class itself does not run a second time.

A class that says itself how it is packed is asked, and what it leaves out (cause, context, notes) is added.
"""

import copyreg
from collections.abc import Callable
from types import FunctionType
from typing import Any, Final

from corps.errors import UnpackError
from corps.handlers import came_from_a_handler
from corps.messages.originals import Both, Parts, bare, parts_of, put, seed_of, sendable_parts

_PROTOCOL: Final = 5
_DEEPEST: Final = 20  # exceptions in exceptions that are looked into when they cannot be packed
_LONGEST: Final = 500  # characters of what stands for an object that cannot be packed


def reduce_exception(error: BaseException) -> Any:
    """Reduce an exception for a pickler; NotImplemented where the exception's own way keeps all."""
    cls = type(error)
    if issubclass(cls, Both):
        return NotImplemented
    if _has_own_way(cls):
        return _with_chain(error)
    parts = sendable_parts(error)
    has_constructor = isinstance(cls.__init__, FunctionType) or isinstance(cls.__new__, FunctionType)
    if parts.keys() <= {"args"} and not has_constructor:
        return NotImplemented
    return _by_parts(cls, parts)


def _has_own_way(cls: type) -> bool:
    """Return whether an author, or the library that a class is from, says how it is packed."""
    names = ("__reduce_ex__", "__reduce__", "__setstate__")
    owners = [next(base for base in cls.__mro__ if name in vars(base)) for name in names]
    return any(owner.__module__ != "builtins" for owner in owners) or cls in copyreg.dispatch_table


def _with_chain(error: BaseException) -> Any:
    """Return the own reduction of an exception, and after it what that leaves out."""
    cls = type(error)
    parts = parts_of(error)
    chain: Parts = {name: parts[name] for name in ("cause", "context", "suppress") if name in parts}
    notes = parts.get("dict", {}).get("__notes__")
    if notes:
        chain["dict"] = {"__notes__": notes}
    if not chain:
        return NotImplemented
    reducer = copyreg.dispatch_table.get(cls)
    reduced = error.__reduce_ex__(_PROTOCOL) if reducer is None else reducer(error)
    if type(reduced) is not tuple or not 2 <= len(reduced) <= 3:
        return reduced  # by a name, or with items: it stays as its author wants it
    function, args, state = (*reduced, None)[:3]
    return function, args, (state, chain), None, None, put_state_and_chain


class Lightened:
    """Stand for an exception that cannot be packed: what of it cannot goes as text, and a note says so."""

    def __init__(self, error: BaseException, packs: Callable[[object], bool], depth: int = 0) -> None:
        self._cls = type(error)
        self._packs = packs
        self._depth = depth
        self._lost: list[str] = []
        parts = sendable_parts(error)
        parts["args"] = tuple(self._light(f"args[{i}]", arg) for i, arg in enumerate(parts["args"]))
        for name in ("fields", "dict"):
            if name in parts:
                parts[name] = {key: self._light(key, value) for key, value in parts[name].items()}
        for name in ("cause", "context"):
            if name in parts:
                parts[name] = self._light(f"__{name}__", parts[name])
                if type(parts[name]) is str:  # only an exception can be one
                    del parts[name]
        if self._lost:
            held = parts.setdefault("dict", {})
            notes = held.get("__notes__")
            lost = f"Cannot be packed, and came as text or not at all: {', '.join(self._lost)}"
            held["__notes__"] = [*(notes if type(notes) is list else ()), lost]
        self._parts = parts

    def _light(self, name: str, value: Any) -> Any:
        if self._packs(value):
            return value
        if self._depth < _DEEPEST:
            if issubclass(type(value), BaseException):  # not isinstance: it asks what the author's class says
                return Lightened(value, self._packs, self._depth + 1)
            if name == "exceptions" and type(value) is tuple:
                return tuple(self._light(f"exceptions[{i}]", each) for i, each in enumerate(value))
        self._lost.append(name)
        try:
            text = repr(value)
        except BaseException as broken:  # of the author's class
            if came_from_a_handler(broken):
                raise
            text = f"<repr() of it raised {type(broken).__name__}>"
        return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."

    def __reduce__(self) -> tuple[Any, ...]:
        return _by_parts(self._cls, self._parts)


def _by_parts(cls: type[BaseException], parts: Parts) -> tuple[Any, ...]:
    if issubclass(cls, BaseExceptionGroup):
        return restore_seeded, (cls, seed_of(cls, parts)), parts, None, None, put_parts
    return restore_exception, (cls, parts["args"]), parts, None, None, put_parts


def restore_exception(cls: type[BaseException], args: tuple[Any, ...]) -> BaseException:
    """Make an exception without running the constructor of its class; its parts follow."""
    return restore_seeded(cls, {"args": args})


def restore_seeded(cls: type[BaseException], seed: Parts) -> BaseException:
    """Make an exception of what it has to have at first; the constructor of its class does not run."""
    _check(cls)
    return bare(cls, seed)


def put_parts(error: BaseException, parts: Parts) -> None:
    """Fill an exception that was restored."""
    _check(type(error))
    put(error, parts)


def put_state_and_chain(error: Any, both: tuple[Any, Parts]) -> None:
    """Give an exception that was made in its own way its state, and what that leaves out."""
    state, chain = both
    if state is not None:
        error.__setstate__(state)
    if issubclass(type(error), BaseException):  # its author may have it arrive as something else
        put(error, chain)


def _check(cls: Any) -> None:
    # The bytes say what is passed here, whatever the annotation says.
    """Raise UnpackError at what is no class of exceptions."""
    if not isinstance(cls, type) or not issubclass(cls, BaseException):
        raise UnpackError(f"the bytes want {cls!r} restored as an exception; they are damaged or forged")
