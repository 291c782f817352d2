"""Reading JSON of a file that may be anything: each field has to be of its type."""

import json
from collections.abc import Callable, Mapping
from typing import Any, NoReturn, TypeVar

from corps.errors import Damaged, NewerFormat

T = TypeVar("T")


class Fields:
    """The fields of a JSON object. One thread."""

    def __init__(self, facts: Mapping[str, Any], where: str, hidden: str = "") -> None:
        """Read `facts`, of `where`: errors say so, and never show the value of the `hidden` one."""
        self._facts = facts
        self._where = where
        self._hidden = hidden

    def refuse(self, name: str, problem: str = "") -> NoReturn:
        """Raise Damaged about a field."""
        if name not in self._facts:
            raise Damaged(f"{self._where} has no field {name!r}")
        value = "" if name == self._hidden else f" is {self._facts[name]!r:.80}, and"
        raise Damaged(f"{self._where}: the field {name!r}{value} is not what it has to be{problem}")

    def take(self, name: str, kind: type[T], is_right: Callable[[T], object] = lambda _: True) -> T:
        """Return a field of exactly this type; a whole number is a float too."""
        value = self._facts.get(name)
        if kind is float and type(value) is int:
            value = float(value)
        if type(value) is not kind or not is_right(value):
            self.refuse(name)
        return value

    def make(self, name: str, make: Callable[[Any], T]) -> T:
        """Return what a function makes of a field; its TypeError or ValueError says what is wrong."""
        try:
            return make(self._facts.get(name))
        except (TypeError, ValueError, OverflowError) as error:
            self.refuse(name, f": {error}")


def read_object(text: str | bytes, where: str, *, newest: int, limit: int, hidden: str = "") -> Fields:
    """Read a JSON object with a field ``format``.

    Args:
        text: The JSON.
        where: Whence it comes, for the texts of errors.
        newest: The last format that this release can read.
        limit: So long it may be, in bytes or characters.
        hidden: The field whose value no error shows.

    Returns:
        Its fields.

    Raises:
        Damaged: It is none.
        NewerFormat: It has a later format.
    """
    if len(text) > limit:
        raise Damaged(f"{where} has {len(text)} characters, and {limit} are the most")
    try:
        facts = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Damaged(f"{where} is no JSON: {error}") from error
    if type(facts) is not dict:
        raise Damaged(f"{where} is no JSON object but a {type(facts).__name__}")
    fields = Fields(facts, where, hidden)
    form = fields.take("format", int, lambda number: number >= 1)
    if form > newest:
        raise NewerFormat(f"{where} has format {form}; this release of corps reads up to {newest}")
    return fields
