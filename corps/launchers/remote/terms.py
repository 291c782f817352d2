"""What a booting process wants of its parents on other hosts, and what must be equal on both sides."""

import importlib.metadata
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from corps.launchers.remote.words import PROTOCOL, Here

_PACKAGES: Final = ("msgpack", "cloudpickle", "pyzmq")


@dataclass(frozen=True, slots=True)
class Terms:
    """What is wanted of each parent."""

    entry: str  # what the Envs run, as module:function
    preload: Sequence[str]  # modules that their template imports
    argv: Sequence[str]
    digest: str  # of the application's files; empty if there are none
    archive: bytes  # those files
    start_timeout: float  # seconds for the start of a parent, and of a process
    beat: float  # seconds between two signs of a parent
    suspect_after: float  # seconds of silence after which a host is suspect
    lost_after: float  # seconds of silence after which a host is lost
    as_lines: bool = False  # whether what Envs write is handed over line by line


def here(node: str, reached_at: str) -> Here:
    """Return what this process has to say of itself as a parent."""
    return Here(PROTOCOL, platform.python_version(), _version("corps"), packages(), node, reached_at)


def packages() -> dict[str, str]:
    """Return the versions of what corps needs to speak to other processes."""
    return {name: _version(name) for name in _PACKAGES}


def differences(there: Here, ours: Here) -> list[str]:
    """Return the differences that matter, each with both sides; empty if Envs can be there.

    Code that travels by value needs the same minor version of Python, and what packs and sends it the same
    version of each package.
    """
    found: list[str] = []

    def compare(what: str, one: object, other: object) -> None:
        if one != other:
            found.append(f"{what} is {one} there and {other} here")

    compare("the protocol of parents", there.protocol, ours.protocol)
    compare("corps", there.corps, ours.corps)
    compare("Python", _minor(there.python), _minor(ours.python))
    for name in sorted({*there.packages, *ours.packages}):
        compare(name, _of(there.packages, name), _of(ours.packages, name))
    return found


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])


def _of(versions: Mapping[str, str], name: str) -> str:
    return versions.get(name) or "missing"


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""
