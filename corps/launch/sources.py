"""What is to be booted: a file, a module, or a class, as the user gave it.

The booting process decides it once. All Envs then load the same thing under the same module name, so that its
classes and functions pack by reference everywhere.
"""

import hashlib
import importlib.util
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from threading import RLock
from types import ModuleType
from typing import Any

from corps.errors import LoadError, PackError
from corps.launch.unpacking import SUFFIX, unpacked
from corps.packing.identities import Identities
from corps.packing.packer import Packed, Packer
from corps.packing.references import MAIN, is_importable
from corps.workers.corps import Corps


def _identities() -> Identities:
    return Identities(RLock())


@dataclass(frozen=True, slots=True)
class Source:
    """Where the application's Corps class is found, the same in every Env."""

    module: str  # its name in every Env; empty if the class travels by value
    path: str = ""  # the file of the module; empty if the import system finds it
    qualname: str = ""  # of the class in the module; empty for the only one there is
    by_value: bytes = b""  # the class itself, packed; empty unless it cannot be found by name
    codec: int = 0  # the tag of the codec of `by_value`
    file: str = field(default="", compare=False)  # of the module, whichever finder finds it; or empty
    # Which classes by value this process knows, that one among them. They do not travel.
    identities: Identities = field(default_factory=_identities, compare=False, repr=False)

    def as_list(self) -> list[Any]:
        """Make plain data of it, for the way to the Envs."""
        path, file = os.fsencode(self.path), os.fsencode(self.file)
        return [self.module, path, self.qualname, self.by_value, self.codec, file]

    @classmethod
    def from_list(cls, fields: list[Any]) -> "Source":
        """Make it from what `as_list` gave. Paths are bytes there, because they may be no UTF-8."""
        module, path, qualname, by_value, codec, file = fields
        return cls(module, os.fsdecode(path), qualname, by_value, codec, os.fsdecode(file))

    @property
    def is_main(self) -> bool:
        """Whether the file is the very script that this process runs."""
        return bool(self.path) and _main_file() == Path(self.path)


def find_source(given: Any) -> Source:
    """Find out what the user wants booted: a source as for `corps.boot`. Its file is read, and not run."""
    if isinstance(given, type):
        return _of_class(given)
    if isinstance(given, Path):
        return _of_packaged(given, "") if given.suffix == SUFFIX else _of_file(given, "")
    if not isinstance(given, str) or not given:
        raise LoadError(
            f"{given!r} cannot be booted: give a file, a module's name, or a subclass of corps.Corps"
        )
    place, _, qualname = given.rpartition(":")
    if not place or not qualname.replace(".", "").isidentifier():
        place, qualname = given, ""
    if place.endswith(SUFFIX):
        return _of_packaged(Path(place), qualname)
    if place.endswith(".py") or "/" in place or Path(place).is_file():
        return _of_file(Path(place), qualname)
    return _of_module(place, qualname)


def _of_class(cls: type) -> Source:
    if not issubclass(cls, Corps):
        raise LoadError(f"{cls.__qualname__} cannot be booted: it is not a subclass of corps.Corps")
    is_local = "<locals>" in cls.__qualname__
    module = sys.modules.get(cls.__module__)
    if cls.__module__ in MAIN:
        main_file = _main_file()
        # Under a profiler or tracer another module can be in the place of the script that it runs.
        if (
            main_file is not None
            and not is_local
            and module is not None
            and looked_up(module, cls.__qualname__) is cls
        ):
            try:
                return _of_file(main_file, cls.__qualname__)
            except LoadError as error:
                if not isinstance(error.__cause__, SyntaxError | ValueError):
                    raise  # otherwise it is no plain Python: a script of IPython, or compiled
    elif not is_local:
        file = _file_of(module)
        # Of a file that the import system does not find again, as that of an application with a hyphen in it.
        path = file if module is not None and not is_importable(module) else ""
        return Source(cls.__module__, path, cls.__qualname__, file=file)
    identities = _identities()
    try:
        # Nothing out of band: the bytes travel alone.
        packed = Packer(out_of_band=sys.maxsize, identities=identities).pack(cls, what=cls.__qualname__)
    except PackError as error:
        raise LoadError(
            f"{cls.__qualname__} cannot be booted: it is defined where other processes cannot find it, and "
            f"cannot be sent to them: {error}. Define it at the top of a module"
        ) from error
    return Source(
        "", qualname=cls.__qualname__, by_value=packed.body, codec=packed.codec, identities=identities
    )


def looked_up(module: ModuleType, qualname: str) -> Any:
    """Give what a module has under a dotted name; None if it has nothing there."""
    found: Any = module
    for part in qualname.split("."):
        found = getattr(found, part, None)
    return found


