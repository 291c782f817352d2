"""The storm of corps itself: workers that write down every step, in a Corps that does nothing else."""

from dataclasses import replace
from functools import partial

from corps.testing.chaos.faults import by_name
from corps.testing.chaos.storm import StormOptions
from tests.storm.executions import Executions
from tests.storm.load import Load, LoadOptions, PlacedWorker
from tests.storm.witnessed import LoadCorps
from tests.storm.worker_faults import EndWorker, SlowWorker


def with_load(options: StormOptions, load: LoadOptions | None = None) -> StormOptions:
    """Add the built-in load, faults that hit one of its workers, and the judge of what these write down."""
    workers: list[PlacedWorker] = []
    return replace(
        options,
        judges=[Executions],
        load=partial(Load, options=load or LoadOptions(), workers=workers),
        faults={**options.faults, **by_name(EndWorker(workers), SlowWorker(workers))},
    )


def alone(options: StormOptions) -> StormOptions:
    """Put a Corps that does nothing in place of the application; its front is hit like all other Envs."""
    return replace(options, source=LoadCorps, hit_front=True, visits=False, config={"log_level": "ERROR"})
