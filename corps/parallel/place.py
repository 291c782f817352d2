"""Where parallel work runs: in the Envs that are here, or in those of a Corps that is booted for it."""

import os
import sys
from pathlib import Path
from typing import Final

from corps.config_files import find_file
from corps.launch.boot import boot
from corps.launch.booted_name import BootedName
from corps.launch.found_settings import current_folder
from corps.runtime.context import current
from corps.runtime.env import Env
from corps.runtime.this_process import this_process
from corps.workers.corps import Corps
from corps.workers.everywhere import env_here

_THREADS: Final = 4  # more than cores in an Env that is alone, as in executors of the standard library
_MOST_THREADS: Final = 32


class ParallelCorps(Corps):
    """The Corps that is booted for parallel work where none is open."""


class Place:
    """The Env from which parallel work is given out, and how its end is asked for."""

    def __init__(self, env: Env, booted: BootedName[ParallelCorps] | None = None) -> None:
        """Take the Env; `booted` is the Corps if this owns it."""
        self.env = env
        self._booted = booted

    @property
    def workers(self) -> int:
        """How many workers have work at once, unless the caller says so."""
        if self.env.peers is None:
            return min(_MOST_THREADS, cores() + _THREADS)
        return max(1, len(self.env.worker_envs))

    def borrowed(self) -> "Place":
        """Return the same place for work that does not end it."""
        return Place(self.env)

    def end(self) -> None:
        """End the Corps if this owns it, and wait for that."""
        if self._booted is not None:
            self._booted._running.end()

    def end_soon(self) -> None:
        """End the Corps if this owns it, and wait for nothing."""
        if self._booted is not None:
            self._booted.exit().when_settled(lambda done: done.hear())


def find_place(what: str, envs: int | None = None, *, otherwise: int | None = None) -> Place:
    """Return the Env that is here; where there is none, or so many Envs are asked for, boot a Corps.

    That has `otherwise` Envs if `envs` does not say it. `what` ends the sentence of an error: "there is no
    Env here" and so on.
    """
    if envs is None and has_env():
        return Place(env_here(what))
    booted = boot(ParallelCorps, envs=envs or otherwise or cores(), config=_config())
    env = booted._running.env
    this_process.forget(env)  # no other code means this one
    return Place(env, booted)


def has_env() -> bool:
    """Return whether an Env is here, or several are."""
    here = current.get()
    return (here is not None and here.env is not None) or bool(this_process.open_envs())


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0))


def _config() -> Path | None:
    """Return the configuration file beside the script, or above it, as `corps.boot` finds it for a script."""
    file = getattr(sys.modules.get("__main__"), "__file__", None)
    return find_file(Path(file).resolve().parent if file else current_folder())
