"""The event loop of one Env, on which its `async def` methods run.

It is started when the first one is called, with uvloop where that is installed. Nothing else runs there.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from functools import partial
from threading import Lock, Thread
from typing import Any, Final

from corps.runtime.threads.alarms import Alarms
from corps.runtime.threads.background import make_task
from corps.runtime.threads.thread_starts import start_in_time
from corps.runtime.threads.watched_thread import Failed, WatchedThread, note_failure

_log = logging.getLogger("corps.env")

_LAST: Final = 0.5  # seconds that coroutines have for their last words at least


def new_event_loop() -> asyncio.AbstractEventLoop:
    """Return a loop of uvloop, or of the standard library where there is no uvloop."""
    try:
        import uvloop
    except ImportError:  # not made for every platform
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


class LoopThread:
    """One thread with one event loop. Thread-safe."""

    def __init__(self, name: str, alarms: Alarms, failed: Failed = note_failure) -> None:
        """Start nothing yet. The `alarms` start it later if the system gives no thread now."""
        self._name = name
        self._failed = failed
        self._alarms = alarms
        self._lock = Lock()  # protects _loop, _thread, _closed and _early
        self._early: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()  # to be called, in order
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: Thread | None = None
        self._closed = False
        self._tasks: set[asyncio.Task[Any]] = set()  # used on the loop's thread alone
        self._grace = 0.0

    def call(self, function: Callable[..., object], *args: Any) -> bool:
        """Have `function(*args)` called soon on the loop's thread; False if the loop is closed."""
        with self._lock:
            if self._closed:
                return False
            if self._loop is not None:
                self._loop.call_soon_threadsafe(function, *args)
                return True
            self._early.append((function, args))
            starts = len(self._early) == 1
        if starts:
            start_in_time(self._start, f"the event loop {self._name}", self._alarms)
        return True

    def keep(self, task: "asyncio.Task[Any]") -> None:
        """Hold a task until it is done. Event loop only."""
        # asyncio itself holds no task that waits. A task without a holder, such as that of an abandoned
        # worker, would be destroyed by the garbage collection of any thread, under any lock.
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _start(self) -> None:
        """Start the thread, and have it call what came before it. RuntimeError: the system gives none."""
        with self._lock:
            if self._closed:
                return
            try:
                loop = new_event_loop()
            except OSError as error:
                raise RuntimeError(f"no event loop: {error}") from error
            thread = WatchedThread(self._name, partial(self._run, loop), self._failed)
            try:
                thread.start()
            except BaseException:
                loop.close()
                raise
            self._loop, self._thread = loop, thread
            while self._early:
                function, args = self._early.popleft()
                loop.call_soon_threadsafe(function, *args)

    def close(self, grace: float) -> list[str]:
        """Cancel what runs, and end the thread; return its name if a coroutine refuses to end."""
        with self._lock:
            self._closed = True
            if self._loop is None or self._thread is None:
                return []
            self._grace = grace
            self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(grace + _LAST)
        return [self._name] if self._thread.is_alive() else []

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        loop.set_task_factory(make_task)
        while not self._closed:
            try:
                loop.run_forever()
            except BaseException:  # of a task or a callback that an author has made
                if loop.is_closed():
                    raise
                _log.exception("a task of its own ended a coroutine's loop; it goes on for all the others")
        for last in (self._cancel_all(loop), loop.shutdown_asyncgens()):
            try:
                loop.run_until_complete(last)
            except BaseException:  # as above
                _log.exception("a task of its own raised at the end of its loop")
        asyncio.set_event_loop(None)
        loop.close()

    async def _cancel_all(self, loop: asyncio.AbstractEventLoop) -> None:
        tasks = [task for task in asyncio.all_tasks(loop) if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=max(self._grace, _LAST))
