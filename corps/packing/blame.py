"""Finding what inside an object cannot be packed, and saying so.

Runs only after a packing failed, so it may take its time, within bounds. It asks the packer itself: of the
parts of an object that fails, one must fail too, down to the object none of whose parts does. So the answer
agrees with the packer on every kind of object, which a list of suspects would not.

Looking into an object runs code of its author, which may raise anything, or never come to an end. Then the
object itself is blamed: `explain` gives an answer in every case.

The caller passes the packer in as a function.
"""

import functools
from collections import deque
from collections.abc import Callable, Iterator
from itertools import chain, islice
from types import FunctionType, MethodType, ModuleType
from typing import Any, NamedTuple

from corps.errors import PackError
from corps.handlers import came_from_a_handler
from corps.messages.originals import text_of
from corps.packing.functions import facts_of
from corps.packing.picklers import own_reduction
from corps.packing.plain import ATOMS
from corps.packing.refusals import Refusal, reason_against
from corps.packing.unpickler import describe

Part = tuple[str, Any]
"""A step of a path, such as ``"['lock']"`` or ``".handle"``, and the object that it leads to."""

_DEEPEST = 100
_MOST_TRIALS = 5_000
_MOST_PARTS = 1_000_000  # of one object
_ADVICE = "leave it out (__getstate__), say how it is packed (__reduce__), or pass what it can be made from"


class Culprit(NamedTuple):
    """The innermost object that cannot be packed."""

    path: str  # how to get there
    thing: Any
    error: BaseException  # what packing it alone raises


def explain(
    value: Any, what: str, error: BaseException, pack: Callable[[Any], object], *, only_data: bool = False
) -> PackError:
    """Return the error for a value that could not be packed; its path begins with `what`.

    `pack` packs one object or raises; it is called for parts of the value. With `only_data` it looks into
    exact builtin containers alone.
    """
    try:
        return _explained(value, what, error, pack, only_data=only_data)
    except KeyboardInterrupt:
        raise
    except BaseException as broken:  # some metaclass, or something else of the author's, stands in the way
        if came_from_a_handler(broken):
            raise
        return PackError(f"cannot pack {what}: {describe(error)}; {_ADVICE}", path=what)


def _explained(
    value: Any, what: str, error: BaseException, pack: Callable[[Any], object], *, only_data: bool
) -> PackError:
    # The cause is read past the class: its author may have put something else in its place.
    cause = BaseException.__dict__["__cause__"].__get__(error)
    if issubclass(type(error), RecursionError) or issubclass(type(cause), RecursionError):
        return PackError(
            f"cannot pack {what}, {_type_of(value)}: it is nested too deeply, or never stops reducing to"
            " something else; send it as a flat list, or in parts",
            path=what,
        )
    parts_of = _parts_of_data if only_data else parts
    start = Culprit(what, value, error)
    path, thing, error = _Search(start, pack, parts_of).descend(start, 0) or start
    return PackError(f"cannot pack {path}, {_type_of(thing)}: {_reason(thing, error)}", path=path)


def _reason(thing: Any, error: BaseException) -> str:
    # The texts of these two are written for the reader already.
    if issubclass(type(error), PackError | Refusal):
        return text_of(error)
    reason = reason_against(thing)
    if reason is not None:
        return f"{reason.why}; {reason.advice}"
    return f"{describe(error)}; {_ADVICE}"


def _type_of(thing: Any) -> str:
    kind = type(thing)
    try:
        name = (
            kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
        )
        if issubclass(kind, type | FunctionType):
            return f"the {name} {thing.__module__}.{thing.__qualname__}"
    except Exception as error:  # a metaclass, or a property of it, answers for the author's class
        if came_from_a_handler(error):
            raise
        name = type.__repr__(kind)
    return f"of type {name}"


class _Search:
    """One search for a culprit. Beyond the bounds of depth and trials, something on the way is blamed."""

    def __init__(
        self, start: Culprit, pack: Callable[[Any], object], parts_of: Callable[[Any], Iterator[Part]]
    ) -> None:
        self._pack = pack
        self._parts_of = parts_of
        self._visited = {id(start.thing)}
        self._failing = {id(start.thing)}
        # Parts may be made on the fly; while they are kept, no other object gets their id.
        self._kept: list[Any] = []

    def descend(self, culprit: Culprit, depth: int) -> Culprit | None:
        """Return the innermost culprit inside this one; None if it only refers back to what fails."""
        if isinstance(culprit.error, Refusal) and culprit.error.thing is culprit.thing:
            return culprit
        if depth == _DEEPEST:
            return culprit
        refers_back = False
        for step, part in self._steps(culprit.thing):
            if id(part) in self._visited:
                refers_back = refers_back or id(part) in self._failing
                continue
            if len(self._kept) == _MOST_TRIALS:
                return culprit
            self._visited.add(id(part))
            self._kept.append(part)
            error = _failure(part, self._pack)
            if error is None:
                continue
            self._failing.add(id(part))
            found = self.descend(Culprit(culprit.path + step, part, error), depth + 1)
            if found is not None:
                return found
            refers_back = True
        return None if refers_back else culprit

    def _steps(self, thing: Any) -> Iterator[Part]:
        """Yield the parts of an object, as far as the code of its author gives them."""
        try:
            yield from self._parts_of(thing)
        except (KeyboardInterrupt, GeneratorExit):
            raise
        except BaseException as error:
            if came_from_a_handler(error):
                raise
            return


