"""Exceptions taken apart and put together again: copies of what was raised, and the errors that callers get.

A caller gets an error of the type that the method raised, with all that it held. The error is a RemoteError
as well, so its class is made here, of both. No constructor of an author runs for that. The builtin below the
author's class makes an empty exception, and what the original holds is put into it (``args``, the fields
that live in C, slots, ``__dict__``, cause, context, notes). All of it is read and written past the author's
class, whose properties and methods may do anything.

A copy has no traceback: frames hold arguments, and belong to the thread and the process that raised. They
are shown as text, in a note of the caller's error.

All functions are thread-safe.
"""

import builtins
import concurrent.futures
import copy
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import lru_cache
from types import BuiltinMethodType, GetSetDescriptorType, MemberDescriptorType, WrapperDescriptorType
from typing import Any, Final, TypeVar, cast

from corps.errors import REMOTE, CorpsError, Remote, RemoteError, remote_of
from corps.handlers import came_from_a_handler

_namespace: Final = type.__dict__["__dict__"].__get__
"""The names that a class itself defines, whatever its metaclass says."""
_mro: Final = type.__dict__["__mro__"].__get__
"""The order in which a class looks names up, whatever its metaclass says."""
_base: Final = type.__dict__["__base__"].__get__
"""The base that a class has its layout in memory from, whatever its metaclass says."""
_BASE: Final = BaseException.__dict__  # the descriptors that read an exception, whatever its class says

_HELD_APART: Final = frozenset({"__weakref__", *_BASE})
_DEEPEST: Final = 40  # causes of causes, and groups in groups

_SIGNALS: Final = (StopIteration, StopAsyncIteration, concurrent.futures.CancelledError)

R = TypeVar("R")
Parts = dict[str, Any]
"""What an exception holds apart from its class: ``args``, and, where there are any, ``fields`` (in C, and
slots), ``dict``, ``cause``, ``context`` and ``suppress``."""


def _per_class(function: Callable[[type], R]) -> Callable[[type], R]:
    """Have what a function gives for a class kept, for some hundred classes."""
    return lru_cache(maxsize=256)(function)


def text_of(error: BaseException) -> str:
    """Return the ``str()`` of an exception, or why there is none."""
    try:
        return str(error)
    except BaseException as broken:  # an author's __str__ may raise anything; the failure must get through
        if came_from_a_handler(broken):
            raise
        return f"<str() of it raised {type(broken).__name__}>"


def is_signal(error: BaseException) -> bool:
    """Return whether an exception would end the caller's iteration, task or program."""
    kind = type(error)
    return not issubclass(kind, Exception) or issubclass(kind, _SIGNALS)


# --- taking apart, and putting together ---


def parts_of(error: BaseException) -> Parts:
    """Return what an exception holds, but its class and traceback; only dictionaries and notes are copied."""
    parts: Parts = {"args": _BASE["args"].__get__(error)}
    fields = dict(_fields(error))
    if fields:
        parts["fields"] = fields
    held = dict(_BASE["__dict__"].__get__(error))
    if held:
        notes = held.get("__notes__")
        if type(notes) is list:
            held["__notes__"] = list(notes)
        parts["dict"] = held
    for name in ("cause", "context"):
        other = _BASE[f"__{name}__"].__get__(error)
        if other is not None:
            parts[name] = other
    if _BASE["__suppress_context__"].__get__(error):
        parts["suppress"] = True
    return parts


def put(error: BaseException, parts: Parts) -> None:
    """Have a new exception hold the parts of another one, whose class is the same, or below."""
    fields = dict(parts.get("fields", ()))
    for name, member in _members(type(error)):
        if name in fields:
            try:
                member.__set__(error, fields.pop(name))
            except (AttributeError, TypeError):  # read only: such as the exceptions of a group
                continue
    if "args" in parts:
        _BASE["args"].__set__(error, parts["args"])
    _BASE["__dict__"].__get__(error).update(parts.get("dict", ()))
    for name in ("cause", "context"):
        if name in parts:
            _BASE[f"__{name}__"].__set__(error, parts[name])
    _BASE["__suppress_context__"].__set__(error, bool(parts.get("suppress")))


