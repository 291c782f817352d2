"""Faults that hit one worker of the built-in load alone."""

from collections.abc import Mapping, Sequence
from random import Random

from corps.addresses import env_label
from corps.testing.chaos.faults import Fault, Injury, by_name
from corps.testing.chaos.target import Missed, Target
from tests.storm.load import PlacedWorker


def worker_faults(workers: Sequence[PlacedWorker]) -> Mapping[str, Fault]:
    """Return them by name. They hit these workers, and those that are added later."""

    def end_worker(rng: Random, corps: Target) -> Injury:
        """A method of a worker raises SystemExit, which fails the worker."""
        worker = _chosen(rng, corps, workers)
        corps.announce(worker.env, worker.number)
        worker.name.leave.send()
        return Injury(f"SystemExit in worker {worker.number} of {env_label(worker.env)}")

    def slow_worker(rng: Random, corps: Target) -> Injury:
        """A worker sleeps while requests for it pile up."""
        worker, seconds = _chosen(rng, corps, workers), rng.uniform(0.5, 3.0)
        corps.announce(worker.env, worker.number)
        worker.name.sleep.send(seconds)
        text = f"worker {worker.number} of {env_label(worker.env)} sleeps for {seconds:.2f} s"
        return Injury(text, seconds=seconds)

    return by_name(Fault("system-exit", end_worker), Fault("slow-worker", slow_worker))


def _chosen(rng: Random, corps: Target, workers: Sequence[PlacedWorker]) -> PlacedWorker:
    """Choose a worker in an Env that lives."""
    env = corps.choose_env(rng)
    here = [worker for worker in workers if worker.env == env]
    if not here:
        raise Missed(f"no worker of the load lives in {env_label(env)}")
    return rng.choice(here)
