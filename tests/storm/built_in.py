"""The storm of corps itself: workers that write down every step, in a Corps that does nothing else."""

from dataclasses import replace
from functools import partial

from corps.testing.chaos.faults import by_name
from corps.testing.chaos.storm import StormOptions
from tests.storm.load import Load, LoadOptions, PlacedWorker
from tests.storm.witnessed import LoadCorps
from tests.storm.worker_faults import EndWorker, SlowWorker


def with_load(options: StormOptions, load: LoadOptions | None = None) -> StormOptions:
    """The same storm, with the built-in load in its Envs, and with faults that hit one of its workers."""
    workers: list[PlacedWorker] = []
    return replace(
        options,
        load=partial(Load, options=load or LoadOptions(), workers=workers),
        faults={**options.faults, **by_name(EndWorker(workers), SlowWorker(workers))},
    )


def alone(options: StormOptions) -> StormOptions:
    """The same storm of a Corps that does nothing, whose front is hit like all other Envs."""
    return replace(options, source=LoadCorps, hit_front=True, visits=False, config={"log_level": "ERROR"})
