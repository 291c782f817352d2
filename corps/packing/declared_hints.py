"""From a type hint to the form of its values.

A hint that no form is known for is an error of the declaration, and shows when the method is declared, not
when something comes. Nothing of what comes is looked up here.
"""

import collections.abc
import dataclasses
import enum
import types
import typing
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, Literal, NoReturn, TypeVar, Union, get_args, get_origin

from corps.errors import DefinitionError
from corps.handlers import came_from_a_handler
from corps.messages.originals import text_of
from corps.packing.declared_forms import STANDARD, Chosen, Exact, Flags, Form, Misfit
from corps.packing.declared_holders import AnyData, Fields, Items, OneOf, Row, Sequences, Table

_LISTS: Final = frozenset({collections.abc.Sequence, collections.abc.Collection, collections.abc.Iterable})
_KINDS: Final[Mapping[Any, type]] = {
    list: list,
    tuple: tuple,
    set: set,
    frozenset: frozenset,
    dict: dict,
    collections.abc.MutableSequence: list,
    collections.abc.Mapping: dict,
    collections.abc.MutableMapping: dict,
    collections.abc.Set: frozenset,
    collections.abc.MutableSet: set,
}
"""What a value of a generic hint is, by the origin of the hint."""

_WRAPPERS: Final = ("Required", "NotRequired", "ReadOnly", "Final", "ClassVar")  # around a hint
_MOST_BITS: Final = 16  # of a Flag: Python keeps each combination that was ever made
_DEEPEST: Final = 100  # hints in hints
_NOTHING: Final = Exact(type(None))
_WANTED: Final = (
    "None, bool, int, float, str, bytes, bytearray, list, tuple, dict, set, frozenset, the types of "
    "datetime, Decimal, UUID, enums, Literal, unions, dataclasses, pydantic models, NamedTuples, TypedDicts, "
    "Names of workers"
)


def hints_of(thing: Any, what: str) -> dict[str, Any]:
    """Return the type hints of a function or a class, with forward references resolved.

    Raises:
        DefinitionError: One of them names something that is not there.
    """
    try:
        if isinstance(thing, type):
            return typing.get_type_hints(thing, localns={thing.__name__: thing}, include_extras=True)
        return typing.get_type_hints(thing, include_extras=True)
    except Exception as error:
        if came_from_a_handler(error):
            raise
        raise DefinitionError(
            f"the type hints of {what} cannot be read: {type(error).__name__}: {text_of(error)}; name what "
            "can be found in its module"
        ) from error


Special = Callable[[Any, tuple[Any, ...]], Form | None]
"""Gives the form of a class that this folder does not know, by the class and its parameters; else None."""


