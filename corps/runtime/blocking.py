"""The one place where a thread waits for Futures: woken by what it subscribed to, never polling."""

import asyncio
from collections.abc import Callable
from threading import Lock
from typing import Any

from corps.errors import LoopBlocked
from corps.messages.requests import EXIT
from corps.runtime.context import Activity, acting

Subscribe = Callable[[Callable[[], object]], Callable[[], object]]
"""Takes the function that wakes a waiting thread; gives the function that takes the subscription back."""


def block_until(
    futures: tuple[Any, ...], subscribe: Subscribe, timeout: float | None, *, any_will_do: bool = False
) -> bool:
    """Block this thread until something wakes it.

    A thread that waits as long as it takes first runs what it waits for itself, where nobody else does.
    A worker thread tells its pool, which may start another thread meanwhile, and its Env, which looks for
    a cycle of workers that wait for each other: in this Env at once, in others after the time of the
    setting `deadlock_probe`, since most answers come before that.

    Args:
        futures: What is waited for.
        subscribe: Called with the function that wakes this thread; returns what takes it back.
        timeout: Seconds; None for as long as it takes.
        any_will_do: One of several futures is enough, so a cycle through one of them is no deadlock.

    Returns:
        False if the time was over first.

    Raises:
        LoopBlocked: This is the event loop of an Env, or a callback in the thread that reads.
    """
    here = acting()
    if here is None:
        return Gate().wait(subscribe, timeout)
    if here.reading:
        raise LoopBlocked(
            "waiting in a callback would stop the thread that brings the answers: leave the waiting to a "
            "worker, or to a thread of your own"
        )
    if here.task is not None:
        raise LoopBlocked(
            "waiting here would stop the event loop of this Env, and with it every coroutine: "
            "use `await future` in an `async def` method"
        )
    # Not in a thread with an event loop of its own: an author's method may want to start one.
    helps = timeout is None and not any_will_do and asyncio._get_running_loop() is None
    searches = here.cell is not None and (not any_will_do or len(futures) == 1)
    try:
        if searches:
            here.cell.begin_wait(futures)
        if helps and _help(futures):
            return True
        return _block(here, searches, subscribe, timeout)
    finally:
        if searches:
            here.cell.end_wait()


def _help(futures: tuple[Any, ...]) -> bool:
    """Do the work of the workers that are waited for; whether all of it is done then."""
    for future in futures:
        request = future.request
        # One with a deadline, or the end of a worker, may be given up: then this thread has to be free again.
        if request is None or request.route is None or request.deadline is not None or request.kind == EXIT:
            continue
        request.route.help(future)
    return all(future.done() for future in futures)


def _block(here: Activity, searches: bool, subscribe: Subscribe, timeout: float | None) -> bool:
    gate = Gate()
    patience: float = here.env.options.deadlock_probe
    here.env.enter_blocked()
    try:
        if searches and (timeout is None or timeout > patience):
            if gate.wait(subscribe, patience):
                return True
            here.cell.probe_wait()
            timeout = None if timeout is None else timeout - patience
        return gate.wait(subscribe, timeout)
    finally:
        here.env.leave_blocked()


class Gate:
    """Lets its one thread through once it was woken, however often and by how many that happens."""

    __slots__ = ("_closed", "_woken")

    def __init__(self) -> None:
        self._closed = Lock()
        self._closed.acquire()
        self._woken = Lock()  # taken by the first to wake: a Lock must not be released twice

    def wait(self, subscribe: Subscribe, timeout: float | None) -> bool:
        """Block until woken.

        Args:
            subscribe: Called with what wakes this gate; returns what takes that back.
            timeout: Seconds; None for as long as it takes.

        Returns:
            False if the time was over first.
        """
        unsubscribe = subscribe(self._wake)
        opened = False
        try:
            opened = self._closed.acquire(timeout=-1 if timeout is None else max(0.0, timeout))
        finally:
            if not opened:  # too late, or interrupted
                unsubscribe()
        return opened

    def _wake(self) -> None:
        if self._woken.acquire(blocking=False):
            self._closed.release()
