"""corps as it heals: from a failure until all is as before."""

import logging
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Any, Final

import corps
from benchmarks.cases import DETECTED, IN_PLACE, RECOVERED, RECOVERY, SENT_AFTER, Subject
from benchmarks.ours import CORPS
from benchmarks.timing import Effort, Measure, Works

REST: Final = 1.2
"""Seconds between two failures: one that comes sooner after a start makes the next one wait."""

SETTINGS: Final[dict[str, Any]] = {"env_restart": {"max": 1_000_000}}


class Phoenix(corps.Conc):
    """Comes back whatever happens."""

    restart = corps.Restart(max=1_000_000, backoff=(0.0, 0.0))

    def pid(self) -> int:
        """The process that it lives in."""
        return os.getpid()

    @corps.idempotent(retries=3)
    def safe_pid(self) -> int:
        """The same; it is asked for again if the process dies meanwhile."""
        return os.getpid()

    def linger(self) -> None:
        """Take longer than anybody waits."""
        time.sleep(3600)

    def fail(self) -> None:
        """Be unable to go on."""
        raise corps.Fail("planted")


class Ashes(corps.Corps):
    """An application with nothing in it."""


def _kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def _call_in_a_loop(worker: Any, pid: int) -> None:
    _kill(pid)
    while True:
        try:
            if worker.pid().result() != pid:
                return
        except corps.EnvLost:
            pass


def _send_after(worker: Any, pid: int) -> None:
    _kill(pid)
    worker.safe_pid().result()


def _detect(worker: Any, pid: int) -> None:
    pending = worker.linger()
    _kill(pid)
    if not isinstance(pending.exception(), corps.EnvLost):
        raise RuntimeError("the request did not fail as it should")


def _fail_in_place(worker: Any, pid: int) -> None:
    failing = worker.fail()
    if worker.pid().result() != pid or not isinstance(failing.exception(), corps.Fail):
        raise RuntimeError("the worker did not fail as it should")


def _measure(worker: Any, once: Callable[[Any, int], None], rest: float) -> Measure:
    """Time failures, with a rest before each of them."""

    def measure(effort: Effort) -> list[float]:
        samples: list[float] = []
        until = perf_counter() + effort.seconds
        while not samples or (len(samples) < effort.operations and perf_counter() < until):
            pid = worker.safe_pid().result()
            time.sleep(rest)
            begin = perf_counter()
            once(worker, pid)
            samples.append(perf_counter() - begin)
        return samples

    return measure


@contextmanager
def healing(share: float) -> Iterator[Works]:
    """A worker in an Env of its own, called from the booting process."""
    logging.getLogger("corps").setLevel(logging.CRITICAL)  # of a process that only does this
    with corps.boot(Ashes, envs=2, config=SETTINGS):
        worker = corps.options(env=2).create(Phoenix)
        rest = REST if share == 1 else 0.0
        yield {
            RECOVERED: _measure(worker, _call_in_a_loop, rest),
            SENT_AFTER: _measure(worker, _send_after, rest),
            DETECTED: _measure(worker, _detect, rest),
            IN_PLACE: _measure(worker, _fail_in_place, 0.0),
        }


SUBJECTS: Final = (Subject(RECOVERY, CORPS, "corps", healing),)