class Forms:
    """The forms of type hints, each made once. One thread."""

    def __init__(self, special: Special | None = None) -> None:
        self._special = special
        self._standard: dict[Any, Form] = dict(STANDARD)
        self._made: dict[Any, Fields] = {}  # of classes with fields, by the class and its parameters
        self._depth = 0

    def of(self, hint: Any, what: str, variables: Mapping[Any, Any] | None = None) -> Form:
        """Return the form of a hint.

        Args:
            hint: The hint, resolved.
            what: Where it is declared, for errors.
            variables: What type variables stand for.

        Raises:
            DefinitionError: No value of that type can travel between owners.
        """
        if self._depth == _DEEPEST:
            raise DefinitionError(f"the type of {what} is nested too deeply, or contains itself")
        self._depth += 1
        try:
            return self._of(hint, what, variables or {})
        finally:
            self._depth -= 1

    def _of(self, hint: Any, what: str, variables: Mapping[Any, Any]) -> Form:
        if hint is Any or hint is object:
            return AnyData()
        if hint is None:
            return _NOTHING
        if isinstance(hint, TypeVar):
            return self._of_variable(hint, what, variables)
        origin, args = get_origin(hint), get_args(hint)
        if origin is Annotated:
            return self.of(args[0], what, variables)
        if origin is Literal:
            return self._of_literal(hint, args, what)
        if origin is Union or origin is types.UnionType:
            return OneOf([self.of(arg, what, variables) for arg in args])
        if origin is not None and getattr(origin, "_name", None) in _WRAPPERS:
            return self.of(args[0], what, variables)
        if (inner := getattr(hint, "__supertype__", None)) is not None:  # a NewType
            return self.of(inner, what, variables)
        alias = hint if origin is None else origin
        if type(alias).__name__ == "TypeAliasType":
            bound = dict(zip(alias.__type_params__, args, strict=False))
            return self.of(alias.__value__, what, {**variables, **bound})
        return self._of_class(hint, alias, args, what, variables)

    def _of_class(
        self, hint: Any, cls: Any, args: tuple[Any, ...], what: str, variables: Mapping[Any, Any]
    ) -> Form:
        if cls in _LISTS:
            return Sequences(self.of(args[0] if args else Any, what, variables))
        if cls in _KINDS:
            return self._of_generic(_KINDS[cls], args, what, variables)
        try:
            known = self._standard.get(cls)
        except TypeError:  # of what cannot be a key
            known = None
        if known is not None:
            return known
        if not isinstance(cls, type):
            self._refuse(hint, what)
        if self._special is not None and (form := self._special(cls, args)) is not None:
            return form
        if issubclass(cls, enum.Enum):
            return self._of_enum(cls, what)
        plan = _plan_of(cls, what)
        if plan is None:
            self._refuse(hint, what)
        args = tuple(self._meant(arg, variables) for arg in args)
        return self._made.get((cls, args)) or self._of_fields(cls, plan, args, what)

    @staticmethod
    def _meant(arg: Any, variables: Mapping[Any, Any]) -> Any:
        return variables.get(arg, arg) if isinstance(arg, TypeVar) else arg

    def _of_variable(self, hint: TypeVar, what: str, variables: Mapping[Any, Any]) -> Form:
        if hint in variables and variables[hint] is not hint:
            return self.of(variables[hint], what)
        if hint.__constraints__:
            return OneOf([self.of(each, what, variables) for each in hint.__constraints__])
        return self.of(Any if hint.__bound__ is None else hint.__bound__, what, variables)

    def _of_generic(self, kind: type, args: tuple[Any, ...], what: str, variables: Mapping[Any, Any]) -> Form:
        forms = [self.of(arg, what, variables) for arg in args if arg is not Ellipsis]
        if kind is dict:
            key, item = forms or (AnyData(), AnyData())
            return Table(key, item)
        if kind is tuple:
            if not args or args == ((),):
                return Row(()) if args else Items(tuple, AnyData())
            return Items(tuple, forms[0]) if args[-1] is Ellipsis else Row(forms)
        return Items(kind, forms[0] if forms else AnyData())

    def _of_literal(self, hint: Any, args: tuple[Any, ...], what: str) -> Form:
        choices = [(arg, arg.value if isinstance(arg, enum.Enum) else arg) for arg in args]
        return self._chosen(str(hint).removeprefix("typing."), choices, what)

    def _of_enum(self, cls: type[enum.Enum], what: str) -> Form:
        if issubclass(cls, enum.Flag):
            bits = 0
            for member in cls:
                bits |= member.value
            if bits.bit_length() > _MOST_BITS:
                raise DefinitionError(
                    f"{what} is declared as {cls.__qualname__}, and a Flag of more than {_MOST_BITS} bits "
                    "cannot travel to another owner: declare a set of an Enum"
                )
            return Flags(cls, bits)
        return self._chosen(cls.__qualname__, [(member, member.value) for member in cls], what)

    def _chosen(self, words: str, choices: list[tuple[Any, Any]], what: str) -> Form:
        for _, plain in choices:
            try:
                AnyData().lower(plain)
                hash(plain)
            except (Misfit, TypeError) as error:
                raise DefinitionError(
                    f"{what} is declared as {words}, and its value {plain!r:.80} is no plain data that "
                    "can be a key"
                ) from error
        form = Chosen(words, choices)
        if form.has_doubles:
            raise DefinitionError(f"{what} is declared as {words}, and two of its choices have one value")
        return form

    def _of_fields(self, cls: Any, plan: "_Plan", args: tuple[Any, ...], what: str) -> Form:
        words = cls.__qualname__
        form = self._made[cls, args] = Fields(words, plan.kind, plan.make)
        variables = dict(zip(getattr(cls, "__parameters__", ()), args, strict=False))
        try:
            fields = {name: self.of(each, f"{words}.{name}", variables) for name, each in plan.hints.items()}
        except DefinitionError as error:
            del self._made[cls, args]
            raise DefinitionError(f"{what} is declared as {words}: {error}") from error
        form.declare(fields, plan.required)
        return form

    @staticmethod
    def _refuse(hint: Any, what: str) -> NoReturn:
        words = hint.__qualname__ if isinstance(hint, type) else str(hint)
        raise DefinitionError(
            f"{what} is declared as {words:.200}, which cannot travel to another owner: use {_WANTED}"
        )


@dataclasses.dataclass(frozen=True, slots=True)
class _Plan:
    """What is known of a class with fields."""

    kind: type
    make: Callable[..., Any]
    hints: Mapping[str, Any]
    required: frozenset[str]


def _plan_of(cls: Any, what: str) -> _Plan | None:
    """Find the fields of a class; None if it is of no kind that declares any."""
    if typing.is_typeddict(cls):
        return _Plan(dict, dict, hints_of(cls, cls.__qualname__), frozenset(cls.__required_keys__))
    if isinstance(fields := getattr(cls, "model_fields", None), Mapping):  # of pydantic
        return _plan_of_model(cls, fields)
    if dataclasses.is_dataclass(cls):
        return _plan_of_dataclass(cls, what)
    names = getattr(cls, "_fields", None)
    if issubclass(cls, tuple) and isinstance(names, tuple):
        hints = hints_of(cls, cls.__qualname__)
        given = getattr(cls, "_field_defaults", {})
        return _Plan(
            cls, cls, {name: hints.get(name, Any) for name in names}, frozenset(names) - given.keys()
        )
    return None


def _plan_of_model(cls: Any, fields: Mapping[str, Any]) -> _Plan:
    hints = {name: field.annotation for name, field in fields.items()}

    def make(**values: Any) -> Any:
        return cls.model_validate(values, by_name=True, by_alias=False)

    required = frozenset(name for name, field in fields.items() if field.is_required())
    return _Plan(cls, make, hints, required)


def _plan_of_dataclass(cls: Any, what: str) -> _Plan:
    hints = hints_of(cls, cls.__qualname__)
    fields = [field for field in dataclasses.fields(cls) if field.init]
    known = {field.name for field in fields}
    for name, hint in hints.items():
        if isinstance(hint, dataclasses.InitVar) and not hasattr(cls, name):
            raise DefinitionError(
                f"{what} is declared as {cls.__qualname__}, and its InitVar {name!r} is not kept by its "
                "objects, so they cannot be made again: give it a default"
            )
    missing = dataclasses.MISSING
    required = frozenset(
        field.name for field in fields if field.default is missing and field.default_factory is missing
    )
    return _Plan(cls, cls, {name: hints[name] for name in hints if name in known}, required)
