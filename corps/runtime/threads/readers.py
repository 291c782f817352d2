"""Which of an Env's threads reads from its links: one at a time, and best of all the one that waits.

There is a role, *the reader*, and no thread owns it (leader and followers: Schmidt and others,
Pattern-Oriented Software Architecture 2, 2000). A thread that reads the answer it waits for, and a worker
thread that reads the request it will run, save a change of threads each. `docs/design/threads.md` says who
takes the role, and when. Where two processes have a processor each, a look (the setting `spin`) before the
sleep is faster than to be woken: 104 µs a call instead of 180.
"""

import logging
import os
from collections.abc import Callable
from threading import Condition, current_thread, get_ident
from typing import Final

from corps.clock import deadline_after, now, remaining
from corps.core import Lock, native
from corps.errors import LoopBlocked
from corps.messages.waits import WaitingThread
from corps.runtime.context import Activity, current
from corps.runtime.threads.gates import Gate, look_time
from corps.runtime.threads.sleeping import join
from corps.runtime.threads.watched_thread import Failed, WatchedThread, note_failure
from corps.transport.link import Ready, Transport

_log = logging.getLogger("corps.transport")

_TICK: Final = 0.001
_SELDOM: Final = 10  # after so many misses one in 1 024 waits begins with a look
_CALLBACKS_END: Final = 5.0  # seconds that a callback in the thread that reads has, at the end
_WATCHFUL: Final = 50  # ticks without a change after which the standby sleeps until the role falls vacant


