"""What a caller gets for a generator method: an iterator whose items are pulled from the worker.

The generator stays in the worker. Each ``next`` is one request, in the worker's turn like every other. If the
caller gives up the wait, the iterator keeps the request, so no item is lost. While the consumer works on an
item, the worker may make the next ones: see `runtime.cells.generators`.
"""

from collections.abc import AsyncIterator, Iterator
from functools import partial
from itertools import takewhile
from threading import Lock
from typing import Any, Final, Generic, Literal, TypeVar

from corps.addresses import FOREIGN
from corps.clock import deadline_after, earlier, now
from corps.errors import (
    Cancelled,
    CorpsError,
    DeadlineExceeded,
    EnvLost,
    Overloaded,
    PackingError,
    WorkerGone,
)
from corps.exporting import exported
from corps.messages.outcomes import Raised, Value
from corps.messages.requests import ANEXT, DROP, NEXT, PULL
from corps.messages.streams import NOBODY, SENDER, WHOLE, Held, Streaming, part_of
from corps.runtime.calls.futures import Pull
from corps.runtime.context import acting, current
from corps.runtime.env import Env
from corps.runtime.threads.alarms import Alarm
from corps.workers.names import Name

Y = TypeVar("Y")

_GOES_ON: Final = (PackingError, Overloaded)  # that one item cannot come here; the next ones can


