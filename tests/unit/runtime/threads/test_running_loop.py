import asyncio
import concurrent.futures
from typing import Any

import pytest

from corps.messages.outcomes import Value
from corps.runtime.calls.futures import Future
from corps.runtime.threads.running_loop import ask_aloud, running_loop, set_running_loop, take_none


@pytest.mark.parametrize("ask", [running_loop, ask_aloud])
def test_the_loop_of_this_thread_is_told_and_that_there_is_none(ask: Any) -> None:
    async def inside() -> bool:
        return ask() is asyncio.get_running_loop()

    assert ask() is None
    assert asyncio.run(inside())
    assert ask() is None


def test_a_thread_may_count_as_one_that_runs_a_loop() -> None:
    """Where asyncio has no such function any more, an errand of a loop waits for room: it is not refused."""
    loop = asyncio.new_event_loop()
    set_running_loop(loop)
    try:
        assert running_loop() is loop
    finally:
        set_running_loop(None)
        loop.close()
    assert running_loop() is None
    take_none(loop)
    assert running_loop() is None


class Watched(Future[int]):
    """Notes which private names of a Future the standard library asks for."""

    def __init__(self, asked: set[str]) -> None:
        super().__init__()
        object.__setattr__(self, "asked", asked)

    def __getattribute__(self, name: str) -> Any:
        if name.startswith("_") and not name.startswith("__"):
            object.__getattribute__(self, "asked").add(name)
        return super().__getattribute__(name)


def test_the_standard_library_asks_our_futures_for_three_private_names() -> None:
    """If it asks for others, `concurrent.futures.wait` breaks: corps.wait_any and wait_all do without it."""
    asked: set[str] = set()
    future = Watched(asked)
    future.settle(Value(1))
    asked.clear()
    concurrent.futures.wait([future])
    futures: list[concurrent.futures.Future[int]] = [future]
    list(concurrent.futures.as_completed(futures))
    ours = {"_outcome", "_observers"}  # what our answers to public questions, and `_waiters`, look at
    assert asked - ours == {"_condition", "_state", "_waiters"}
