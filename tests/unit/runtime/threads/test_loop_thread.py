"""The event loop's thread holds what runs on it."""

import asyncio
import gc
import threading
import weakref
from typing import Any

import pytest

from corps.runtime.threads.alarms import Alarms
from corps.runtime.threads.loop_thread import LoopThread


def test_a_task_that_nobody_holds_is_not_left_to_garbage_collection() -> None:
    loop = LoopThread("test-loop", Alarms("test-alarms", lambda: None))
    made: list[weakref.ref[asyncio.Task[Any]]] = []
    begun, ended = threading.Event(), threading.Event()

    async def wait_for_what_nobody_holds() -> None:
        begun.set()
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            ended.set()

    def begin() -> None:
        task = asyncio.get_running_loop().create_task(wait_for_what_nobody_holds())
        loop.keep(task)
        made.append(weakref.ref(task))

    assert loop.call(begin)
    assert begun.wait(20)
    gc.collect()
    assert made[0]() is not None
    assert not ended.is_set()
    assert loop.close(20.0) == []
    assert ended.is_set()


@pytest.mark.parametrize("kind", [ValueError, SystemExit, KeyboardInterrupt, GeneratorExit])
def test_whatever_runs_on_the_loop_raises_it_goes_on(kind: type[BaseException]) -> None:
    loop = LoopThread("test-loop", Alarms("test-alarms", lambda: None))

    def fail() -> None:
        raise kind("planted")

    async def fail_softly() -> None:
        fail()

    over = threading.Event()
    loop.call(fail)
    loop.call(lambda: loop.keep(asyncio.get_running_loop().create_task(fail_softly())))
    loop.call(over.set)
    assert over.wait(20)
    assert loop.close(20.0) == []
