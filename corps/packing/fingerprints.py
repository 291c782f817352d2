"""Fingerprints: whether a function or a class is exactly what it was, as far as packing it by value goes.

A fingerprint holds all that the packed form would hold: code, defaults, cells, the globals that the code
names, the attributes. It is taken anew each time, since any of it may have been changed. Equal fingerprints
promise equal behaviour at the receiver, so in doubt there is none: a thing that refers to anything that may
change (a list, a dict, an object of unknown kind) is *unfit*.

Classes by value that a thing refers to stand in its fingerprint by identity alone, and are listed beside it:
each has a fingerprint of its own.

Leans on code facts and references. Runs no code of the application, but for the ``__getattr__`` of a module
that is asked whether it holds something. Any thread may call.
"""

import abc
import dataclasses
import sys
import types
import typing
from abc import ABCMeta
from collections.abc import Callable, Iterable
from types import BuiltinFunctionType, FunctionType, GetSetDescriptorType, MemberDescriptorType, ModuleType
from typing import Any, Final, NamedTuple

from cloudpickle import cloudpickle as cloudpickle_internals

from corps.packing.code_facts import facts_of
from corps.packing.plain import ATOMS
from corps.packing.references import is_importable

Parts = tuple[Any, ...]

_MOST_PARTS: Final = 20_000
# CPython's flag for types made at run time. The others are part of the interpreter, and go by name.
_HEAP_TYPE: Final = 1 << 9

_TEXTS: Final = frozenset({str, type(None)})
_METACLASSES: Final = frozenset({type, ABCMeta})

# list[int], int | None and their like: values that cannot change.
_ALIASES: Final = frozenset(
    {
        types.GenericAlias,
        types.UnionType,
        type(typing.List[int]),  # noqa: UP006 - these are what typing makes of them
        type(typing.Optional[int]),  # noqa: UP045
        type(typing.Literal[1]),
    }
)

# Cloudpickle leaves out the first two or makes them anew; the third is a note of copyreg's on the class, made
# when an instance is packed for the first time.
_NO_ATTRIBUTES: Final = frozenset({"_abc_impl", "__annotate_func__", "__slotnames__"})


class _Probe:
    """Shows what `dataclass` puts into classes, whatever the release of Python."""

    some: list[int] = dataclasses.field(default_factory=list)


_probe: Final = dataclasses.dataclass(_Probe)
# The reprs of dataclasses guard themselves with a set in a cell: state, but of no meaning between calls.
_REPR_CODE: Final = _probe.__repr__.__code__
_PARAMS: Final = type(_probe.__dict__["__dataclass_params__"])
_FIELD_KIND: Final = type(vars(_probe)["__dataclass_fields__"]["some"]._field_type)
_DEFAULTS: Final[Any] = _probe.__init__.__defaults__
_MARKERS: Final = frozenset(
    map(type, (dataclasses.MISSING, dataclasses.KW_ONLY, *_DEFAULTS, ..., NotImplemented))
)


class Unfit(Exception):
    """There is no fingerprint."""


class Fingerprint(NamedTuple):
    """What a function or a class is made of.

    Attributes:
        parts: The fingerprint proper: compare and hash this.
        kept: What stands in it by its address; it must live as long as the parts are kept.
        classes: The classes by value that it refers to.
    """

    parts: Parts
    kept: tuple[Any, ...]
    classes: tuple[type, ...]


def is_plain_class(cls: type) -> bool:
    """Returns whether a class was made at run time, by a metaclass that adds nothing of its own."""
    return type(cls) in _METACLASSES and bool(cls.__flags__ & _HEAP_TYPE)


