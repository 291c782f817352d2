"""Room in the window of one peer, and the senders that wait for it: first come, first served.

A thread that gives room back hands it on itself to those it suffices for. So a wake-up is never lost, none is
woken in vain, the window is never taken twice, and small requests never overtake a large one for ever.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from threading import Condition, Lock
from typing import Final

from corps.core import native
from corps.wire.credit import Window

ROOM_ON_A_LOOP: Final = (
    "this thread runs an event loop, which must not stand still until there is room; use `await corps.asking("
    "name.method, ...)` or `await name.method.asend(...)`, which wait for it"
)
"""What is said to who finds no room on an event loop of his own."""


class Turn:
    """What a coroutine waits for. For its event loop only, but for `wake`: any thread, under any lock."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._event = asyncio.Event()

    def wake(self) -> None:
        """Let the coroutine go on."""
        with suppress(RuntimeError):  # its loop was closed: nobody waits there any more
            self._loop.call_soon_threadsafe(self._event.set)

    async def wait(self, seconds: float | None) -> bool:
        """Wait to be woken, for so many seconds at most; return False if the time was over first."""
        try:
            async with asyncio.timeout(seconds):
                await self._event.wait()
        except TimeoutError:
            return False
        return True


@dataclass(slots=True, eq=False)
class Ticket:
    """One sender that waits. For `Room`."""

    size: int
    wake: Callable[[], object]
    is_granted: bool = False


@native
class Room:
    """A window with a queue. Caller holds the lock of the owner."""

    def __init__(self, lock: Lock, window: Window) -> None:
        self.window = window
        self._lock = lock
        self._queue: deque[Ticket] = deque()
        self._is_closed = False

    def is_roomy(self, more: int) -> bool:
        """Return whether nobody waits, and less than half is taken, so many further requests counted."""
        return not self._queue and self.window.is_roomy(more)

    def take(self, size: int) -> bool:
        """Take room for a request, if there is some and nobody waits; return whether it was taken."""
        return not self._queue and self.window.take_if_room(size)

    def wait(self, size: int, seconds: float | None) -> bool:
        """Queue for room, and take it; return False if the time is over or the room was closed."""
        if self._is_closed:
            return False
        turn = Condition(self._lock)
        ticket = self.queue(size, turn.notify)
        try:
            turn.wait_for(lambda: ticket.is_granted or self._is_closed, seconds)
        except BaseException:  # interrupted: the sender will not send
            self.leave(ticket)
            raise
        if not ticket.is_granted:
            self.leave(ticket)
        return ticket.is_granted

    def queue(self, size: int, wake: Callable[[], object]) -> Ticket:
        """Queue for room. `wake` is called, with the lock held, when there is some or will be none.

        If the ticket `is_granted` and not used, or is not waited for any more, it has to `leave`.
        """
        ticket = Ticket(size, wake)
        self._queue.append(ticket)
        if self._is_closed:
            wake()
        self._hand_out()
        return ticket

    def leave(self, ticket: Ticket) -> None:
        """Give back what a sender has taken that does not send, so that nobody stands behind it."""
        if ticket.is_granted:
            self.give_back(1, ticket.size)
            return
        self._queue.remove(ticket)
        self._hand_out()  # it may have held up smaller ones

    def give_back(self, requests: int, size: int) -> None:
        """Give back the room of so many requests, of so many bytes together: others may go."""
        self.window.give_back(requests, size)
        if self._queue:
            self._hand_out()

    def resize(self, requests: int, size: int) -> None:
        """Let so much be unanswered from now on: others may go, if it is more."""
        self.window.resize(requests, size)
        self._hand_out()

    def close(self) -> None:
        """Let all who wait go on at once, without room: nobody needs it any more."""
        self._is_closed = True
        for ticket in self._queue:
            ticket.wake()

    def _hand_out(self) -> None:
        while self._queue and not self._is_closed and self.window.take_if_room(self._queue[0].size):
            ticket = self._queue.popleft()
            ticket.is_granted = True
            ticket.wake()
