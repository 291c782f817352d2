"""Which processes belong to a Corps, as the kernel tells it, and which are left of it (I8).

Found from outside: an Env is a child of the template, which is a child of the process that booted the Corps,
and both have names. What Envs start themselves is found by the session of the template, and by a mark in the
environment that everything inherits which is started while it is set.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from corps.addresses import FRONT, env_label
from corps.testing.chaos.judgement import Invariant, Violation

_MARK: Final = "CHAOS_MARK"
_TEMPLATE: Final = "corps-template"
_ENV: Final = "corps-env"
_FRONT: Final = f"corps-{env_label(FRONT)}"


@dataclass(frozen=True, slots=True)
class Seen:
    """A process.

    Attributes:
        pid: Its id.
        parent: The id of its parent.
        session: Its session.
        started: When, in ticks since the start of the machine: tells it from a later one of the same id.
        name: Its name, at most 15 bytes.
        state: One letter; Z for one that has ended and was not waited for.
    """

    pid: int
    parent: int
    session: int
    started: int
    name: str
    state: str


def look() -> list[Seen]:
    """Return all processes of the machine."""
    found = [_read(name) for name in os.listdir("/proc") if name.isdecimal()]
    return [seen for seen in found if seen is not None]


def _read(pid: str) -> Seen | None:
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            text = file.read()
    except OSError:
        return None
    name, _, rest = text.partition("(")[2].rpartition(")")
    fields = rest.split()
    return Seen(int(pid), int(fields[1]), int(fields[3]), int(fields[19]), name, fields[0])


class Household:
    """The processes of one Corps that this process has booted, or will. One thread.

    Made before the boot: templates that are there already belong to other Corps.
    """

    def __init__(self) -> None:
        self._foreign = {each.pid for each in self._templates(look())}
        self._template: Seen | None = None

    @staticmethod
    def _templates(processes: list[Seen]) -> list[Seen]:
        me = os.getpid()
        return [each for each in processes if each.parent == me and each.name == _TEMPLATE]

    def envs(self) -> dict[int, int]:
        """Return the process id of each living Env, by its id; the front is among them."""
        processes = look()
        for each in self._templates(processes):
            if each.pid not in self._foreign:
                self._template = each
        if self._template is None:
            return {}
        parent = self._template.pid
        living = [each for each in processes if each.parent == parent and each.state not in "ZX"]
        found = {_env_of(each.name): each.pid for each in living}
        return {env: pid for env, pid in found.items() if env is not None}

    def left(self, mark: str) -> list[Seen]:
        """Return the processes that are left of the Corps, zombies too. `mark` is from `marking`."""
        me = os.getpid()
        session = self._template.pid if self._template is not None else None
        return [
            each
            for each in look()
            if each.pid != me and (each.session == session or _has_mark(each.pid, mark))
        ]


def _env_of(name: str) -> int | None:
    """Which Env a process is, by its name."""
    if name == _FRONT:
        return FRONT
    number = name.removeprefix(_ENV)
    return int(number) if name != number and number.isdecimal() else None


@contextmanager
def marking() -> Iterator[str]:
    """Give a mark to every process that is started in the block; yield it."""
    mark = os.urandom(16).hex()
    before = os.environ.get(_MARK)
    os.environ[_MARK] = mark
    try:
        yield mark
    finally:
        if before is None:
            del os.environ[_MARK]
        else:
            os.environ[_MARK] = before


def _has_mark(pid: int, mark: str) -> bool:
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return f"{_MARK}={mark}".encode() in file.read().split(b"\0")
    except OSError:
        return False


def orphans(left: list[Seen]) -> Iterator[Violation]:
    """Yield a violation for each process that `Household.left` found."""
    for each in left:
        text = f"process {each.pid} ({each.name}, state {each.state}) is left"
        yield Violation(Invariant.NO_ORPHANS, text)
