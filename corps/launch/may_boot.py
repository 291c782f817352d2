"""Where `corps.boot` is refused: where it would boot an application from the midst of that application.

Three marks say so. Each belongs to a process or to what it loads, and to no context, so a thread or a
coroutine does not get around it:

* An application is being loaded, or this process is an Env: `this_process` knows.
* A child of `multiprocessing` imports its main module. That runs the script of its parent once more.
* A worker has started a child of `multiprocessing`, or a frozen program: an environment variable names its
  application. The child may boot others, and a worker may start scripts that boot. But the child must not
  boot its own application while it imports that: the import would repeat itself in every worker's child,
  without end. Where `pool_main` imports the application, the import ends at the boot, as in an Env.
"""

import os
import sys
from collections.abc import Iterator
from types import FrameType
from typing import Final

from corps.errors import BootError
from corps.launch.loading import GUARD, StopLoading
from corps.launch.pool_main import ApplicationFinder, add_application, applications
from corps.launch.sources import Source
from corps.runtime.context import current
from corps.runtime.this_process import this_process

_FROZEN: Final = "<frozen>"
_NOBODY: Final = frozenset({"corps", "asyncio", "concurrent", "contextlib", "contextvars"})
"""Packages whose code no author has written."""


def check_before(frame: FrameType | None) -> None:
    """Refuse a boot that may not be, before its source is looked at. `frame` calls `corps.boot`.

    It raises StopLoading while an application is loaded: what stands above the call is the application. It
    raises a BootError if a worker asks, or a thread of its process, or a module that a child process imports.
    """
    where = line_of(frame)
    _stop_loading(where)
    here = current.get()
    if this_process.env_id is not None or (here is not None and here.cell is not None):
        raise BootError(
            f"{where}: a worker, or a thread in its process, cannot boot a Corps of its own: create it "
            f"inside this one with corps.create(...). If this runs because a module was imported, {GUARD}"
        )
    _check_imports(where)


def check_before_apart(frame: FrameType) -> None:
    """Do the same for a boot in a process of its own, which workers may want."""
    where = line_of(frame)
    _stop_loading(where)
    if this_process.env_id is None:
        _check_imports(where)


def _stop_loading(where: str) -> None:
    loading = this_process.loading()
    if loading is not None:
        loading.stop_at(where)
        raise StopLoading(
            f"{where}: corps.boot was called while {loading.what} is being loaded in an Env: {GUARD}"
        )


def _check_imports(where: str) -> None:
    """Refuse a boot by a module that a child process imports of its own program."""
    ancestors = applications().values()
    for name, file in _imports_under_way():
        if name == "__mp_main__" or file in ancestors:
            text = (
                f"{where}: corps.boot was called while {file} is being imported in a child process of its "
                f"own program, which would boot it again and again: {GUARD}"
            )
            is_kept = any(type(each).__name__ == ApplicationFinder.__name__ for each in sys.meta_path)
            raise StopLoading(text) if is_kept else BootError(text)
    if getattr(sys, "frozen", False) and sys.executable in ancestors:
        raise BootError(
            f"{where}: the program {sys.executable} was started again by one of its own workers and would "
            "boot once more, without end: call multiprocessing.freeze_support() before corps.boot(...), or "
            "start another program"
        )


def check_source(source: Source, frame: FrameType | None) -> None:
    """Refuse the application of the workers that have started this process with `multiprocessing`."""
    processes = sys.modules.get("multiprocessing.process")
    if (
        processes is not None
        and processes.parent_process() is not None
        and source.file in applications().values()
    ):
        raise BootError(
            f"{line_of(frame)}: {source.file} is the application of the worker that has started this child "
            f"process; it would be booted again and again: {GUARD}"
        )


def mark_descendants(source: Source) -> None:
    """Have the processes that this Env will start know the application."""
    if getattr(sys, "frozen", False):
        add_application(_FROZEN, sys.executable)
    elif source.file:
        add_application(source.module, source.file)


def line_of(frame: FrameType | None) -> str:
    """Say where a call stands, as ``file, line n``; the caller's caller counts for the standard library."""
    shown = frame
    while shown is not None and shown.f_globals.get("__name__", "").partition(".")[0] in _NOBODY:
        shown = shown.f_back
    shown = shown or frame
    return "?" if shown is None else f"{shown.f_code.co_filename}, line {shown.f_lineno}"


def _imports_under_way() -> Iterator[tuple[str, str]]:
    """Yield the modules, but not the program itself, whose code runs now, with the path of each.

    If the calling thread imports a module, only the innermost counts: a module that boots when it is
    imported, as that of a web service may, is not to blame for what the main module does. Otherwise all
    threads count.
    """
    mine = list(_modules_of(sys._getframe()))
    if mine:
        yield mine[0]
        return
    for stack in sys._current_frames().values():
        yield from _modules_of(stack)


def _modules_of(stack: FrameType) -> Iterator[tuple[str, str]]:
    """Yield the modules that a thread imports now, the innermost first."""
    frame: FrameType | None = stack
    while frame is not None:
        name = frame.f_globals.get("__name__", "")
        if frame.f_code.co_name == "<module>" and name != "__main__":
            yield name, os.path.realpath(frame.f_code.co_filename)
        frame = frame.f_back
