"""The bytes of the durable form: a frame, a header of facts, a body.

    magic (8) | format version (2) | BLAKE2b-256 of all other bytes (32) | header length (4) | body length (8)
    header: a map in the codec "data" | body

Integers are big-endian. The first three fields stay where they are in every later format, so that each
release can tell damage from novelty: the checksum is verified before anything else is believed, the version
included. The checksum finds accidents, not attackers: a writer of the file can compute it.

Pure, and unpickles nothing.
"""

import hashlib
import hmac
import os
import platform
import struct
from collections.abc import Sequence
from typing import Any, BinaryIO, Final, NamedTuple

from corps.errors import Damaged, NewerFormat, UnpackError
from corps.packing.codecs import CODEC_NAMES, DATA, PICKLE
from corps.packing.data import decode_data, encode_data

MAGIC: Final = b"\x89corps\r\n"
"""A byte that is no text, the name, and a line end which shows up a transfer in text mode."""

FORMAT_VERSION: Final = 1

Part = bytes | memoryview

_CHUNK: Final = 1 << 20
_DIGEST_SIZE: Final = 32
_OPENING: Final = struct.Struct(">8sH")
_LENGTHS: Final = struct.Struct(">IQ")
_DIGEST_END: Final = _OPENING.size + _DIGEST_SIZE
_HEADER_START: Final = _DIGEST_END + _LENGTHS.size


class Manifest(NamedTuple):
    """What a stored form says about itself."""

    format_version: int
    codec: str  # the name of the codec of the body: ``"pickle"`` or ``"data"``
    # The release of corps that wrote it; ``"unknown"`` if it was not installed as a package.
    corps_version: str
    python_version: str  # the version of Python that wrote it
    names: tuple[str, ...]  # every ``"module:qualname"`` that the body names, sorted
    body_size: int  # bytes of the body


def build(codec: int, names: set[str], body: Sequence[Part]) -> list[Part]:
    """Return the parts of a stored form. Those of the body, bytes or views of bytes, are not copied."""
    facts = {
        "codec": codec,
        "corps": _corps_version(),
        "python": platform.python_version(),
        "names": sorted(names),
    }
    header = encode_data(facts)
    opening = _OPENING.pack(MAGIC, FORMAT_VERSION)
    body_size = sum(map(len, body))
    rest = [_LENGTHS.pack(len(header), body_size), header, *body]
    return [opening, _digest(opening, *rest), *rest]


def read_form(file: BinaryIO) -> Manifest:
    """Read a form once through and leave the file at its body; Damaged or NewerFormat if that cannot be."""
    version = _verified_version(file)
    if version > FORMAT_VERSION:
        raise NewerFormat(
            f"the stored form has format {version}, and this release of corps reads up to {FORMAT_VERSION};"
            " read it with the release that wrote it, or a newer one"
        )
    size = file.seek(0, os.SEEK_END)
    file.seek(_DIGEST_END)
    try:
        header_size, body_size = _LENGTHS.unpack(file.read(_LENGTHS.size))
        facts = decode_data(file.read(min(header_size, size)))
        manifest = _read_facts(version, facts, body_size)
    except (struct.error, UnpackError, KeyError, TypeError) as error:
        raise Damaged(f"the stored form has a senseless header: {type(error).__name__}: {error}") from error
    there = size - _HEADER_START - header_size
    if there != body_size:
        raise Damaged(f"the stored form announces a body of {body_size} bytes and has {there}")
    file.seek(_HEADER_START + header_size)
    return manifest


def _verified_version(file: BinaryIO) -> int:
    opening = file.read(_OPENING.size)
    digest = file.read(_DIGEST_SIZE)
    hashed = hashlib.blake2b(opening, digest_size=_DIGEST_SIZE)
    rest = 0
    # A file that was never a stored form may have no end, as a device has none.
    if opening.startswith(MAGIC):
        while chunk := file.read(_CHUNK):
            hashed.update(chunk)
            rest += len(chunk)
    if rest < _LENGTHS.size:
        raise Damaged("this is no stored form of corps: cut off, or written by something else")
    if not hmac.compare_digest(digest, hashed.digest()):
        raise Damaged("the checksum of the stored form is wrong: cut off, or changed; take an older copy")
    version: int = _OPENING.unpack(opening)[1]
    return version


def _read_facts(version: int, facts: Any, body_size: int) -> Manifest:
    codec, names = facts["codec"], facts["names"]
    if codec not in (PICKLE, DATA):
        raise TypeError(f"the codec {codec!r} is not one of the durable form")
    if not isinstance(names, list) or not all(isinstance(name, str) and ":" in name for name in names):
        raise TypeError("the manifest is not a list of names")
    return Manifest(
        version, CODEC_NAMES[codec], str(facts["corps"]), str(facts["python"]), tuple(names), body_size
    )


def _digest(*parts: Part) -> bytes:
    hashed = hashlib.blake2b(digest_size=_DIGEST_SIZE)
    for part in parts:
        hashed.update(part)
    return hashed.digest()


def _corps_version() -> str:
    # Asked of the installation, because nothing inside corps may import its root. 0.2 ms, beside an fsync.
    # Imported here, because it brings email and zipfile along: 10 ms of the 100 of a template.
    from importlib import metadata

    try:
        return metadata.version("corps")
    except metadata.PackageNotFoundError:
        return "unknown"
