"""The works that nearly everybody does, made of what a subject gives: one call, many calls, an echo."""

import os
from collections.abc import Callable, Iterable
from typing import Any

from benchmarks.cases import (
    CALL,
    CREATE,
    FAN_OUT,
    IN_FLIGHT,
    KINDS,
    MAP,
    MIB,
    N_FAN_OUT,
    N_THREADS,
    SIZES,
    THREAD,
    THREADS,
    echo,
    in_flight,
)
from benchmarks.timing import Effort, Measure, Timer, Works, by_threads, each, shared


def payload(kind: str, size: int) -> Any:
    """Something to send that cannot be compressed.

    Args:
        kind: ``"bytes"`` or ``"array"``.
        size: How many bytes.

    Returns:
        Bytes, or a numpy array of bytes.
    """
    content = os.urandom(min(size, MIB)) * -(-size // MIB)
    if kind == "bytes":
        return content
    import numpy as np  # only in the processes of subjects: importing it starts threads

    return np.frombuffer(content, np.uint8).copy()


def calls(
    one: Callable[[], Any],
    many: Callable[[int], Any] | None = None,
    *,
    timer: Timer = each,
    takes_threads: bool = False,
) -> Works:
    """The works that are made of calls.

    Args:
        one: Does one call with one int, and has its answer when it returns.
        many: Has so many calls under way at once.
        timer: Times what these return.
        takes_threads: Whether several threads may do `one` at once.

    Returns:
        Their measures.
    """
    works: dict[str, Measure] = {CALL: timer(one)}
    if many is not None:
        for number in IN_FLIGHT:
            works[in_flight(number)] = shared(timer(_bound(many, number)), number)
    if takes_threads:
        works[THREAD] = by_threads(one, 1)
        works[THREADS] = by_threads(one, N_THREADS)
    return works


def fan_out(all_at_once: Callable[[int], Any], *, timer: Timer = each) -> Works:
    """Calls of many workers at once.

    Args:
        all_at_once: Calls each of the workers so many times, and then waits for all answers.
        timer: Times what it returns.

    Returns:
        The measure.
    """
    each_one = 1000 // N_FAN_OUT
    return {FAN_OUT: shared(timer(_bound(all_at_once, each_one)), each_one * N_FAN_OUT)}


def creation(
    one: Callable[[], Any], *, after: Callable[[list[Any]], Any] | None = None, timer: Timer = each
) -> Works:
    """The creation of workers.

    Args:
        one: Creates one, which is ready when it returns.
        after: Ends those that were created; not timed.
        timer: Times what these return.

    Returns:
        The measure.
    """
    return {CREATE: timer(one, after=after)}


def cpu_map(run: Callable[[int], Any]) -> Works:
    """A map of tasks that compute.

    Args:
        run: Does so many tasks.

    Returns:
        The measure; each round gives one sample, the time of the whole map shared among its tasks.
    """

    def measure(effort: Effort) -> list[float]:
        whole = each(lambda: run(effort.operations))(Effort(1, effort.seconds))
        return [sample / effort.operations for sample in whole]

    return {MAP: measure}


def echoes(
    ask: Callable[[Any], Any],
    *,
    timer: Timer = each,
    kinds: Iterable[str] = KINDS,
    largest: int = 64 * MIB,
    smallest: int = 1,
) -> Works:
    """Payloads there and back.

    Args:
        ask: Sends a payload, and has got it back when it returns.
        timer: Times what it returns.
        kinds: Of payloads that it can send by value.
        largest: Bytes that it can send at most.
        smallest: Bytes from which it is asked to.

    Returns:
        The measures.
    """
    return {
        echo(kind, text): _of_payload(ask, kind, size, timer)
        for kind in kinds
        for text, size in SIZES.items()
        if smallest <= size <= largest
    }


def _of_payload(ask: Callable[[Any], Any], kind: str, size: int, timer: Timer) -> Measure:
    def measure(effort: Effort) -> list[float]:
        sent = payload(kind, size)  # made when it is needed: all of them together would fill the memory
        return timer(lambda: ask(sent))(effort)

    return measure


def _bound(function: Callable[[int], Any], number: int) -> Callable[[], Any]:
    return lambda: function(number)
