"""The codecs: how a body was written, as an integer that travels beside it.

A tag says what a body claims to be. It never decides what the reader is willing to read: that is a setting of
the reader, so a peer that may send plain data only cannot promote itself to pickle by another number. Tags
are part of the wire protocol and of the durable form: never renumber one.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from corps.errors import ConfigError, UnpackError, Untrusted

PICKLE: Final = 1
"""Pickle protocol 5: the C pickler for what goes by reference, cloudpickle for what must go by value."""

DILL: Final = 2  # pickle protocol 5 written by dill, for applications that rely on its rules

DATA: Final = 3  # MessagePack: data only, runs no code on either side. The one codec for strangers

CODEC_TAGS: Final[Mapping[str, int]] = MappingProxyType({"pickle": PICKLE, "dill": DILL, "data": DATA})
"""Codec names, as settings spell them, and their tags."""

CODEC_NAMES: Final[Mapping[int, str]] = MappingProxyType({tag: name for name, tag in CODEC_TAGS.items()})
"""The other way round, for messages to people."""


def tag_of(codec: str) -> int:
    """Return the tag of a codec's name, as settings spell it; ConfigError if there is no such codec."""
    tag = CODEC_TAGS.get(codec)
    if tag is None:
        raise ConfigError(f"there is no codec {codec!r}; choose one of {', '.join(map(repr, CODEC_TAGS))}")
    return tag


def check_may_read(own: int, incoming: int) -> None:
    """Refuse a body whose codec the reader's own setting does not cover.

    The two pickling codecs run code when read, so a reader of one of them gains nothing by refusing the
    other. Every reader takes data. A reader set to data takes nothing else, whatever the tag says.
    """
    if incoming not in CODEC_NAMES:
        raise UnpackError(
            f"a body has the unknown codec {incoming}; a newer release wrote it, or it is damaged"
        )
    if own == DATA and incoming != DATA:
        raise Untrusted(
            f"a body in the codec {CODEC_NAMES[incoming]!r} came where only 'data' is read: nothing of it was"
            " unpacked; the sender has to use the codec 'data'"
        )