def _file_of(module: ModuleType | None) -> str:
    file = getattr(module, "__file__", None)
    return os.path.realpath(file) if file else ""


def _of_file(given: Path, qualname: str) -> Source:
    try:
        path = given.expanduser().resolve()
        code = path.read_bytes()
    except (OSError, RuntimeError, ValueError) as error:  # no such file, home or directory; a zero byte in it
        raise LoadError(_cannot_be_read(given, error)) from error
    try:
        compile(code, str(path), "exec")
    except (SyntaxError, ValueError) as error:
        where = f", line {error.lineno}" if isinstance(error, SyntaxError) else ""
        raise LoadError(f"{path}{where}: {type(error).__name__}: {error}") from error
    return Source(_name_in_package(path) or _module_name(path), str(path), qualname, file=str(path))


def _of_packaged(given: Path, qualname: str) -> Source:
    """Find the application in one file that ``corps package`` has made."""
    folder, manifest = unpacked(given.expanduser())
    qualname = qualname or manifest.qualname
    if manifest.file:
        return _of_file(folder / manifest.file, qualname)
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    return _of_module(manifest.module, qualname)


def _cannot_be_read(given: Path, error: Exception) -> str:
    """Say why a file cannot be booted; name the folder if it was looked for in the current one."""
    reason = getattr(error, "strerror", None) or str(error)
    if given.is_absolute() or not isinstance(error, FileNotFoundError) or str(given).startswith("~"):
        return f"{given} cannot be read: {reason}"
    try:
        folder = os.getcwd()
    except OSError:
        folder = "which is gone"
    main_file = _main_file()
    beside = main_file.parent / given if main_file is not None else None
    hint = f"; there is one beside the script: {beside}" if beside is not None and beside.is_file() else ""
    return (
        f"{given} cannot be read: {reason} in the current folder ({folder}), where relative names are looked "
        f'for{hint}. Give a full path, such as Path(__file__).with_name("{given.name}")'
    )


def _of_module(name: str, qualname: str) -> Source:
    main = sys.modules.get("__main__")
    if main is not None and sys.modules.get(name) is main and (main_file := _main_file()) is not None:
        return _of_file(main_file, qualname)  # the running script, under the name that it has in Envs
    try:
        found = importlib.util.find_spec(name)
    except (ImportError, ValueError) as error:
        raise LoadError(f"the module {name!r} cannot be found: {error}") from error
    if found is None:
        raise LoadError(f"there is no file and no module {name!r}; a file's name ends in .py")
    return Source(name, qualname=qualname, file=found.origin if found.has_location and found.origin else "")


def _name_in_package(path: Path) -> str:
    """Give the dotted name by which others import a file of a package; empty for any other file.

    A script that runs as ``python -m package.module`` may use relative imports, so it has to be in its
    package everywhere. One that runs by its path is imported by its own name.
    """
    main = sys.modules.get("__main__")
    spec = getattr(main, "__spec__", None)
    if _main_file() == path:
        return str(spec.name) if spec is not None and spec.parent else ""
    folder, names = path.parent, [path.stem]
    while (folder / "__init__.py").is_file():
        names.insert(0, folder.name)
        folder = folder.parent
    is_importable = all(name.isidentifier() for name in names) and str(folder) in map(_real, sys.path)
    return ".".join(names) if len(names) > 1 and is_importable else ""


def _real(entry: str) -> str:
    try:
        return os.path.realpath(entry or os.getcwd())
    except OSError:  # the current folder is gone
        return entry


def _module_name(path: Path) -> str:
    """Give the name that an import of the file would have; with a mark of its path if it can have none."""
    mark = hashlib.sha256(os.fsencode(path)).hexdigest()[:8]
    stem = path.stem
    if not stem.isidentifier() or stem in MAIN:
        return f"app_{mark}"
    loaded = sys.modules.get(stem)
    origin = getattr(loaded, "__file__", None)
    if loaded is None:
        try:
            found = importlib.util.find_spec(stem)
        except (ImportError, ValueError):
            found = None
        origin = found.origin if found is not None else str(path)
    if origin is not None and Path(origin).resolve() == path:
        return stem
    return f"{stem}_{mark}"


def _main_file() -> Path | None:
    """Find the script that this process runs; None in an interactive session, with ``-c`` and from stdin."""
    name = getattr(sys.modules.get("__main__"), "__file__", None)
    if name is None:
        return None
    try:
        path = Path(name).resolve()
    except OSError:  # a relative name, and the directory is gone
        return None
    return path if path.is_file() else None


def class_by_value(source: Source) -> Any:
    """Unpack the class of a source that travels by value."""
    return Packer(identities=source.identities).unpack(Packed(source.codec, source.by_value, ()))
