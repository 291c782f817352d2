"""The event loop of one Env, on which its `async def` methods run.

Started when the first one is called; uvloop where it is installed. Nothing else runs there.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from threading import Lock, Thread
from typing import Any

_log = logging.getLogger("corps.env")


def new_event_loop() -> asyncio.AbstractEventLoop:
    """A loop of uvloop, or of the standard library where there is no uvloop."""
    try:
        import uvloop
    except ImportError:  # not made for every platform
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


class LoopThread:
    """One thread with one event loop. Any thread may call."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = Lock()  # protects _loop, _thread and _closed
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: Thread | None = None
        self._closed = False

    def call(self, function: Callable[..., object], *args: Any) -> bool:
        """Call a function on the loop's thread, soon.

        Args:
            function: What to call.
            *args: Its arguments.

        Returns:
            False if there is no loop, or no more: the function will not be called.
        """
        with self._lock:
            if self._closed:
                return False
            if self._loop is None and not self._start():
                return False
            assert self._loop is not None
            self._loop.call_soon_threadsafe(function, *args)
            return True

    def _start(self) -> bool:
        loop = new_event_loop()
        thread = Thread(target=self._run, args=(loop,), name=self._name, daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the system gives no more threads
            _log.exception("the event loop's thread %s could not be started", self._name)
            loop.close()
            return False
        self._loop, self._thread = loop, thread
        return True

    def close(self) -> None:
        """Cancel what runs, and end the thread."""
        with self._lock:
            self._closed = True
            if self._loop is None or self._thread is None:
                return
            self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_forever()
        finally:
            loop.run_until_complete(self._cancel_all(loop))
            loop.run_until_complete(loop.shutdown_asyncgens())
            asyncio.set_event_loop(None)
            loop.close()

    @staticmethod
    def _cancel_all(loop: asyncio.AbstractEventLoop) -> Coroutine[Any, Any, None]:
        async def cancel() -> None:
            tasks = [task for task in asyncio.all_tasks(loop) if task is not asyncio.current_task()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        return cancel()
