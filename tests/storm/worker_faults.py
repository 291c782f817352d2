"""Faults that hit one worker of the built-in load alone."""

from collections.abc import Sequence
from random import Random

from corps.addresses import env_label
from corps.testing.chaos.faults import Fault, Injury, Span
from corps.testing.chaos.missed import Missed
from corps.testing.chaos.target import Target
from tests.storm.load import PlacedWorker


class EndWorker(Fault):
    """A method of a worker raises SystemExit, which fails the worker.

    Args:
        workers: Those that may be hit; those that are added later count too.
    """

    name = "system-exit"

    def __init__(self, workers: Sequence[PlacedWorker]) -> None:
        self._workers = workers

    def inject(self, rng: Random, corps: Target) -> Injury:
        """See `Fault.inject`."""
        worker = _chosen(rng, corps, self._workers)
        corps.announce(worker.env, worker.number)
        worker.name.leave.send()
        return Injury(f"SystemExit in worker {worker.number} of {env_label(worker.env)}")


class SlowWorker(Fault):
    """A worker sleeps while requests for it pile up.

    Args:
        workers: Those that may be hit; those that are added later count too.
        span: How long.
    """

    name = "slow-worker"

    def __init__(self, workers: Sequence[PlacedWorker], span: Span = (0.5, 3.0)) -> None:
        self._workers = workers
        self._span = span

    def inject(self, rng: Random, corps: Target) -> Injury:
        """See `Fault.inject`."""
        worker, seconds = _chosen(rng, corps, self._workers), rng.uniform(*self._span)
        corps.announce(worker.env, worker.number)
        worker.name.sleep.send(seconds)
        text = f"worker {worker.number} of {env_label(worker.env)} sleeps for {seconds:.2f} s"
        return Injury(text, seconds=seconds)


def _chosen(rng: Random, corps: Target, workers: Sequence[PlacedWorker]) -> PlacedWorker:
    """Choose a worker in an Env that lives."""
    env = corps.choose_env(rng)
    here = [worker for worker in workers if worker.env == env]
    if not here:
        raise Missed(f"no worker of the load lives in {env_label(env)}")
    return rng.choice(here)
