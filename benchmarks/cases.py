"""What a measurement is: a case opens its subject, and then measures so many operations of it."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from time import perf_counter

Measure = Callable[[int], list[float]]
"""Does so many operations; gives the seconds that each took."""


@dataclass(frozen=True, slots=True)
class Case:
    """One thing to measure.

    Attributes:
        group: Cases of one group do the same work, and are compared with each other.
        name: Of the case in its group.
        open: Starts the subject, gives what measures it, and ends it again.
        operations: How many operations make one round.
        is_floor: Whether this is the cost of the medium alone.
    """

    group: str
    name: str
    open: Callable[[], AbstractContextManager[Measure]]
    operations: int = 1000
    is_floor: bool = False


def each(operation: Callable[[], object]) -> Measure:
    """Measure operations one by one.

    Args:
        operation: One of them.

    Returns:
        What measures it.
    """

    def measure(count: int) -> list[float]:
        samples = []
        for _ in range(count):
            begin = perf_counter()
            operation()
            samples.append(perf_counter() - begin)
        return samples

    return measure


def batches(batch: Callable[[], object], size: int) -> Measure:
    """Measure operations that are done together.

    Args:
        batch: Does `size` operations.
        size: How many.

    Returns:
        What measures them; each sample is a batch's time divided by its size.
    """

    def measure(count: int) -> list[float]:
        samples = []
        for _ in range(max(1, count // size)):
            begin = perf_counter()
            batch()
            samples.append((perf_counter() - begin) / size)
        return samples

    return measure
