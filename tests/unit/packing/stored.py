"""The durable form in memory: what `store` writes and `load` reads, without a file."""

from io import BytesIO
from typing import Any

from corps.packing.durable_format import Manifest, read_form
from corps.packing.storage import load_from, stored_parts


def store_bytes(value: object, codec: str = "pickle") -> bytes:
    return b"".join(stored_parts(value, codec))


def load_bytes(data: bytes, **options: Any) -> Any:
    return load_from(BytesIO(data), **options)


def take_apart(data: bytes) -> tuple[Manifest, bytes]:
    form = BytesIO(data)
    return read_form(form), form.read()
