"""Storing objects in files and reading them back, by this release or a later one.

The durable form differs from what travels on the wire: it carries no code, says which names it needs, has a
version, and knows when it is damaged. Writing is atomic: a file is the old one or the new one, never half.

It does not protect a reader from the writer of the file. Reading a form in the codec "pickle" runs what
its manifest names. So files of others are to be loaded with ``trust="data"``, which runs nothing; ``allow``
decides name by name.
"""

import os
from io import BytesIO
from typing import Any, BinaryIO

from corps.errors import ConfigError, Untrusted
from corps.exporting import exported
from corps.handlers import came_from_a_handler
from corps.packing.blame import explain
from corps.packing.codecs import DATA, DILL, tag_of
from corps.packing.data import decode_data, encode_data
from corps.packing.durable_format import build, read_form
from corps.packing.durable_pickler import DurablePickler, Parts
from corps.packing.replacing import replace_file
from corps.packing.unpickler import Allow, Finder, Rebind, Resolve, read_pickle


@exported
def store(value: object, path: str | os.PathLike[str], *, codec: str = "pickle") -> None:
    """Write an object to a file. Large buffers, as those of arrays, are not copied for that.

    Args:
        value: The object. Its functions and classes have to be importable by name.
        path: The file. If it exists it is replaced, at once and as a whole, with the mode and the owner that
            it has; on failure it stays as it was. Otherwise only its owner may read the new one. A symbolic
            link is followed.
        codec: ``"pickle"``, or ``"data"`` for plain data that any reader may load safely.

    Raises:
        PackError: Something in the object cannot be stored.
        ConfigError: The codec is unknown, or packs code by value.
        NotAFile: The path leads to a directory, a pipe, a device or a socket.
        OSError: The file cannot be written.
    """
    replace_file(path, stored_parts(value, codec))


@exported
def load(
    path: str | os.PathLike[str],
    *,
    trust: str = "code",
    allow: Allow | None = None,
    resolve_module: Resolve | None = None,
    rebind: Rebind | None = None,
) -> Any:
    """Read an object that ``store`` wrote.

    Args:
        path: The file.
        trust: ``"data"`` for files of others: containers, dataclasses, named tuples, enums, and values of
            `datetime` and `decimal` are made, of classes whose modules are imported already. Nothing of the
            file or of these classes is run. ``"code"`` for files of your own.
        allow: Whether ``(module, qualname)`` may be loaded; None: what the form's own manifest lists. Of what
            it allows only classes and functions are taken that have this very name, no hidden ones, and
            nothing of corps. The file may call these with any arguments.
        resolve_module: Gives the module of a name; None: the import system.
        rebind: What to answer for some names instead of the real thing.

    Returns:
        The object.

    Raises:
        Damaged: The file is truncated, changed, or was never written by ``store``.
        NewerFormat: A newer release of corps wrote it.
        Untrusted: It names or does what ``trust`` or ``allow`` refuse, or names something outside of its own
            manifest.
        UnpackError: A class that it names no longer exists, or rebuilding the object failed.
        ConfigError: ``trust`` is another word.
        OSError: The file cannot be read.
    """
    with open(path, "rb") as file:
        # What comes out of a pipe cannot be read twice.
        form: BinaryIO = file if file.seekable() else BytesIO(file.read())
        return load_from(form, trust=trust, allow=allow, resolve_module=resolve_module, rebind=rebind)


def stored_parts(value: object, codec: str) -> list[bytes | memoryview]:
    """Return the durable form of an object, in parts; see `store`."""
    tag = tag_of(codec)
    if tag == DILL:
        raise ConfigError(
            "the codec 'dill' packs code by value, which must not be stored; use 'pickle' or 'data'"
        )
    encode = _encode_data if tag == DATA else _encode_pickle
    try:
        body, names = encode(value)
    except KeyboardInterrupt:
        raise
    # As in Packer.pack: what the application's own reducers raise is the reason why it cannot be packed.
    except BaseException as error:
        if came_from_a_handler(error):
            raise
        raise explain(value, "value", error, encode, only_data=tag == DATA) from error
    return build(tag, names, body)


def load_from(
    form: BinaryIO,
    *,
    trust: str = "code",
    allow: Allow | None = None,
    resolve_module: Resolve | None = None,
    rebind: Rebind | None = None,
) -> Any:
    """Return the object of a form in a file that can go back. All names are checked before any is used."""
    if trust not in ("code", "data"):
        raise ConfigError(f'trust = {trust!r} is not known: "data" for files of others, "code" for your own')
    manifest = read_form(form)
    if manifest.codec == "data":
        return decode_data(form.read())
    listed = frozenset(manifest.names)

    def is_listed(module: str, qualname: str) -> bool:
        if f"{module}:{qualname}" not in listed:
            raise Untrusted(f"the stored form is forged: its manifest does not list {module}:{qualname}")
        return allow is None or allow(module, qualname)

    if trust == "data" or allow is not None:
        # Imported here: most processes never load a file of others, and it takes 10 ms.
        from corps.packing.allowed_names import read_allowed
        from corps.packing.plain_objects import read_plain

        if trust == "data":
            return read_plain(form.read(), manifest.names, resolve_module, is_listed)
        return read_allowed(form.read(), manifest.names, resolve_module, is_listed, rebind or {})
    finder = Finder(rebind=rebind, resolve_module=resolve_module, allow=is_listed)
    for name in manifest.names:
        module, _, qualname = name.partition(":")
        finder.find(module, qualname)
    return read_pickle(form, (), finder)


def _encode_pickle(value: object) -> tuple[list[bytes | memoryview], set[str]]:
    file = Parts()
    pickler = DurablePickler(file)
    pickler.dump(value)
    return file.parts, pickler.names


def _encode_data(value: object) -> tuple[list[bytes | memoryview], set[str]]:
    return [encode_data(value)], set()