@exported
class RemoteIterator(Streaming, Generic[Y], Iterator[Y], AsyncIterator[Y]):
    """Iterates over a generator that lives in a worker. Thread-safe; each caller gets the next item.

    Use ``for`` in threads and ``async for`` in coroutines. `close` and `aclose` end the generator early. It
    also ends when no iterator of it is left anywhere. An iterator can be packed and passed on; each pull gets
    the next item.

    If a wait for an item is cancelled or interrupted, nothing is lost: the next wait gets that item. The
    deadline of the Name counts for each item, from the call of ``next`` on.
    """

    def __init__(
        self,
        worker: Name[Any],
        number: int,
        share: int,
        holder: int,
        *,
        is_async: bool,
        is_fresh: bool = False,
    ) -> None:
        """Make an iterator; the runtime calls this. Applications get one from a generator method.

        Args:
            worker: In which the generator lives.
            number: Of the generator.
            share: See `messages.streams`.
            holder: The Env that counts as holding this; NOBODY for none.
            is_async: Whether a coroutine makes the items.
            is_fresh: It was just made by the worker, which does not use it itself.
        """
        self._worker = worker
        self._number = number
        self._method = ANEXT if is_async else NEXT
        self._is_fresh = is_fresh
        self._is_part = False
        self._seconds: float | None = None
        self._prefetch: int | None = None
        self._lock = Lock()  # protects what follows; nothing is sent or settled under it
        self._share = share
        self._holder = holder
        self._is_over = False
        # What was asked for and not given away yet, in that order, each with its taker; None: the next taker.
        # In a tuple: it may not have been sent. The thread that gives it takes it out last, without the lock.
        self._asked: dict[Pull, object] = {}
        if worker._env is not None:
            worker._env.dropped.watch()

    def __iter__(self) -> "RemoteIterator[Y]":
        return self

    def __next__(self) -> Y:
        """Wait for the next item, and return it.

        Raises:
            RequestError: The generator raised, or its worker is gone, or the item did not come in time.
            LoopBlocked: Called in a coroutine: use ``async for`` there.
        """
        if self._is_over:
            raise StopIteration
        taker = object()
        try:
            pull = self._take(taker)
            alarm = self._limit(pull, taker)
            try:
                more, item = pull.result()
            finally:
                if alarm is not None:
                    alarm.cancel()
            if more:
                # The handler of a signal, which may raise, runs before this step and not after it.
                del self._asked[pull]
                return item  # type: ignore[no-any-return]
            self._is_over = True
        except BaseException:
            self._give_back(taker)
            raise
        raise StopIteration(item)

    def __aiter__(self) -> "RemoteIterator[Y]":
        return self

    async def __anext__(self) -> Y:
        """Do as `__next__`, in a coroutine."""
        if self._is_over:
            raise StopAsyncIteration
        taker = object()
        try:
            pull = self._take(taker)
            alarm = self._limit(pull, taker)
            try:
                more, item = await pull
            finally:
                if alarm is not None:
                    alarm.cancel()
            if more:
                del self._asked[pull]  # as in `__next__`
                return item  # type: ignore[no-any-return]
            self._is_over = True
        except BaseException:
            self._give_back(taker)
            raise
        raise StopAsyncIteration

    def close(self) -> None:
        """End the generator: its ``finally`` blocks run in the worker. Do not wait for that. Idempotent."""
        env = self._end()
        if env is not None:
            _give_up(env, self.held())

    async def aclose(self) -> None:
        """End the generator, and wait until its ``finally`` blocks have run. Idempotent.

        The worker logs what they raise. If the wait fails or is cancelled, the generator ends all the same.

        Raises:
            DeadlockError: The generator would have to end in a worker that waits for the caller.
            DeadlineExceeded: The deadline of the caller's own request has passed.
        """
        env = self._end()
        if env is None:
            return
        held = self.held()
        args = held.number, held.share, held.holder, -1
        try:
            await env.ask(DROP, self._worker._addr, "close", args, {}, future=Pull())
        except (WorkerGone, EnvLost):
            return  # and so has the generator
        except CorpsError:
            _give_up(env, held)  # the request may have been withdrawn
            raise

    def _end(self) -> Env | None:
        """Take nothing more, and withdraw what was asked for; None if the worker need not hear of it."""
        with self._lock:
            if self._is_over:
                return None
            self._is_over = True
            self._share = WHOLE
            kept = self._kept()
            for pull in kept:
                del self._asked[pull]
        env = self._worker._env
        if env is None or env.closed:
            return None
        _withdraw(kept)
        return env

    def __enter__(self) -> "RemoteIterator[Y]":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_is_over", True) or not (self._share or self._holder != NOBODY):
            return
        env = self._worker._env
        if env is not None and not env.closed:
            env.dropped.put(partial(_give_up, env, self.held(), self._kept()))  # nothing else: see there

    def __repr__(self) -> str:
        return f"<RemoteIterator {self._number} of {self._worker!r}>"

    # --- passing it on: see messages.streams ---

    def part(self) -> "RemoteIterator[Y]":
        """See `Streaming.part`."""
        env = self._worker._env
        with self._lock:
            # One that the worker has just made for another Env is used by nobody else.
            is_whole = self._is_part or (self._is_fresh and env is not None and self._holder != env.id)
            share, holder = (self._share, self._holder) if is_whole else (part_of(self._share), NOBODY)
            self._share -= share
            if is_whole:
                self._holder = NOBODY
            moved = tuple(takewhile(Pull.has_item, self._kept()))
            for pull in moved:
                del self._asked[pull]
        part: RemoteIterator[Y] = RemoteIterator(
            self._worker, self._number, share, holder, is_async=self._method == ANEXT
        )
        part._is_part = True
        part._is_over = self._is_over
        part._asked.update(dict.fromkeys(moved))
        part.limit(self._seconds, self._prefetch)
        return part

    @property
    def is_async(self) -> bool:
        """See `Streaming.is_async`."""
        return self._method == ANEXT

    def hand_over(self) -> Held | None:
        """See `Streaming.hand_over`."""
        with self._lock:
            if self._share != WHOLE or self._asked or self._is_over:
                return None
            held = self.held()
            self._share, self._holder = 0, NOBODY
        return held

    def held(self) -> Held:
        """See `Streaming.held`."""
        return Held(self._worker._addr, self._number, self._share, self._holder)

    def limit(self, seconds: float | None, prefetch: int | None) -> None:
        """See `Streaming.limit`."""
        self._seconds, self._prefetch = seconds, prefetch

    def __reduce__(self) -> tuple[Any, ...]:
        part = self.part()
        items = tuple(pull.ret for pull in part._asked)
        how = part._is_over, part._method, part._seconds, part._prefetch, items
        share, holder = part._share, part._holder
        part._share, part._holder = 0, NOBODY
        return restore_iterator, (self._worker, self._number, share, holder, *how)

    # --- pulling ---

    def _take(self, taker: object) -> Pull:
        """Take a kept request, or ask for an item. `_give_back` undoes this, wherever it breaks off."""
        with self._lock:
            kept = self._kept() if self._asked else ()
            pull = kept[0] if kept else Pull()
            self._asked[pull] = taker if kept else (taker,)
        if not kept:
            worker, args = self._worker, (self._number, self._prefetch)
            env = worker._env or worker._bound()
            env.ask(PULL, worker._addr, self._method, args, {}, None, pull)
            self._asked[pull] = taker
        return pull

    def _kept(self) -> tuple[Pull, ...]:
        """Return what was asked for and has no taker."""
        return tuple(pull for pull, taker in tuple(self._asked.items()) if taker is None)

    def _give_back(self, taker: object) -> None:
        """Keep what was asked for, because only the wait for it has raised, unless it has failed itself."""
        taken = [pull for pull, whose in tuple(self._asked.items()) if whose in (taker, (taker,))]
        if not taken:  # it was broken off before it took one
            return
        (pull,) = taken
        outcome = pull.outcome
        if outcome is None or not outcome.failed:
            if outcome is None and self._asked[pull] is not taker and pull.begin():
                del self._asked[pull]  # it never will be sent
            else:
                self._asked[pull] = None
            return
        del self._asked[pull]
        error = pull.failure()
        if isinstance(outcome.opened(), Raised) or isinstance(error, WorkerGone | EnvLost):
            self._is_over = True  # and the worker knows
        elif not isinstance(error, _GOES_ON):
            self.close()

    def _limit(self, pull: Pull, taker: object) -> Alarm | None:
        """Limit the time of the wait for an item. The caller cancels the alarm after the wait."""
        here = current.get()
        if self._seconds is None and (here is None or here.deadline is None):
            return None
        here = acting()
        deadline = earlier(deadline_after(self._seconds), here.deadline if here is not None else None)
        if deadline is None or pull.done():
            return None
        target = str(self._worker._addr)
        text = f"the generator {self._number} of {target} gave no item before the deadline"

        def late() -> None:
            if self._asked.get(pull) is taker:  # else a signal has kept the alarm from being cancelled
                pull.give_up(DeadlineExceeded(text, target=target))

        if deadline <= now():
            late()
        return self._worker._bound().alarms.at(deadline, late)


