"""The main module of processes that workers start with `multiprocessing` (`spawn`, `forkserver`).

Such a process runs the main module of its parent, and later imports the application, to unpickle a function
of it. An Env says that its main module is this file. Its finder finds the application under its name in Envs,
and keeps it when it comes to a call of `corps.boot`, as in an Env. So a script without a guard may use pools.

It imports nothing of corps, because a process that needs no application should not wait for that.
"""

import importlib.util
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from types import ModuleType
from typing import Any, Final

APPLICATIONS: Final = "_CORPS_APPLICATIONS"
"""The environment variable of Envs that names the applications which they, and their ancestors, have."""


def applications() -> dict[str, str]:
    """Give the applications of this Env and of those that have started it: files by names of modules."""
    pairs = [each.partition("=") for each in os.environ.get(APPLICATIONS, "").split(os.pathsep) if each]
    return {name: file for name, _, file in pairs}


def add_application(name: str, file: str) -> None:
    """Have this process, and all that it starts, know an application by name and file of its module."""
    known = {**applications(), name: file}
    os.environ[APPLICATIONS] = os.pathsep.join(f"{name}={file}" for name, file in known.items())


class ApplicationFinder(MetaPathFinder):
    """Finds applications by their names in Envs. `known` has the file of each. Thread-safe."""

    def __init__(self, known: Mapping[str, str]) -> None:
        self._known = known

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """See `importlib.abc.MetaPathFinder`."""
        file = self._known.get(name)
        if file is None:
            return None
        inside = [os.path.dirname(file)] if os.path.basename(file) == "__init__.py" else None
        loader = Keeper(SourceFileLoader(name, file))
        return importlib.util.spec_from_file_location(
            name, file, loader=loader, submodule_search_locations=inside
        )


class Keeper(Loader):
    """Executes a module as its loader does; if it stops at `corps.boot`, keeps it, and calls `stopped`."""

    def __init__(self, loader: Any, stopped: Callable[[], object] = bool) -> None:
        self._loader = loader
        self._stopped = stopped

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """See `importlib.abc.Loader`."""
        created: ModuleType | None = self._loader.create_module(spec)
        return created

    def exec_module(self, module: ModuleType) -> None:
        """See `importlib.abc.Loader`."""
        assert module.__spec__ is not None
        # Code that asks for its source or data must find the real loader.
        module.__spec__.loader = module.__loader__ = self._loader
        try:
            self._loader.exec_module(module)
        except BaseException as error:
            if not is_stop(error):
                raise
            self._stopped()


def is_stop(error: BaseException) -> bool:
    """Return whether this is `StopLoading`, or a group of nothing else, as a task group makes it."""
    if isinstance(error, BaseExceptionGroup):
        return all(map(is_stop, error.exceptions))
    return type(error).__name__ == "StopLoading"  # by its name, for this file also runs as a program


if __name__ == "__mp_main__":
    sys.meta_path.insert(0, ApplicationFinder(applications()))