def bare(cls: type[BaseException], parts: Parts) -> BaseException:
    """Make an exception and run no constructor in Python, if that can be; a group needs its parts now."""
    makers = (_namespace(base).get("__new__") for base in _layout(cls))
    new = next(maker for maker in makers if type(maker) is BuiltinMethodType)
    if issubclass(cls, BaseExceptionGroup):
        fields = parts["fields"]
        return new(cls, fields["message"], fields["exceptions"])  # type: ignore[no-any-return]
    if lives_in_c(cls):
        return new(cls, *parts["args"])  # type: ignore[no-any-return]
    return new(cls)  # type: ignore[no-any-return]


def _layout(cls: type) -> Iterator[type]:
    """Yield a class and its bases along its layout in memory: only their ``__new__`` may make its objects.

    Of several builtin bases, as in ``class Missing(KeyError, OSError)``, that is not the first one.
    """
    base: type | None = cls
    while base is not None:
        yield base
        base = _base(base)


@_per_class
def _members(cls: type) -> tuple[tuple[str, Any], ...]:
    """Return the descriptors of the fields that live in C, and of slots."""
    return tuple(
        (name, member)
        for base in _mro(cls)
        if base is not object
        for name, member in _namespace(base).items()
        if type(member) in (MemberDescriptorType, GetSetDescriptorType) and name not in _HELD_APART
    )


def _fields(error: BaseException) -> Iterator[tuple[str, Any]]:
    for name, member in _members(type(error)):
        try:
            value = member.__get__(error)
        except Exception as unset:  # a slot that was never set
            if came_from_a_handler(unset):
                raise
            value = None
        if value is not None:
            yield name, value


@_per_class
def lives_in_c(cls: type) -> bool:
    """Return whether a class, or a base of it, is written in C and hides state from here."""
    return any(
        type(_namespace(base).get(name)) in (BuiltinMethodType, WrapperDescriptorType)
        for base in _mro(cls)
        if base.__module__ != "builtins"
        for name in ("__new__", "__init__")
    )


# --- copies ---


def copy_of(error: BaseException) -> BaseException:
    """Return a copy of an exception and of all in it, without tracebacks; itself if there can be none."""
    return _Copies().of(error)


def original_of(error: BaseException) -> BaseException | None:
    """Return the exception behind a caller's error, as the caller changed it; None if not known here."""
    remote = remote_of(error)
    if remote is None:
        return copy_of(error)
    if remote.origin is not None and not isinstance(error, Both):  # a signal
        return remote.origin
    kind = _original_type(type(error))
    return None if kind is RemoteError else _Copies().of(error, kind)


class _Copies:
    """The copies of one exception and of all that hangs on it: each is made once, so circles stay circles."""

    def __init__(self) -> None:
        self._made: dict[int, BaseException] = {}

    def of(
        self, error: BaseException, cls: type[BaseException] | None = None, depth: int = 0
    ) -> BaseException:
        """Return a copy, in its own class or another one; the exception itself where there can be none."""
        made = self._made.get(id(error))
        if made is None:
            try:
                made = self.into(cls or type(error), error, depth)
            except Exception as refusal:  # a class in C that refuses
                if came_from_a_handler(refusal):
                    raise
                made = self._made[id(error)] = _its_own_copy(error)
        return made

    def into(self, cls: type[BaseException], error: BaseException, depth: int = 0) -> BaseException:
        """Return the same exception in another class, or raise what keeps that from being done."""
        parts = parts_of(error)
        is_same = cls is type(error)
        if not is_same:
            _unmark(parts)
        if issubclass(cls, BaseExceptionGroup) and depth < _DEEPEST:
            self._copy_group(parts, depth)
        made = _like(cls, error, parts)
        self._made[id(error)] = made
        for name in ("cause", "context"):
            if name in parts:
                if depth < _DEEPEST:
                    parts[name] = self.of(parts[name], depth=depth + 1)
                else:
                    del parts[name]
        put(made, parts)
        if lives_in_c(cls) and text_of(made) != text_of(error):
            raise TypeError("something of it lives in C, where it cannot be read")
        return made

    def _copy_group(self, parts: Parts, depth: int) -> None:
        inner = parts["fields"]["exceptions"]
        copies = tuple(self.of(each, depth=depth + 1) for each in inner)
        parts["fields"]["exceptions"] = copies
        args = parts["args"]
        given: Any = args[1] if len(args) > 1 else None
        if type(given) in (list, tuple) and tuple(given) == inner:  # else its own constructor takes others
            parts["args"] = args[0], type(given)(copies), *args[2:]