@native
class Readers:
    """The role of the reader of one Env. Thread-safe."""

    def __init__(
        self,
        transport: Transport,
        activity: Activity,
        name: str,
        *,
        spin: float = 0.0,
        failed: Failed = note_failure,
    ) -> None:
        """Have no thread read before `start`. With one processor no thread looks before it sleeps."""
        self._transport = transport
        self._activity = activity
        self._spin = look_time(spin)
        self._misses = 0  # looks in a row that found nothing; used by the reader alone
        self._to_skip = 0  # waits that begin without a look; used by the reader alone
        self._sign: Callable[[], object] | None = None  # a sign of life that is wanted; replaced as a whole
        # Protects everything below. Nothing blocks while it is held.
        self._lock = Lock()
        self._reader: WaitingThread | None = None  # whose thread has the role
        self._reading = 0  # the ident of that thread while it reads; set by itself alone
        self._waiting: dict[WaitingThread, None] = {}  # asleep, and would rather read; the newest comes last
        self._is_wanted = False  # a thread that would rather read has come since the role was taken
        self._vacancies = 0  # how often the role fell vacant
        self._vacated = Condition(self._lock)  # notified while closing
        self._is_closed = True
        self._standby = Gate()
        self._is_asleep = False  # the standby sleeps until the role falls vacant
        self._standby_thread = WatchedThread(name, self._stand_by, failed)

    def start(self) -> None:
        """Start the standby: from now on a thread reads, within two ticks."""
        with self._lock:
            self._is_closed = False
        try:
            self._standby_thread.start()
        except BaseException:
            self._is_closed = True
            raise

    def close(self) -> None:
        """Have no thread read any more. Joins the standby thread. Idempotent."""
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
        self._standby.open()
        self._interrupt()
        with self._vacated:
            is_vacant = self._vacated.wait_for(
                lambda: self._reader is None or self._reading == get_ident(), _CALLBACKS_END
            )
        if not is_vacant:  # an author's callback keeps the role, and must not stop the end
            _log.error(
                "a callback of a Future has kept %s from reading for too long", self._standby_thread.name
            )
            return
        if current_thread() is not self._standby_thread:
            join(self._standby_thread)

    def wait(self, gate: WaitingThread, timeout: float | None) -> bool:
        """Wait at this thread's gate, and read meanwhile if no other one does; return whether it opened."""
        if self._reading == get_ident():  # a signal handler, or a destructor, in the midst of it
            raise LoopBlocked("waiting here would stop the reading that brings the answer: wait elsewhere")
        until = None if timeout is None else now() + timeout
        while not gate.is_open:
            if self._take(gate):
                self._read(gate, until, steps_aside=False)
            else:
                self._sleep(gate, until)
            if until is not None and now() >= until:
                break
        return gate.is_open

    def ask_for_sign(self, sign: Callable[[], object]) -> None:
        """Have the thread that reads call `sign`, which is quick, when it is through with what it does."""
        self._sign = sign
        self._interrupt()

    def rest(self, gate: WaitingThread, timeout: float) -> bool:
        """Wait at a gate as a worker thread without work: any thread that waits comes before it."""
        until = deadline_after(timeout)
        with self._lock:
            takes = self._reader is None and not self._is_closed
            if takes:
                self._reader, self._is_wanted = gate, False
            elif self._reader is self._standby:
                self._is_wanted = True
        if takes:
            self._read(gate, until, steps_aside=True)
        if not gate.is_open:
            gate.sleep(remaining(until))
        return gate.is_open

    def _take(self, gate: WaitingThread) -> bool:
        with self._lock:
            if self._reader is None and not self._is_closed:
                self._reader, self._is_wanted = gate, False
                return True
            self._waiting[gate] = None
            self._is_wanted = True
            may_have_it = self._reader is self._standby
        if may_have_it:  # the answer will take longer than the change
            self._transport.interrupt()
        return False

    def _sleep(self, gate: WaitingThread, until: float | None) -> None:
        try:
            gate.sleep(remaining(until))
        finally:
            with self._lock:
                del self._waiting[gate]

    def _read(self, gate: WaitingThread, until: float | None, *, steps_aside: bool) -> None:
        """Read until the gate is open, the time is over, or another thread wants to. Leave the role then."""
        transport = self._transport
        self._reading = get_ident()
        try:
            gate.read_instead(self._interrupt)
            while not self._has_read_enough(gate, steps_aside):
                if self._sign is not None:
                    self._give_sign()
                ready = self._look() if self._spin else ()
                if not ready:
                    if self._has_read_enough(gate, steps_aside):  # the look may have taken the interrupt
                        return
                    if self._sign is not None:  # as above
                        self._give_sign()
                    ready = transport.await_ready(None if until is None else remaining(until))
                token = current.set(self._activity)
                try:
                    transport.hand_on(ready)
                finally:
                    current.reset(token)
                if until is not None and now() >= until:
                    return
        finally:
            if not gate.is_open:
                gate.read_instead(None)
            self._reading = 0
            self._leave(calls=steps_aside and not gate.is_open)

    def _has_read_enough(self, gate: WaitingThread, steps_aside: bool) -> bool:
        return gate.is_open or self._is_closed or (steps_aside and self._is_wanted)

    def _give_sign(self) -> None:
        sign, self._sign = self._sign, None
        if sign is not None:
            sign()

    def _look(self) -> Ready:
        """Look for a moment whether something comes; do not sleep."""
        if self._to_skip:
            self._to_skip -= 1
            return ()
        until = now() + self._spin
        while not (ready := self._transport.await_ready(0.0)):
            if now() > until:
                self._misses = min(self._misses + 1, _SELDOM)
                self._to_skip = 1 << self._misses
                return ()
            os.sched_yield()  # the sender may want this very processor
        self._misses = 0
        return ready

    def _leave(self, *, calls: bool) -> None:
        with self._lock:
            self._reader = None
            self._vacancies += 1
            called = self._newest_waiting() if calls else None
            wakes, self._is_asleep = self._is_asleep, False
            if self._is_closed:
                self._vacated.notify_all()
        if called is not None:
            called.call()
        if wakes:
            self._standby.call()

    def _newest_waiting(self) -> WaitingThread | None:
        return next((gate for gate in reversed(self._waiting) if not gate.is_open), None)

    def _interrupt(self) -> None:
        if self._reading != get_ident():  # else it looks at its gate before it blocks again
            self._transport.interrupt()

    # --- the standby thread ---

    def _stand_by(self) -> None:
        seen = -1
        calm = 0
        called: WaitingThread | None = None
        while True:
            with self._lock:
                if self._is_closed:
                    return
                is_vacant, is_unchanged = self._reader is None, self._vacancies == seen
                seen = self._vacancies
                is_stale = is_vacant and is_unchanged
                # One that was called and has not come may not be able to.
                called = self._newest_waiting() if is_stale and called is None else None
                takes = is_stale and called is None
                if takes:
                    self._reader, self._is_wanted = self._standby, False
                calm = calm + 1 if is_unchanged and not is_vacant else 0
                self._is_asleep = calm > _WATCHFUL
            if called is not None:
                called.call()
            elif takes:
                try:
                    self._read(self._standby, None, steps_aside=True)
                except BaseException:  # this thread has to be there for all that comes later
                    _log.exception("the reading was broken off; please report it")
            if calm > _WATCHFUL:
                self._transport.tidy()
            self._standby.sleep(None if calm > _WATCHFUL else _TICK)
