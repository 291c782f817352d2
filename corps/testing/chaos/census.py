"""Which processes belong to a Corps, as the kernel tells it, and which are left of it (I8).

Found from outside: an Env is a child of the template, which is a child of the process that booted the Corps,
and both have names. What Envs start themselves is found by the session of the template, and by a mark in the
environment that everything inherits which is started while it is set.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

import psutil

from corps.addresses import FRONT, env_label
from corps.testing.chaos.judgement import Invariant, Violation

MARK: Final = "CHAOS_MARK"
"""The environment variable that marks what a storm starts."""
_TEMPLATE: Final = "corps-template"
_ENV: Final = "corps-env"
_FRONT: Final = f"corps-{env_label(FRONT)}"


class Household:
    """The processes of one Corps that this process has booted, or will, or another one has. One thread.

    Made before the boot: templates that are there already belong to other Corps.
    """

    def __init__(self, booting: psutil.Process | None = None) -> None:
        """Look for what this process boots; or `booting`, which has booted one Corps alone."""
        self._booting = booting or psutil.Process()
        self._foreign = set() if booting else set(_named_children(self._booting).get(_TEMPLATE, ()))
        self._template: psutil.Process | None = None

    def envs(self) -> dict[int, psutil.Process]:
        """Return the process of each living Env, by its id; the front is among them."""
        for each in _named_children(self._booting).get(_TEMPLATE, ()):
            if each not in self._foreign:
                self._template = each
        if self._template is None:
            return {}
        found = {_env_of(name): each[-1] for name, each in _named_children(self._template).items()}
        return {env: process for env, process in found.items() if env is not None}

    def left(self, mark: str) -> list[psutil.Process]:
        """Return the processes that are left of the Corps, zombies too. `mark` is the value of `MARK`."""
        found = []
        for each in psutil.process_iter():
            with suppress(psutil.Error, ProcessLookupError):
                is_ours = self._template is not None and os.getsid(each.pid) == self._template.pid
                if each.pid != os.getpid() and (is_ours or each.environ().get(MARK) == mark):
                    found.append(each)
        return found


def _named_children(parent: psutil.Process) -> dict[str, list[psutil.Process]]:
    """Return the living children of a process, by their names."""
    found: dict[str, list[psutil.Process]] = {}
    with suppress(psutil.NoSuchProcess):
        for each in parent.children():
            with suppress(psutil.Error):
                if each.status() not in {psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD}:
                    found.setdefault(each.name(), []).append(each)
    return found


def _env_of(name: str) -> int | None:
    """Return which Env a process is, by its name."""
    if name == _FRONT:
        return FRONT
    number = name.removeprefix(_ENV)
    return int(number) if name != number and number.isdecimal() else None


@contextmanager
def environment(name: str, value: str) -> Iterator[None]:
    """Set an environment variable for the block."""
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def orphans(left: list[psutil.Process]) -> Iterator[Violation]:
    """Yield a violation for each process that `Household.left` found."""
    for each in left:
        with suppress(psutil.NoSuchProcess):
            text = f"process {each.pid} ({each.name()}, state {each.status()}) is left"
            yield Violation(Invariant.NO_ORPHANS, text)