def _like(cls: type[BaseException], error: BaseException, parts: Parts) -> BaseException:
    try:
        return bare(cls, parts)
    except Exception as refusal:
        if came_from_a_handler(refusal) or not lives_in_c(cls):
            raise
    # A constructor in C that wants other arguments than it kept: those that a pickle would give it will do.
    return bare(cls, {**parts, "args": _BASE["args"].__get__(copy.copy(_raised_one(error)))})


def _its_own_copy(error: BaseException) -> BaseException:
    raised = _raised_one(error)
    try:
        made = copy.copy(raised)
    except Exception as broken:  # whatever the author's class does
        if came_from_a_handler(broken):
            raise
        return raised
    return made if type(made) is type(raised) else raised


def _raised_one(error: BaseException) -> BaseException:
    """Return what can be copied in its own way: `Both` is reduced by copies that are made here."""
    remote = remote_of(error) if isinstance(error, Both) else None
    return error if remote is None or remote.origin is None else remote.origin


# --- the errors of callers ---


class Both:
    """First base of each class that is made of a type and RemoteError: what no author's class may change."""

    __slots__ = ()

    __cause__ = _BASE["__cause__"]
    __context__ = _BASE["__context__"]
    __traceback__ = _BASE["__traceback__"]
    __suppress_context__ = _BASE["__suppress_context__"]

    def __init_subclass__(cls, **_: Any) -> None:
        """Keep the author's one, which may know all subclasses, from hearing of this."""

    def __str__(self) -> str:
        remote = remote_of(cast(BaseException, self))
        if remote is not None and remote.is_stand_in:
            return remote.text
        try:
            return super().__str__()
        except BaseException as broken:  # as it did for the worker, whose Env has noted that
            if came_from_a_handler(broken):
                raise
            return "" if remote is None else remote.text

    def __repr__(self) -> str:
        try:
            return super().__repr__()
        except BaseException as broken:
            if came_from_a_handler(broken):
                raise
            return f"<{type(self).__qualname__}: {self}>"

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        """Pack how its class is made again, because that cannot be found by its name."""
        error: Any = self
        kind = _original_type(type(error))
        remote = replace(remote_of(error) or Remote(), origin=None)
        if lives_in_c(kind):
            return remote_again, (remote, original_of(error))
        parts = sendable_parts(error)
        _unmark(parts)
        return restore_both, (kind, seed_of(kind, parts), remote), parts

    def __setstate__(self, parts: Any) -> None:
        error: Any = self
        remote = remote_of(error) or Remote()
        put(error, parts)
        _mark(error, replace(remote, origin=original_of(error)))


def remote_error(remote: Remote) -> BaseException:
    """Make the error for a caller: a RemoteError of the type of the original, which holds what that holds.

    A plain RemoteError if there is no original, or if that is a signal. If no class can be made of both, a
    copy of the original.
    """
    origin = remote.origin
    if origin is None or is_signal(origin):
        return _plain(remote)
    try:
        error = _Copies().into(_class_of_both(type(origin)), origin)
    except Exception as refusal:  # such as a type that can have no subclass
        if came_from_a_handler(refusal):
            raise
        return _original_alone(remote)
    _mark(error, remote)
    return error


@_per_class
def _class_of_both(kind: Any) -> Any:
    """Make the class of errors that are of a type and RemoteErrors. It is called like the type."""
    if issubclass(RemoteError, kind):
        return RemoteError
    names: dict[str, Any] = {"__module__": kind.__module__, "__qualname__": kind.__qualname__}
    if issubclass(kind, CorpsError):  # these words of the original are about a request of the worker
        names.update({name: _about_request(name) for name in _ABOUT_REQUEST})
    if any("__notes__" in _namespace(base) for base in _mro(kind)):
        names["__notes__"] = property(_notes)
    # Not by a call of the metaclass, which may know all its classes as well.
    return type.__new__(type(kind), kind.__name__, (Both, kind, RemoteError), names)


_ABOUT_REQUEST: Final = ("executed", "target", "incarnation", "elapsed")


def _about_request(name: str) -> property:
    def read(error: Any) -> Any:
        remote = remote_of(error)
        return getattr(super(Both, error), name) if remote is None else getattr(remote, name)

    return property(read)


def _notes(error: BaseException) -> list[str]:
    try:
        notes: list[str] = _BASE["__dict__"].__get__(error)["__notes__"]
    except KeyError:
        raise AttributeError("__notes__") from None
    return notes


