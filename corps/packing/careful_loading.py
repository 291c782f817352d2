"""Loads pickles of others: as data, or within the names that their reader allows.

All names of the manifest are judged before anything of the body is read. Leans on the careful reader, its
two judges and enum members.
"""

import sys
from collections.abc import Sequence
from importlib import import_module
from types import ModuleType
from typing import Any

from corps.errors import UnpackError
from corps.packing.allowed_names import AllowedNames
from corps.packing.enum_members import FIND_MEMBER, find_member
from corps.packing.pickle_reader import Judge, PickleReader
from corps.packing.plain_objects import PlainObjects
from corps.packing.unpickler import Allow, Rebind, Resolve


def read_plain(body: bytes, names: Sequence[str], resolve_module: Resolve | None, allow: Allow) -> Any:
    """Return the object of a pickle, and run nothing of it. Raise Untrusted if it is more than data.

    The default resolver finds only modules that are imported already. UnpackError: it is no pickle, or lacks
    a name.
    """
    judge = PlainObjects(resolve_module or _imported_module, allow)
    value = _read(body, names, judge)
    judge.check_filled()
    return value


def read_allowed(
    body: bytes,
    names: Sequence[str],
    resolve_module: Resolve | None,
    allow: Allow,
    rebind: Rebind,
) -> Any:
    """Return the object of a pickle that may call what ``allow`` allows.

    Raise Untrusted if it names or does more, UnpackError if it is no pickle, lacks a name, or what it called
    has failed.
    """
    return _read(
        body,
        names,
        AllowedNames(allow, resolve_module or import_module, {**rebind, FIND_MEMBER: find_member}),
    )


def _read(body: bytes, names: Sequence[str], judge: Judge) -> Any:
    for name in names:
        module, _, qualname = name.partition(":")
        judge.find(module, qualname)
    return PickleReader(judge).read(body)


def _imported_module(name: str) -> ModuleType:
    """Return a module that is there already: importing one runs its code."""
    module = sys.modules.get(name)
    if module is None:
        raise UnpackError(f"the bytes name the module {name}, which is not imported here: import it before")
    return module
