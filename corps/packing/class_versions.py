"""What of a class by value has changed where it was defined, and what of that a copy takes over.

Values are compared by identity, so a list that grows is no change. `docs/design/packing-code-once.md` says
why.
"""

import functools
from collections.abc import Callable, Iterator, Mapping
from operator import is_
from types import FunctionType
from typing import Any, Final

from corps.packing.functions import Namespace, facts_of

Attributes = dict[str, Any]
Changes = dict[tuple[int, str], int]
"""The version that something was changed in last: an attribute of the class (-1), or a name among globals.

What was never changed is left out.
"""

_ATTRIBUTE: Final = -1
_ABSENT: Final = object()


def _functions_in(value: Any) -> Iterator[FunctionType]:
    kind = type(value)
    if kind is FunctionType:
        yield value
    elif kind is staticmethod or kind is classmethod:
        yield from _functions_in(value.__func__)
    elif kind is property:
        for each in (value.fget, value.fset, value.fdel):
            yield from _functions_in(each)
    elif kind is functools.cached_property:
        yield from _functions_in(value.func)


def _functions_behind(function: FunctionType) -> Iterator[FunctionType]:
    """Yield what a function calls that goes with it: what it wraps, and functions of its own module."""
    for cell in function.__closure__ or ():
        try:
            yield from _functions_in(cell.cell_contents)
        except ValueError:  # it has no value yet
            continue
    variables = function.__globals__
    for name in facts_of(function.__code__).global_names:
        value = variables.get(name)
        if type(value) is FunctionType and value.__globals__ is variables:
            yield value


class Original:
    """A class in the process that defined it. Caller holds the lock of the identities."""

    def __init__(self, cls: type, copied: Callable[[], Attributes]) -> None:
        """Take down the first version; `copied` gives what of the class is copied."""
        self.version = 1  # how often it was found changed, beginning with 1
        self.changes: Changes = {}  # what has changed after the first version
        self.globals: list[Namespace] = []  # of its methods
        self._names: list[tuple[str, ...]] = []
        self._raw = tuple(vars(cls).values())
        self._attributes = copied()
        self._note_globals()
        self._values = self._values_of_globals()

    def look(self, cls: type, copied: Callable[[], Attributes]) -> int:
        """Find what has changed, and return the version that the class has now."""
        raw, values = tuple(vars(cls).values()), self._values_of_globals()
        are_same = _are_same(raw, self._raw)
        if are_same and all(map(_are_same, values, self._values)):
            return self.version
        changes: Changes = {}
        version = self.version + 1
        for place, (names, now, before) in enumerate(zip(self._names, values, self._values, strict=True)):
            changes.update(
                {
                    (place, name): version
                    for name, one, two in zip(names, now, before, strict=True)
                    if one is not two
                }
            )
        if not are_same:
            attributes, before_them = copied(), self._attributes
            for name in attributes | before_them:
                if attributes.get(name, _ABSENT) is not before_them.get(name, _ABSENT):
                    changes[_ATTRIBUTE, name] = version
            self._raw, self._attributes = raw, attributes
        self._note_globals()
        self._values = self._values_of_globals()
        if changes:  # otherwise Python has put a note of its own there
            self.changes.update(changes)
            self.version = version
        return self.version

    def _note_globals(self) -> None:
        found = {id(each): position for position, each in enumerate(self.globals)}
        names: list[dict[str, None]] = [dict.fromkeys(each) for each in self._names]
        left = [each for value in self._attributes.values() for each in _functions_in(value)]
        met = set(map(id, left))
        while left:
            function = left.pop()
            place = found.setdefault(id(function.__globals__), len(found))
            if place == len(self.globals):
                self.globals.append(function.__globals__)
                names.append({})
            names[place].update(dict.fromkeys(facts_of(function.__code__).global_names))
            behind = [each for each in _functions_behind(function) if id(each) not in met]
            met.update(map(id, behind))
            left += behind
        self._names = [tuple(each) for each in names]

    def _values_of_globals(self) -> list[tuple[Any, ...]]:
        return [
            tuple([variables.get(name, _ABSENT) for name in names])
            for variables, names in zip(self.globals, self._names, strict=True)
        ]


def _are_same(one: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    return len(one) == len(other) and all(map(is_, one, other))


class Copy:
    """A class in a process that it came to. Caller holds the lock of the identities.

    Methods that come with a later version have globals of their own. They get the same values, and all that
    comes after. What methods of several versions bind anew themselves is each version's own.
    """

    def __init__(self) -> None:
        self.version = 0  # the version that it has; 0 before anything has come
        self.changes: Changes = {}  # what has changed where it was defined
        self.globals: list[Namespace] = []  # of its methods, as they came first
        self._attributes: Attributes = {}
        self._came: list[dict[str, Any]] = []
        self._later: list[list[Namespace]] = []

    def take_over(
        self,
        cls: type,
        version: int,
        changes: Changes,
        attributes: Attributes,
        namespaces: tuple[Namespace, ...],
    ) -> None:
        """Set what is new in a version: attributes, and the globals that have come with the methods."""
        if version <= self.version:
            return
        own = vars(cls)
        for name, value in attributes.items():
            if self._is_new(changes, _ATTRIBUTE, name, own, self._attributes):
                type.__setattr__(cls, name, value)
                self._attributes[name] = value
        for name in [name for name in self._attributes if name not in attributes]:
            if own.get(name, _ABSENT) is self._attributes.pop(name):
                type.__delattr__(cls, name)
        for place, namespace in enumerate(namespaces):
            if place == len(self.globals):
                self.globals.append(namespace)
                self._came.append(dict(namespace))
                self._later.append([])
            else:
                self._take_over_globals(cls, changes, place, namespace)
        self.version, self.changes = version, changes

    def _take_over_globals(self, cls: type, changes: Changes, place: int, namespace: Namespace) -> None:
        own, came = self.globals[place], self._came[place]
        later = [*self._later[place], namespace]
        for name, value in namespace.items():
            if self._is_new(changes, place, name, own, came):
                own[name] = came[name] = value
                for each in later:
                    each[name] = value
            else:
                namespace[name] = own[name]
        used = {
            id(function.__globals__)
            for value in (*vars(cls).values(), *own.values())
            for function in _functions_in(value)
        }
        self._later[place] = [each for each in later if id(each) in used]

    def _is_new(
        self, changes: Changes, place: int, name: str, own: Mapping[str, Any], came: Mapping[str, Any]
    ) -> bool:
        if not self.version:
            return True
        if name not in own and name not in came:
            return True
        is_changed = changes.get((place, name), 1) > self.version
        return is_changed and own.get(name, _ABSENT) is came.get(name, _ABSENT)