def _original_type(cls: type[BaseException]) -> type[BaseException]:
    return _mro(cls)[2] if issubclass(cls, Both) else cls


def _plain(remote: Remote) -> RemoteError:
    error = RemoteError(remote.summary)
    if remote.origin is not None:
        parts = parts_of(remote.origin)
        values = {**parts.get("fields", {}), **parts.get("dict", {})}  # such as the code of a SystemExit
        put(error, {**parts, "args": error.args, "fields": {}, "dict": values})
    _mark(error, remote)
    return error


def _original_alone(remote: Remote) -> BaseException:
    assert remote.origin is not None
    error = copy_of(remote.origin)
    held = _BASE["__dict__"].__get__(error)
    for name in ("type_name", "text", "traceback", "target", "executed", "incarnation", "elapsed"):
        held.setdefault(name, getattr(remote, name))
    _mark(error, replace(remote, origin=None))
    return error


def _mark(error: BaseException, remote: Remote) -> None:
    """Have an error know what it stands for, and show that."""
    held = _BASE["__dict__"].__get__(error)
    before = remote_of(error)
    notes = held.get("__notes__")
    notes = [note for note in notes if before is None or note != before.note] if type(notes) is list else []
    held[REMOTE] = remote
    if remote.note:
        held["__notes__"] = [*notes, remote.note]


def _unmark(parts: Parts) -> None:
    """Take out of the parts of an error for a caller what `_mark` has put in."""
    held = parts.get("dict", {})
    remote = held.pop(REMOTE, None)
    notes = held.get("__notes__")
    if remote is not None and type(notes) is list and remote.note in notes:
        notes.remove(remote.note)
        if not notes:
            del held["__notes__"]


# --- on their way ---

_SENT_AS_DATA: Final = frozenset({bool, int, float, str, bytes, type(None)})
_LONGEST: Final = 1_000  # characters of an argument of a stand-in
_ATOMS: Final = frozenset({bool, int, float, complex, str, bytes, type(None), type(...)})


def sendable_parts(error: BaseException) -> Parts:
    """Return all parts but the ``obj`` of an AttributeError, such as the worker, or a table of gigabytes."""
    parts = parts_of(error)
    fields = parts.get("fields", {})
    if issubclass(type(error), AttributeError) and type(fields.get("obj")) not in _ATOMS:
        fields.pop("obj", None)
    return parts


def seed_of(kind: type[BaseException], parts: Parts) -> Parts:
    """Return what `bare` needs of the parts of an exception."""
    if not issubclass(kind, BaseExceptionGroup):
        return {"args": parts["args"]}
    fields = parts["fields"]
    return {"args": (), "fields": {"message": fields["message"], "exceptions": fields["exceptions"]}}


def stand_in_facts(error: BaseException) -> tuple[str, list[Any]]:
    """Return the name of the nearest builtin type, and atoms for it; an empty name if there is none."""
    kind = next(base for base in _mro(type(error)) if base.__module__ == "builtins")
    if is_signal(error) or kind is Exception or issubclass(kind, BaseExceptionGroup):
        return "", []
    args = list(_BASE["args"].__get__(error))
    is_short = all(type(arg) in _SENT_AS_DATA and len(str(arg)) <= _LONGEST for arg in args)
    return kind.__name__, args if is_short else []


def stand_in(text: str, name: str, args: list[Any]) -> BaseException | None:
    """Make an exception of a builtin type that shows the text, from `stand_in_facts`; else None."""
    kind = getattr(builtins, name, None)
    if not (isinstance(kind, type) and issubclass(kind, Exception)) or issubclass(kind, BaseExceptionGroup):
        return None
    try:
        return kind(*args)
    except Exception as refusal:  # it wants other arguments
        if came_from_a_handler(refusal):
            raise
        return kind(text) if not issubclass(kind, UnicodeError) else ValueError(text)


def restore_both(kind: type[BaseException], seed: Parts, remote: Remote) -> BaseException:
    """Make the error of a caller again that was packed; its parts follow."""
    error = bare(_class_of_both(kind), seed)
    _BASE["__dict__"].__get__(error)[REMOTE] = remote
    return error


def remote_again(remote: Remote, origin: BaseException | None) -> BaseException:
    """Make the error of a caller again that was packed as the original."""
    return remote_error(replace(remote, origin=origin))
