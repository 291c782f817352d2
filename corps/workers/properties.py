"""The properties of a worker that is registered in a Dir: data that nobody can change, and little of it."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from corps.errors import PropertyError
from corps.handlers import came_from_a_handler
from corps.packing.data import encode_data

Properties: TypeAlias = Mapping[str, Any]

NONE: Final[Properties] = MappingProxyType({})

MOST: Final = 4096
"""Bytes of the properties of one entry, packed."""

RESERVED: Final = frozenset({"tag", "unique", "where", "timeout", "match"})
"""Names that no property can have, because the functions of Dirs have parameters of these names."""


def checked_properties(properties: Mapping[str, Any]) -> Properties:
    """Return properties as they are kept.

    Raises:
        PropertyError: One has a name that cannot be, is no immutable data, or all together are too large.
    """
    if not properties:
        return NONE
    for key, value in properties.items():
        if type(key) is not str or not key.isidentifier() or key in RESERVED:
            raise PropertyError(
                f"a property cannot be named {key!r:.80}: wants an identifier, and none of "
                f"{', '.join(sorted(RESERVED))}"
            )
        _check(key, value)
    size = len(encode_data(dict(properties)))
    if size > MOST:
        raise PropertyError(
            f"the properties {', '.join(properties):.200} have {size} bytes, and {MOST} is the most: a Dir "
            "is no database; let the worker have such data, and give it when it is asked"
        )
    return MappingProxyType(dict(properties))


def _check(key: str, value: object) -> None:
    try:
        encode_data(value)
        hash(value)
    except Exception as error:
        if came_from_a_handler(error):
            raise
        raise PropertyError(
            f"the property {key}={value!r:.80} is {type(value).__qualname__}: wants data that nobody can "
            "change: None, bool, int, float, str, bytes, or a tuple or frozenset of these"
        ) from error
