"""The storm of corps itself: workers that write down every step, in a Corps that does nothing else."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from random import Random

from corps.testing.chaos.ledger import Ledger
from corps.testing.chaos.storm import LoadMaker, StormOptions
from tests.storm import services
from tests.storm.executions import Executions
from tests.storm.load import Load, LoadOptions, PlacedWorker
from tests.storm.witnessed import LoadCorps
from tests.storm.worker_faults import worker_faults


def with_load(options: StormOptions, load: LoadOptions | None = None) -> StormOptions:
    """Add the built-in load, faults that hit one of its workers, and the judge of what these write down."""
    workers: list[PlacedWorker] = []
    common = partial(Load, options=load or LoadOptions(), workers=workers)
    return replace(
        options,
        checker=Executions,
        load=common if options.load is None else partial(_both, options.load, common),
        faults={**options.faults, **worker_faults(workers)},
    )


def alone(options: StormOptions) -> StormOptions:
    """Put a Corps that does nothing in place of the application, and have its services used.

    Its front is hit like all other Envs.
    """
    return replace(
        options,
        source=LoadCorps,
        hit_front=True,
        visits=False,
        config=services.settings,
        load=services.ServiceLoad,
    )


@contextmanager
def _both(
    first: LoadMaker, second: LoadMaker, ledger: Ledger, directory: Path, envs: Sequence[int], rng: Random
) -> Iterator[None]:
    with first(ledger, directory, envs, rng), second(ledger, directory, envs, rng):
        yield
