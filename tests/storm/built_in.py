"""The storm of corps itself: workers that write down every step, in a Corps that does nothing else."""

from dataclasses import replace
from functools import partial

from corps.testing.chaos.storm import StormOptions
from tests.storm.executions import Executions
from tests.storm.load import Load, LoadOptions, PlacedWorker
from tests.storm.witnessed import LoadCorps
from tests.storm.worker_faults import worker_faults


def with_load(options: StormOptions, load: LoadOptions | None = None) -> StormOptions:
    """Add the built-in load, faults that hit one of its workers, and the judge of what these write down."""
    workers: list[PlacedWorker] = []
    return replace(
        options,
        checker=Executions,
        load=partial(Load, options=load or LoadOptions(), workers=workers),
        faults={**options.faults, **worker_faults(workers)},
    )


def alone(options: StormOptions) -> StormOptions:
    """Put a Corps that does nothing in place of the application; its front is hit like all other Envs."""
    return replace(options, source=LoadCorps, hit_front=True, visits=False, config={"log_level": "ERROR"})
