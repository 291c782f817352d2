"""A thread that looks how large the processes of a Corps are."""

import os
from collections import defaultdict
from threading import Event, Thread
from typing import Final

from corps.clock import now
from corps.testing.chaos.census import Household
from corps.testing.chaos.growth import Sample, own_bytes


class Sampler:
    """Takes samples from `start` until `stop`. One thread.

    Args:
        household: Of its own, for only its thread uses it.
        pause: Seconds between two samples.
    """

    def __init__(self, household: Household, pause: float = 1.0) -> None:
        self._household = household
        self._pause = pause
        self._is_over = Event()
        self._thread: Final = Thread(target=self._run, name="chaos-sampler", daemon=True)
        self.series: Final[dict[tuple[int, int], list[Sample]]] = defaultdict(list)
        """The samples by the Env and the process id; Env 0 is this process. Complete after `stop`."""

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Take no more."""
        self._is_over.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._is_over.wait(self._pause):
            for env, pid in {0: os.getpid(), **self._household.envs()}.items():
                size = own_bytes(pid)
                if size:
                    self.series[env, pid].append((now(), size))