def fingerprint(thing: Any, is_by_reference: Callable[[Any], bool]) -> Fingerprint:
    """Takes the fingerprint of a function or a class that goes by value.

    Args:
        thing: The function or class.
        is_by_reference: Whether another function or class goes by reference.

    Raises:
        Unfit: It refers to something that may change, or that is not known.
    """
    walk = _Walk(is_by_reference)
    try:
        if isinstance(thing, type):
            walk.add_class(thing)
        else:
            walk.add_function(thing)
    # Whatever stands in places where Python itself puts something else: unfit, and no error of this call.
    except (AttributeError, TypeError, RecursionError) as error:
        raise Unfit from error
    return Fingerprint(tuple(walk.parts), tuple(walk.kept), tuple(walk.classes))


class _Walk:
    """One walk through a function or a class.

    Each addition begins with a tag that says what follows, so that different things give different parts.
    """

    def __init__(self, is_by_reference: Callable[[Any], bool]) -> None:
        self.parts: list[Any] = []
        self.kept: list[Any] = []
        self.classes: list[type] = []
        self._met: dict[int, int] = {}
        self._is_by_reference = is_by_reference

    def add(self, value: Any) -> None:
        """Add any value."""
        kind = type(value)
        if kind in ATOMS:
            # By its text: 0.0 and -0.0 are equal, and no NaN is equal to itself.
            if kind is float:
                value = value.hex()
            self.parts += (kind, value)
        elif kind is FunctionType:
            if self._is_by_reference(value):
                self._add_itself(value)
            else:
                self.add_function(value)
        elif kind is tuple:
            self._add_all("tuple", value)
        elif issubclass(kind, type):
            self._add_class_met(value)
        else:
            add = _ADDERS.get(kind)
            if add is None:
                raise Unfit
            add(self, value)

    def add_function(self, function: FunctionType) -> None:
        """Add a function that goes by value."""
        met = self._met.setdefault(id(function), len(self._met))
        if met != len(self._met) - 1:
            self.parts += ("again", met)
            return
        code, variables = function.__code__, function.__globals__
        facts = facts_of(code)
        if facts.writes_globals or facts.writes_cells or len(self.parts) > _MOST_PARTS:
            raise Unfit
        texts = (
            function.__name__,
            function.__qualname__,
            function.__module__,
            function.__doc__,
            variables.get("__name__"),
            variables.get("__package__"),
        )
        if not _TEXTS.issuperset(map(type, texts)):
            raise Unfit
        # The file and the name are what equal code may differ in.
        self.parts += ("function", facts, code.co_filename, code.co_qualname, *texts)
        add = self.add
        add(function.__defaults__)
        self._add_named(function.__kwdefaults__ or {})
        self._add_named(function.__annotations__)
        self._add_named(function.__dict__)
        self._add_cells(function)
        for name in facts.global_names:
            if name in variables:
                value = variables[name]
                add(value)
                if type(value) is ModuleType:
                    self._add_submodules(value.__name__, code.co_names)
            else:
                self.parts.append("no global")

    def add_class(self, cls: type) -> None:
        """Add a class that goes by value, which the walk is all about."""
        if not is_plain_class(cls):
            raise Unfit
        if isinstance(cls, ABCMeta) and abc._get_dump(cls)[0]:  # type: ignore[attr-defined]
            raise Unfit  # what was registered with it may grow
        self.parts += ("class", _identity(cls), cls.__name__, cls.__qualname__)
        self._add_all("bases", cls.__bases__)
        attributes = vars(cls)
        for name in sorted(attributes):
            value = attributes[name]
            if name in _NO_ATTRIBUTES:
                continue
            self.parts.append(name)
            if name in ("__annotations__", "__dataclass_fields__"):
                self._add_named(value)
            elif type(value) in (MemberDescriptorType, GetSetDescriptorType) and value.__objclass__ is cls:
                self.parts.append("slot")
            else:
                self.add(value)

    def _add_class_met(self, cls: type) -> None:
        if not cls.__flags__ & _HEAP_TYPE or self._is_by_reference(cls):
            self._add_itself(cls)
        else:
            self.parts += ("class", _identity(cls))
            self.classes.append(cls)

    def _add_itself(self, thing: Any) -> None:
        # By the address: what stands for itself by name may have an __eq__ of its own.
        self.parts += ("itself", id(thing))
        self.kept.append(thing)

    def _add_all(self, tag: str, values: tuple[Any, ...]) -> None:
        self.parts += (tag, len(values))
        for value in values:
            self.add(value)

    def _add_named(self, values: dict[str, Any]) -> None:
        if type(values) is not dict:
            raise Unfit
        self.parts += ("named", len(values))
        for name, value in values.items():
            if type(name) is not str:
                raise Unfit
            self.parts.append(name)
            self.add(value)

    def _add_cells(self, function: FunctionType) -> None:
        for cell in function.__closure__ or ():
            try:
                value = cell.cell_contents
            except ValueError:
                self.parts.append("empty cell")
                continue
            if type(value) is set and function.__code__ == _REPR_CODE:
                continue
            self.add(value)
            if type(value) is ModuleType:
                self._add_submodules(value.__name__, function.__code__.co_names)

    def _add_submodules(self, package: str, names: Iterable[str]) -> None:
        """Cloudpickle has the reader import what code may mean by ``package.module``, if it is loaded."""
        for name in names:
            inner = f"{package}.{name}"
            if inner in sys.modules:
                self.parts += ("loaded", inner)
                self._add_submodules(inner, names)

    def _add_module(self, module: ModuleType) -> None:
        if (
            sys.modules.get(module.__name__) is not module
            or not is_importable(module)
            or not cloudpickle_internals._should_pickle_by_reference(module)
        ):
            raise Unfit
        self._add_itself(module)

    def _add_builtin(self, function: BuiltinFunctionType) -> None:
        owner = function.__self__
        if isinstance(owner, ModuleType) or (isinstance(owner, type) and self._is_by_reference(owner)):
            self._add_itself(function)
        else:
            raise Unfit  # a method of an object

    def _add_frozenset(self, values: frozenset[Any]) -> None:
        if not ATOMS.issuperset(map(type, values)):
            raise Unfit
        self.parts += ("frozenset", frozenset((type(value), repr(value)) for value in values))

    def _add_wrapped(self, method: Any) -> None:
        self.parts.append(type(method))
        self.add(method.__func__)

    def _add_property(self, value: property) -> None:
        self._add_all("property", (value.fget, value.fset, value.fdel, value.__doc__))

    def _add_alias(self, alias: Any) -> None:
        self.parts.append(type(alias))
        self.add(getattr(alias, "__origin__", None))
        self._add_all("of", alias.__args__)

    def _add_by_slots(self, value: Any) -> None:
        # Fields and parameters of dataclasses.
        self.parts.append(type(value))
        for name in type(value).__slots__:
            held = getattr(value, name)
            if name == "metadata":
                if held:
                    raise Unfit
            elif type(held) is _FIELD_KIND:
                self.parts.append(held.name)
            else:
                self.add(held)

    def _add_marker(self, marker: Any) -> None:
        self.parts.append(type(marker))


def _identity(cls: type) -> str:
    """What stands for a class in packed forms, here and in the processes that it was sent to."""
    identity: str = cloudpickle_internals._get_or_create_tracker_id(cls)
    return identity


_ADDERS: Final[typing.Mapping[type, Callable[[_Walk, Any], None]]] = {
    ModuleType: _Walk._add_module,
    BuiltinFunctionType: _Walk._add_builtin,
    frozenset: _Walk._add_frozenset,
    staticmethod: _Walk._add_wrapped,
    classmethod: _Walk._add_wrapped,
    property: _Walk._add_property,
    dataclasses.Field: _Walk._add_by_slots,
    _PARAMS: _Walk._add_by_slots,
    **dict.fromkeys(_MARKERS, _Walk._add_marker),
    type(typing.Optional): _Walk._add_itself,
    **dict.fromkeys(_ALIASES, _Walk._add_alias),
}