def _withdraw(pulls: tuple[Pull, ...]) -> None:
    for pull in pulls:
        pull.give_up(Cancelled("the iterator was closed"))


def _give_up(env: Env, held: Held, pulls: tuple[Pull, ...] = ()) -> None:
    """Withdraw what an unused iterator has asked for, and let the worker know."""
    _withdraw(pulls)
    try:
        env.note_stream(held, -1)
    except CorpsError:  # the way there has closed: so will the worker
        return


def restore_iterator(
    worker: Name[Any],
    number: int,
    share: int,
    holder: int,
    is_over: bool,
    method: Literal["next", "anext()"],
    seconds: float | None,
    prefetch: int | None,
    items: tuple[tuple[bool, Any], ...],
) -> RemoteIterator[Any]:
    """Make a RemoteIterator of its packed form."""
    env = worker._env
    here = NOBODY if env is None else _holder_in(env, worker)
    if here == SENDER and holder >= FOREIGN:  # the number by which the worker's Env knows this one
        holder = here
    iterator: RemoteIterator[Any] = RemoteIterator(worker, number, share, here, is_async=method == ANEXT)
    iterator._is_over = is_over
    iterator.limit(seconds, prefetch)
    for item in items:
        iterator._asked[_arrived(item)] = None
    if env is not None and holder != here and not is_over:
        env.note_stream(iterator.held()._replace(share=0), 1)
    return iterator


def _holder_in(env: Env, worker: Name[Any]) -> int:
    """Return what the worker's Env is to count as the holder of an iterator that is here."""
    return env.id if worker._addr.corps == env.corps_id else SENDER


def _arrived(item: tuple[bool, Any]) -> Pull:
    pull = Pull()
    pull.settle(Value(item))
    return pull
