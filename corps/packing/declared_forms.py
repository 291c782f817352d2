"""How values of declared types travel as plain data, and come back: one form for each type hint.

A form *lowers* a value to plain data of the codec "data", and *lifts* plain data to a value. It knows its
type from the declaration alone. Nothing of what has come names a class, so nothing can be loaded, imported or
called that was not declared. Types are matched exactly, because a subclass would arrive as its base.

Here are the forms of single values. Those of values with others inside are in `declared_holders`.
"""

import datetime
import decimal
import enum
import uuid
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, Final, NoReturn

_LONGEST: Final = 80  # characters of a value in a text
_BIGGEST: Final = 1024 * 8 - 1  # bits of an integer beside its sign: see `bounds`
_LONGEST_NUMBER: Final = 1000  # characters of a Decimal

ABSENT: Final = object()  # what stands for a value that is not there


class Misfit(Exception):
    """A value is not of its declared form. Each container on the way out adds its step to the path."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text
        self.steps: list[str] = []  # the innermost first

    def path(self, start: str) -> str:
        """Return where in the value `start` the misfit is."""
        return start + "".join(reversed(self.steps))


def shown(value: Any) -> str:
    """Describe a value for a text. Runs no code of an author, and makes no long text of a number."""
    kind = type(value)
    if kind in (type(None), bool, float) or (kind is int and value.bit_length() <= 64):
        return repr(value)
    if kind in (str, bytes):
        return repr(value) if len(value) <= _LONGEST else f"{value[:_LONGEST]!r}..."
    if kind in (list, tuple, dict, set, frozenset):
        return f"a {kind.__name__} of {len(value)}"
    return f"an object of type {kind.__qualname__}"


class Form:
    """One declared type. Immutable once made; any thread may use it.

    Attributes:
        words: The type, for texts.
        kinds: The kinds of plain data that its values are lowered to.
        also: Further kinds that it lifts.
    """

    words: str
    kinds: frozenset[type]
    also: frozenset[type] = frozenset()

    def fits(self, value: Any) -> bool:
        """Return whether a value is of this type as far as its own class says, without a look inside."""
        raise NotImplementedError

    def lower(self, value: Any) -> Any:
        """Return a value as plain data, or raise a Misfit."""
        raise NotImplementedError

    def lift(self, plain: Any) -> Any:
        """Return plain data as a value, or raise a Misfit."""
        raise NotImplementedError

    def refuse(self, value: Any) -> NoReturn:
        """Say that a value is not of this type."""
        raise Misfit(f"{self.words} is declared, and {shown(value)} is given")


class Exact(Form):
    """A type of plain data that travels as it is."""

    def __init__(self, kind: type) -> None:
        self.words = "None" if kind is type(None) else kind.__name__
        self._kind = kind
        self.kinds = frozenset({kind})

    def fits(self, value: Any) -> bool:
        """See `Form.fits`."""
        return type(value) is self._kind

    def lower(self, value: Any) -> Any:
        """See `Form.lower`."""
        if type(value) is not self._kind:
            self.refuse(value)
        return value

    def lift(self, plain: Any) -> Any:
        """See `Form.lift`."""
        return self.lower(plain)


class Number(Exact):
    """An int; or a float, which may be an int too, as Python's own rule for hints says."""

    def __init__(self, kind: type[int | float]) -> None:
        super().__init__(kind)
        self.also = frozenset({int}) - self.kinds

    def lower(self, value: Any) -> Any:
        """See `Form.lower`."""
        if type(value) is not self._kind and type(value) not in self.also:
            self.refuse(value)
        if type(value) is int and value.bit_length() > _BIGGEST:
            raise Misfit(f"an int of {value.bit_length()} bits is given, and {_BIGGEST} are allowed")
        return value


INT: Final = Number(int)


class Converted(Form):
    """A class of the standard library, whose values travel as something plain."""

    def __init__(
        self, kind: type, plain: type, lower: Callable[[Any], Any], lift: Callable[[Any], Any]
    ) -> None:
        self.words = kind.__name__
        self.kinds = frozenset({plain})
        self._kind = kind
        self._plain = plain
        self._lower = lower
        self._lift = lift

    def fits(self, value: Any) -> bool:
        """See `Form.fits`."""
        return type(value) is self._kind

    def lower(self, value: Any) -> Any:
        """See `Form.lower`."""
        if type(value) is not self._kind:
            self.refuse(value)
        return self._lower(value)

    def lift(self, plain: Any) -> Any:
        """See `Form.lift`."""
        if type(plain) is not self._plain:
            self.refuse(plain)
        try:
            return self._lift(plain)
        except (ValueError, TypeError, ArithmeticError) as error:  # text that is none, a date that cannot be
            raise Misfit(f"{self.words} is declared, and {shown(plain)} is none: {error}") from error