def _failure(part: Any, pack: Callable[[Any], object]) -> BaseException | None:
    try:
        pack(part)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        if came_from_a_handler(error):
            raise
        return error
    return None


def _parts_of_data(thing: Any) -> Iterator[Part]:
    kind = type(thing)
    return _items(thing, kind) if kind in (dict, list, tuple, set, frozenset) else iter(())


def parts(thing: Any) -> Iterator[Part]:
    """Yield the parts of an object that a pickler would go on to, except for atoms."""
    # The type and not isinstance() on the object: see `refusals.reason_against`.
    kind = type(thing)
    if kind is FunctionType:
        found = _parts_of_function(thing)
    elif kind is MethodType:
        found = iter([(".__self__", thing.__self__), (".__func__", thing.__func__)])
    elif issubclass(kind, functools.partial):
        found = iter([(".func", thing.func), (".args", thing.args), (".keywords", thing.keywords)])
    elif issubclass(kind, type):
        found = ((f".{name}", part) for name, part in vars(thing).items() if not name.startswith("__"))
    elif kind in (dict, list, tuple, set, frozenset):
        found = _items(thing, kind)
    else:
        found = chain(_items(thing, kind), _parts_of_reduction(thing))
    # Its author's iterator need not end.
    return (part for part in islice(found, _MOST_PARTS) if type(part[1]) not in ATOMS)


def _items(thing: Any, kind: type) -> Iterator[Part]:
    if issubclass(kind, dict):
        for key, item in thing.items():
            yield f".<key {label(key)}>", key
            yield f"[{label(key)}]", item
    elif issubclass(kind, tuple) and hasattr(kind, "_fields"):
        for name, item in zip(thing._fields, thing, strict=False):
            yield f".{name}", item
    elif issubclass(kind, list | tuple | deque):
        for index, item in enumerate(thing):
            yield f"[{index}]", item
    elif issubclass(kind, set | frozenset):
        for item in thing:
            yield f".<element {label(item)}>", item


def label(key: Any) -> str:
    """Return a key as it stands in a path."""
    # The repr of anything but an atom is code of the application, and may be as long as it likes.
    text = repr(key) if type(key) in ATOMS else f"<{type(key).__qualname__}>"
    return text if len(text) <= 60 else f"{text[:57]}..."


def _parts_of_function(function: FunctionType) -> Iterator[Part]:
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=False):
        try:
            yield f".<closure {name}>", cell.cell_contents
        except ValueError:  # The variable has no value yet.
            continue
    for name in facts_of(function.__code__).global_names:
        used = function.__globals__.get(name)
        # Modules go by name, and are the most frequent globals by far.
        if used is not None and not isinstance(used, ModuleType):
            yield f".<global {name}>", used
    for index, default in enumerate(function.__defaults__ or ()):
        yield f".<default {index}>", default
    for name, default in (function.__kwdefaults__ or {}).items():
        yield f".<default {name}>", default
    for name, part in function.__dict__.items():
        yield f".{name}", part


def _parts_of_reduction(thing: Any) -> Iterator[Part]:
    reduced: Any = own_reduction(thing)  # if it raises, that was said already when the object was packed
    if type(reduced) is not tuple:
        return
    function, args, state = (*reduced, None, None, None)[:3]
    yield from _parts_of_state(state)
    is_exception = issubclass(type(thing), BaseException)
    for index, arg in enumerate(args if type(args) is tuple else ()):
        if arg is type(thing):
            continue
        yield (f".args[{index}]" if is_exception else f".<argument {index}>"), arg
    yield ".__class__", type(thing)
    if function is not type(thing):
        yield ".<constructor>", function


def _parts_of_state(state: Any) -> Iterator[Part]:
    # Objects with __slots__ give a pair: their __dict__ or None, and their slots.
    halves = state if type(state) is tuple and len(state) == 2 else (state,)
    if all(half is None or type(half) is dict for half in halves):
        for half in halves:
            for name, part in (half or {}).items():
                yield f".{name}" if isinstance(name, str) else f".<state {label(name)}>", part
    else:
        yield ".<state>", state
