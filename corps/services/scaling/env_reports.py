"""What an Env and its host have free: measured in that Env, and put together where a pool is kept."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from corps.clock import now
from corps.errors import CorpsError
from corps.runtime.calls.futures import Future
from corps.runtime.env import Env
from corps.scaling.placing import EnvReport

_ANSWERS: Final = 2.0  # seconds that an Env has to answer
_MEMORY: Final = Path("/proc/meminfo")


def measured(env: Env) -> list[float]:
    """Return what the EnvMgr of an Env reports, as plain data.

    That is: seconds of processor time of its process, workers, processors of its host that are idle, bytes of
    memory there that are free, and the share that is in use.
    """
    times = os.times()
    total, available = _memory()
    idle = max(0.0, len(os.sched_getaffinity(0)) - os.getloadavg()[0])
    share = 1.0 - available / total if total else 0.0
    return [times.user + times.system, float(len(env.registry.cells())), idle, available, share]


def _memory() -> tuple[float, float]:
    """Return how many bytes of memory the host has, and how many are available; 0 if it does not say."""
    try:
        lines = _MEMORY.read_text("ascii").splitlines()
    except OSError:
        return 0.0, 0.0
    fields = dict(line.split(":", 1) for line in lines if ":" in line)

    def of(name: str) -> float:
        return float(fields.get(name, "0 kB").split()[0]) * 1024

    return of("MemTotal"), of("MemAvailable")


class EnvReports:
    """The last reports of the Envs of a Corps. Event loop only."""

    def __init__(self, env: Env) -> None:
        """Know nothing yet."""
        self._env = env
        self._used: dict[int, tuple[float, float]] = {}  # processor time of each process, and when
        self._reports: dict[int, EnvReport] = {}

    async def ask(self, places: Sequence[int]) -> list[EnvReport]:
        """Ask some Envs, and return their last reports. One that does not answer keeps its older one."""
        env = self._env
        asked: dict[int, Future[list[float]]] = {}
        for place in places:
            try:
                asked[place] = env.ask_manager(place, "report", seconds=_ANSWERS)
            except CorpsError:  # it ends
                continue
        for place, answer in asked.items():
            try:
                self._take(place, await answer)
            except CorpsError:  # it is lost just now, or hangs
                continue
        return [self._reports[place] for place in places if place in self._reports]

    def _take(self, place: int, fields: list[float]) -> None:
        used, workers, idle, memory, share = fields
        at = now()
        before, then = self._used.get(place, (used, at))
        self._used[place] = used, at
        busy = (used - before) / (at - then) if at > then else 0.0
        free = {"cpu": idle, "memory": memory}
        labels = frozenset(self._env.labels.get(place, ()))
        # Below 0 after another process has taken the place.
        self._reports[place] = EnvReport(place, labels, max(0.0, busy), int(workers), free, share, at)
