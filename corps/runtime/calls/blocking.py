"""The one place where a thread waits for Futures: woken by what it subscribed to, never polling."""

from collections.abc import Callable, Iterable
from sys import exception
from threading import get_ident
from typing import TYPE_CHECKING, Any

from corps.core import native_function
from corps.errors import LoopBlocked
from corps.messages.requests import EXIT
from corps.runtime.context import Activity, acting
from corps.runtime.threads.gates import Gate
from corps.runtime.threads.lending import MAIN, check_reserve, is_deep
from corps.runtime.threads.running_loop import running_loop

if TYPE_CHECKING:
    from corps.messages.waits import LinkReaders
    from corps.runtime.calls.futures import Future
    from corps.runtime.cells.cell import Cell

Subscribe = Callable[[Callable[[object], object]], Callable[[], object]]
"""Takes the function that wakes a waiting thread, whatever its argument; gives the function that takes the
subscription back."""


def block_until(
    futures: "tuple[Future[Any], ...]",
    subscribe: Subscribe,
    timeout: float | None,
    *,
    any_will_do: bool = False,
    readers: "LinkReaders | None" = None,
) -> bool:
    """Block until something wakes this thread; return False if the time was over first.

    A thread that waits as long as it takes first runs what it waits for itself, where no other thread does.
    One that waits for an answer of another Env reads from the links itself, where no other thread does.
    A worker thread tells its pool, which may start another thread meanwhile. It also tells its Env, which
    looks for a cycle of workers that wait for each other: in this Env at once, in others after the time of
    the setting `deadlock_probe`, because most answers come before that. With `any_will_do` one of the Futures
    is enough, so a cycle through one of them is no deadlock. `readers` are those of the links that an answer
    may come by; None for those of `futures`. Where waiting would stop others it raises LoopBlocked.
    """
    here = acting()
    lends = get_ident() != MAIN and not is_deep()
    if not lends:
        check_reserve()
        readers = None  # others read
    elif readers is None:
        readers = readers_of(futures)
    if here is None:
        return _wait(Gate(), subscribe, readers, timeout)
    if here.reading or here.task is not None:
        raise _not_here(here)
    # Not in a thread with an event loop of its own: an author's method may want to start one.
    helps = timeout is None and not any_will_do and running_loop() is None
    waiter = here.cell if not any_will_do or len(futures) == 1 else None
    try:
        if waiter is not None:
            here.env.waits.begin(waiter, futures)
        if helps and lends and exception() is None and help_here(futures, here):
            return True
        return _block(here, waiter, subscribe, readers, timeout)
    finally:
        if waiter is not None:
            here.env.waits.end(waiter)


def _not_here(here: Activity) -> LoopBlocked:
    if here.reading:
        return LoopBlocked(
            "waiting in a callback would stop the thread that brings the answers: leave the waiting to a "
            "worker, or to a thread of your own"
        )
    return LoopBlocked(
        "waiting here would stop the event loop of this Env, and with it every coroutine: "
        "use `await future` in an `async def` method"
    )


@native_function
def help_here(futures: "tuple[Future[Any], ...]", here: Activity) -> bool:
    """Do the work of those workers that live here and are waited for; return whether all is done."""
    helped = False
    # The last one first: with it, those before it in the same mailbox are done.
    for future in reversed(futures):
        request = future.request
        # One with a deadline, or the end of a worker, may be given up: then this thread has to be free again.
        if request is None or request.deadline is not None or request.kind is EXIT:
            continue
        route = request.route
        if route is not None and route.readers is None:
            route.help(future, here)
            helped = True
    if helped:
        for future in futures:
            if not future.done():
                return False
    return helped


def readers_of(futures: "Iterable[Future[Any]]") -> "LinkReaders | None":
    """Return the readers of the links by which the first answer from another Env will come."""
    for future in futures:
        request = future.request
        if request is not None and request.route is not None and request.route.readers is not None:
            return request.route.readers
        if future.parts and (of_parts := readers_of(future.parts)) is not None:
            return of_parts
    return None


def _block(
    here: Activity,
    waiter: "Cell | None",
    subscribe: Subscribe,
    readers: "LinkReaders | None",
    timeout: float | None,
) -> bool:
    """Sleep until the answer is there; look for circles of waits through `waiter` meanwhile."""
    patience: float = here.env.options.deadlock_probe
    pool = here.env.pool if here.pooled else None
    if pool is not None:
        pool.enter_blocked()
    try:
        # Again and again, because an answer that is relayed can close a circle at any time.
        while waiter is not None and (timeout is None or timeout > patience):
            if _wait(Gate(), subscribe, readers, patience):
                return True
            here.env.waits.probe(waiter)
            timeout = None if timeout is None else timeout - patience
            patience *= 2
        return _wait(Gate(), subscribe, readers, timeout)
    finally:
        if pool is not None:
            pool.leave_blocked()


def _wait(gate: Gate, subscribe: Subscribe, readers: "LinkReaders | None", timeout: float | None) -> bool:
    unsubscribe = subscribe(gate.open)
    try:
        return gate.sleep(timeout) if readers is None else readers.wait(gate, timeout)
    finally:
        if not gate.is_open:  # too late, or interrupted
            unsubscribe()
