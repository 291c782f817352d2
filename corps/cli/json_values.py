"""What a Corps answers, as JSON for other programs."""

import base64
import dataclasses
import datetime
import decimal
import enum
import math
import pathlib
import uuid
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any


def as_plain(value: Any) -> Any:
    """Return what `json.dumps` takes for a value.

    Bytes become base64, moments ISO 8601, sets and tuples lists, dataclasses, and objects with a method
    ``model_dump`` as those of pydantic, objects. An Enum is its value. Keys become texts.

    Raises:
        ValueError: It has no such form. The text says what has none.
    """
    if value is None or (isinstance(value, str | bool | int) and not isinstance(value, enum.Enum)):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{value} is no number of JSON")
        return value
    if isinstance(value, enum.Enum):
        return as_plain(value.value)
    if isinstance(value, bytes | bytearray | memoryview):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    if isinstance(value, decimal.Decimal | uuid.UUID | pathlib.PurePath | complex):
        return str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {each.name: as_plain(getattr(value, each.name)) for each in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {_key(key): as_plain(each) for key, each in value.items()}
    if isinstance(value, Sequence | AbstractSet):
        return [as_plain(each) for each in value]
    dump = getattr(type(value), "model_dump", None)
    if callable(dump):
        return as_plain(dump(value, mode="json"))
    raise ValueError(
        f"a {type(value).__module__}.{type(value).__qualname__} has no form in JSON; let the method return "
        "plain data"
    )


def _key(key: Any) -> str:
    plain = as_plain(key)
    if isinstance(plain, str):
        return plain
    if plain is None or isinstance(plain, bool):
        return {None: "null", True: "true", False: "false"}[plain]
    if isinstance(plain, int | float):
        return str(plain)
    raise ValueError(f"{key!r:.80} cannot be a key in JSON")