def _text_of_time(value: datetime.datetime | datetime.time) -> str:
    if value.fold:
        raise Misfit("a time with fold=1 is given, and ISO 8601 cannot say that: give it a UTC offset")
    return value.isoformat()


def _text_of_moment(value: datetime.datetime) -> str:
    # Of one with a time zone the offset travels, and that says already which of two equal hours is meant.
    return value.isoformat() if value.utcoffset() is not None else _text_of_time(value)


def _number_of_text(text: str) -> decimal.Decimal:
    if len(text) > _LONGEST_NUMBER:
        raise ValueError(f"it has {len(text)} characters, and {_LONGEST_NUMBER} are allowed")
    return decimal.Decimal(text)


def _days(items: list[Any]) -> datetime.timedelta:
    if len(items) != 3 or any(type(item) is not int for item in items):
        raise ValueError("it wants to be days, seconds and microseconds")
    return datetime.timedelta(*items)


STANDARD: Final[tuple[tuple[type, Form], ...]] = (
    *((kind, Exact(kind)) for kind in (type(None), bool, str, bytes)),
    (int, INT),
    (float, Number(float)),
    (bytearray, Converted(bytearray, bytes, bytes, bytearray)),
    (
        datetime.datetime,
        Converted(datetime.datetime, str, _text_of_moment, datetime.datetime.fromisoformat),
    ),
    (datetime.date, Converted(datetime.date, str, datetime.date.isoformat, datetime.date.fromisoformat)),
    (datetime.time, Converted(datetime.time, str, _text_of_time, datetime.time.fromisoformat)),
    (
        datetime.timedelta,
        Converted(datetime.timedelta, list, lambda each: [each.days, each.seconds, each.microseconds], _days),
    ),
    (decimal.Decimal, Converted(decimal.Decimal, str, str, _number_of_text)),
    (uuid.UUID, Converted(uuid.UUID, str, str, uuid.UUID)),
)
"""The forms of classes that stand for one value."""


class Chosen(Form):
    """One of some values: of an Enum, or of a Literal. What travels is the plain value."""

    def __init__(self, words: str, choices: Iterable[tuple[Any, Any]]) -> None:
        """Know the choices, each with the plain value that stands for it. Both can be keys."""
        self.words = words
        self._plain = {(type(choice), choice): plain for choice, plain in choices}
        self._choices = {(type(plain), plain): choice for (_, choice), plain in self._plain.items()}
        self._types = frozenset(kind for kind, _ in self._plain)
        self.kinds = frozenset(kind for kind, _ in self._choices)
        self.has_doubles = len(self._choices) < len(self._plain)

    def fits(self, value: Any) -> bool:
        """See `Form.fits`."""
        return type(value) in self._types and (type(value), value) in self._plain

    def lower(self, value: Any) -> Any:
        """See `Form.lower`."""
        if type(value) not in self._types:
            self.refuse(value)
        plain = self._plain.get((type(value), value), ABSENT)
        if plain is ABSENT:
            self.refuse(value)
        return plain

    def lift(self, plain: Any) -> Any:
        """See `Form.lift`."""
        choice = ABSENT
        if type(plain) in self.kinds:
            with suppress(TypeError):  # a tuple with a list inside
                choice = self._choices.get((type(plain), plain), ABSENT)
        if choice is ABSENT:
            known = ", ".join(shown(stands) for _, stands in list(self._choices)[:20])
            raise Misfit(f"{self.words} is declared, and {shown(plain)} is none of {known}")
        return choice


class Flags(Form):
    """A Flag: some of its members together. What travels is their number."""

    def __init__(self, kind: type[enum.Flag], bits: int) -> None:
        self.words = kind.__qualname__
        self.kinds = frozenset({int})
        self._kind = kind
        self._bits = bits  # of all members

    def fits(self, value: Any) -> bool:
        """See `Form.fits`."""
        return type(value) is self._kind

    def lower(self, value: Any) -> Any:
        """See `Form.lower`."""
        if type(value) is not self._kind:
            self.refuse(value)
        return self._checked(value.value)

    def lift(self, plain: Any) -> Any:
        """See `Form.lift`."""
        return self._kind(self._checked(plain))

    def _checked(self, bits: Any) -> int:
        if type(bits) is not int or bits < 0 or bits & ~self._bits:
            self.refuse(bits)
        return bits
