"""Takes the time of operations: one by one, in batches, by several threads, and of coroutines.

A Measure does as much work as an Effort allows, and gives one sample for each thing that it timed.
"""

import threading
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Effort:
    """How much to measure.

    Attributes:
        operations: How many operations.
        seconds: After how many seconds to stop, even if not all of them are done; one is always done.
    """

    operations: int
    seconds: float


Measure = Callable[[Effort], list[float]]
"""Does the work; gives its samples: seconds per operation, or bytes."""

Works = Mapping[str, Measure]
"""What a subject can do, by the name of the work."""


class Timer(Protocol):
    """Makes a Measure of an operation."""

    def __call__(
        self, operation: Callable[[], Any], *, after: Callable[[list[Any]], Any] | None = None
    ) -> Measure:
        """Time an operation.

        Args:
            operation: What to time, again and again.
            after: Gets all that the operations returned, and is not timed.

        Returns:
            What measures it.
        """


def each(operation: Callable[[], Any], *, after: Callable[[list[Any]], Any] | None = None) -> Measure:
    """Time a plain operation; see `Timer`."""

    def measure(effort: Effort) -> list[float]:
        samples: list[float] = []
        made: list[Any] = []
        end = perf_counter()
        until = end + effort.seconds
        while len(samples) < effort.operations and (not samples or end < until):
            begin = perf_counter()
            answer = operation()
            end = perf_counter()
            samples.append(end - begin)
            if after is not None:
                made.append(answer)
        if after is not None:
            after(made)
        return samples

    return measure


async def timed(
    operation: Callable[[], Awaitable[Any]],
    effort: Effort,
    *,
    after: Callable[[list[Any]], Awaitable[Any]] | None = None,
) -> list[float]:
    """Time an operation of coroutines; see `Timer`.

    Args:
        operation: What to await, again and again.
        effort: How much of it.
        after: Gets all that the operations returned, and is not timed.

    Returns:
        The samples.
    """
    samples: list[float] = []
    made: list[Any] = []
    end = perf_counter()
    until = end + effort.seconds
    while len(samples) < effort.operations and (not samples or end < until):
        begin = perf_counter()
        answer = await operation()
        end = perf_counter()
        samples.append(end - begin)
        if after is not None:
            made.append(answer)
    if after is not None:
        await after(made)
    return samples


def each_coroutine(run: Callable[[Coroutine[Any, Any, list[float]]], list[float]]) -> Timer:
    """Time coroutines, all of them from within one, as those who write coroutines call them.

    Args:
        run: Runs a coroutine to its end.

    Returns:
        A Timer of operations that return an awaitable; so does their `after`.
    """

    def timer(
        operation: Callable[[], Awaitable[Any]], *, after: Callable[[list[Any]], Awaitable[Any]] | None = None
    ) -> Measure:
        return lambda effort: run(timed(operation, effort, after=after))

    return timer


def shared(measure: Measure, size: int) -> Measure:
    """Share each sample among the operations that it stands for.

    Args:
        measure: Each operation of it is a batch.
        size: How many operations are in a batch.

    Returns:
        What measures the time of one of them.
    """

    def measured(effort: Effort) -> list[float]:
        batches = Effort(max(1, effort.operations // size), effort.seconds)
        return [sample / size for sample in measure(batches)]

    return measured


def by_threads(operation: Callable[[], Any], number: int, size: int = 25) -> Measure:
    """Time an operation that several threads do at once.

    Args:
        operation: What each thread does, again and again.
        number: How many threads.
        size: How often each of them does it for one sample.

    Returns:
        What measures it: the time from the first begin to the last end, shared among all operations.
    """

    def measure(effort: Effort) -> list[float]:
        together = threading.Barrier(number + 1)

        def repeat() -> None:
            together.wait()
            for _ in range(size):
                operation()

        def once() -> None:
            done = [pool.submit(repeat) for _ in range(number)]
            together.wait()
            for each_done in done:
                each_done.result()

        with ThreadPoolExecutor(number) as pool:
            return shared(each(once), number * size)(effort)

    return measure
