"""The timers of one Env: the local side of the service.

A timer belongs to the worker that has set it, and ends with that incarnation of it. What a plain thread sets
belongs to the Env. No tick is sent while the one before is not over, so a slow worker is not flooded: a tick
that is due meanwhile is counted.
"""

import itertools
import random
from collections.abc import Callable, Hashable
from datetime import datetime
from threading import RLock
from typing import TYPE_CHECKING, Final

from corps.addresses import ConcAddr
from corps.clock import now, wall_time
from corps.errors import ClosedError, Overloaded, WorkerGone
from corps.messages.outcomes import Value
from corps.runtime.calls.futures import Future
from corps.runtime.cells.cell import Cell
from corps.runtime.parts import Part
from corps.runtime.threads.alarms import Alarm
from corps.runtime.threads.lending import check_reserve
from corps.runtime.threads.thread_starts import NO_THREAD
from corps.services.timers.schedules import SET_BACK, Schedule
from corps.services.timers.ticks import End, FarTick, LocalTick, Origin, Target, Then, Tick
from corps.services.timers.wall_times import as_utc
from corps.workers.timers import Timer

if TYPE_CHECKING:
    from corps.runtime.env import Env

_LOOK: Final = 1.0  # seconds between two looks whether the wall clock was set
_SET: Final = 0.05  # seconds by which it has moved against the other clock then


class EnvTimer(Timer):
    """A timer of one Env. Its timers' lock protects all that changes."""

    __slots__ = (
        "_key",
        "_timers",
        "alarm",
        "has_ended",
        "jitter",
        "missed",
        "next",
        "owner",
        "schedule",
        "target",
        "tick",
    )

    def __init__(
        self,
        timers: "EnvTimers",
        owner: ConcAddr | None,
        target: Target,
        schedule: Schedule,
        jitter: float,
        key: Hashable,
    ) -> None:
        self._timers = timers
        self._key = key
        self.owner = owner  # None: the Env
        self.target = target
        self.schedule = schedule
        self.jitter = jitter
        self.next = 0.0  # when the next tick is due, by the clock of the schedule, without jitter
        self.alarm: Alarm | None = None
        self.tick: Tick | None = None  # until it is over
        self.missed = 0
        self.has_ended = False

    @property
    def key(self) -> Hashable:
        """See `Timer.key`."""
        return self._key

    @property
    def due(self) -> datetime | None:
        """See `Timer.due`."""
        return self._timers.due_of(self)

    def cancel(self) -> bool:
        """See `Timer.cancel`."""
        return self._timers.cancel(self)

    def __call__(self) -> None:
        """Ring: what an alarm calls. Without a function for each alarm, a timer takes 150 bytes less."""
        self._timers.ring(self)

    def over(self, tick: Tick, end: End) -> None:
        """Hear that a tick is over."""
        self._timers.over(self, tick, end)

    def __repr__(self) -> str:
        key = "" if self._key is None else f" {self._key!r}"
        state = "has ended" if self.has_ended else f"is due {self.due}"
        return f"<Timer{key} for {self.target.method!r} of {self.target.worker}, {state}>"


class EnvTimers(Part):
    """The timers of one Env. Thread-safe."""

    def __init__(self, env: "Env") -> None:
        """Have no timer yet. A thread begins with the first one."""
        self._env = env
        self._alarms = env.more_alarms("timers")
        self._now = now
        self._wall_time = wall_time
        # Protects everything below, and the timers. Only alarms are set and cancelled under it.
        self._lock = RLock()
        # By owner, then by key; one without a key is its own key.
        self._owned: dict[ConcAddr | None, dict[Hashable, EnvTimer]] = {}
        self._by_wall: dict[EnvTimer, None] = {}
        self._looks = False  # whether it is looked again and again whether the wall clock was set
        self._ahead = 0.0  # how far the wall clock was ahead of the other one at the last look
        self._numbers = itertools.count()
        self._of_others: dict[Origin, tuple[LocalTick, Future[int]]] = {}
        self._is_closed = False

    # --- setting and ending ---

    def set(
        self,
        owner: Cell | None,
        target: Target,
        schedule: Schedule,
        *,
        jitter: float = 0.0,
        key: Hashable = None,
    ) -> EnvTimer:
        """Set a timer, in place of one of the same owner that has this key."""
        check_reserve()
        addr = None if owner is None else owner.addr
        timer = EnvTimer(self, addr, target, schedule, jitter, key)
        former: Tick | None = None
        with self._lock:
            if owner is not None and owner.ended is not None:
                raise WorkerGone(f"{owner} has ended, so it can have no timers", executed="no")
            if self._is_closed:
                raise ClosedError(f"{self._env.label} has been closed: it can have no more timers")
            if key is not None and (there := self._owned.get(addr, {}).get(key)) is not None:
                former = self._end(there)
            due = schedule.begin(self._moment(schedule))
            if due is None:
                timer.has_ended = True
                return timer
            owned = self._owned.get(addr)
            if owned is None:
                owned = self._owned[addr] = {}
            owned[timer if key is None else key] = timer
            if schedule.by_wall:
                self._note_by_wall(timer)
            try:
                self._arm(timer, due)
            except NO_THREAD as error:
                self._end(timer)
                raise Overloaded(f"the system gives no thread for timers now: {error}") from error
        if former is not None:
            former.withdraw()
        return timer

    def cancel(self, timer: EnvTimer) -> bool:
        """See `Timer.cancel`."""
        check_reserve()
        with self._lock:
            if timer.has_ended:
                return False
            tick = self._end(timer)
        never_begins = True if tick is None else tick.withdraw(waits=True)
        return bool(never_begins) or (never_begins is False and timer.schedule.repeats)

    def _end(self, timer: EnvTimer) -> Tick | None:
        """End a timer; return a tick that is not over, for the caller to withdraw. Caller holds the lock."""
        timer.has_ended = True
        if timer.alarm is not None:
            timer.alarm.cancel()
            timer.alarm = None
        owned = self._owned.get(timer.owner)
        if owned is not None:
            owned.pop(timer if timer.key is None else timer.key, None)
            if not owned:
                del self._owned[timer.owner]
        self._by_wall.pop(timer, None)
        tick, timer.tick = timer.tick, None
        return tick

    def of(self, owner: ConcAddr | None) -> list[EnvTimer]:
        """Return the timers of a worker, or of the Env, oldest first."""
        with self._lock:
            return list(self._owned.get(owner, {}).values())

    def everyones(self) -> list[EnvTimer]:
        """Return all timers of this Env, those of services among them."""
        with self._lock:
            return [timer for owned in self._owned.values() for timer in owned.values()]

    def due_of(self, timer: EnvTimer) -> datetime | None:
        """See `Timer.due`."""
        with self._lock:
            if timer.has_ended:
                return None
            wall = timer.next if timer.schedule.by_wall else timer.next - self._now() + self._wall_time()
        return as_utc(wall)

    # --- what is due ---

    def _moment(self, schedule: Schedule) -> float:
        return self._wall_time() if schedule.by_wall else self._now()

    def _arm(self, timer: EnvTimer, due: float) -> None:
        """Have a timer ring at `due`, by the clock of its schedule. Caller holds the lock."""
        timer.next = due
        at = due if not timer.schedule.by_wall else self._now() + due - self._wall_time()
        if timer.jitter:
            at += timer.jitter * random.random()  # noqa: S311  # no secret
        timer.alarm = self._alarms.at(at, timer)

    def ring(self, timer: EnvTimer) -> None:
        """Send a tick that is due, unless the one before is not over. In the thread of the alarms."""
        tick: Tick | None = None
        with self._lock:
            if timer.has_ended:
                return
            if not self._env.is_open:
                self._end(timer)
                return
            schedule, due = timer.schedule, timer.next
            moment = self._moment(schedule)
            if moment < due:  # the wall clock was set back
                self._arm(timer, due)
                return
            timer.alarm = None
            following = schedule.follow(due, moment)
            if timer.tick is not None:
                timer.missed += 1 + following.missed
            else:
                tick = self._tick_of(timer, timer.missed + following.missed)
                timer.missed = 0
            if following.due is not None and not schedule.after_end:
                self._arm(timer, following.due)
        if tick is not None:
            tick.send()

    def _tick_of(self, timer: EnvTimer, skipped: int) -> Tick:
        """Make the next tick of a timer. Caller holds the lock."""
        tick = timer.tick = self.tick_to(timer.target, skipped, timer.owner, timer.over)
        return tick

    def tick_to(self, target: Target, skipped: int, sender: ConcAddr | None, then: Then) -> Tick:
        """Make a tick, which is not sent yet."""
        if target.worker.env == self._env.id:
            return LocalTick(self._env, target, skipped, sender, then)
        return FarTick(self._env, target, skipped, next(self._numbers), then)

    def over(self, timer: EnvTimer, tick: Tick, end: End) -> None:
        """Note that a tick is over. In the thread that has run it, or that brings the answer."""
        with self._lock:
            if timer.tick is not tick:
                return
            timer.tick = None
            if end is End.GONE or not (timer.schedule.after_end or timer.alarm is not None):
                self._end(timer)
            elif timer.schedule.after_end:
                following = timer.schedule.follow(timer.next, self._now())
                if following.due is not None:
                    self._arm(timer, following.due)

    # --- the wall clock ---

    def _note_by_wall(self, timer: EnvTimer) -> None:
        """Take in a timer that goes by the wall clock. Caller holds the lock."""
        if not self._by_wall:
            self._ahead = self._wall_time() - self._now()
        if not self._looks:
            self._looks = True
            self._alarms.at(self._now() + _LOOK, self._look)
        self._by_wall[timer] = None

    def _look(self) -> None:
        """See whether the wall clock was set; if so, let the timers that go by it ring at other times."""
        with self._lock:
            if not self._by_wall:
                self._looks = False
                return
            wall = self._wall_time()
            ahead = wall - self._now()
            moved, self._ahead = ahead - self._ahead, ahead
            if abs(moved) > _SET:
                for timer in [each for each in self._by_wall if each.alarm is not None]:
                    self._set_anew(timer, wall, is_back=moved < -SET_BACK)
            self._alarms.at(self._now() + _LOOK, self._look)

    def _set_anew(self, timer: EnvTimer, wall: float, *, is_back: bool) -> None:
        """Have a timer ring at another time, because the wall clock was set. Caller holds the lock."""
        due = timer.schedule.set_back(timer.next, wall) if is_back else timer.next
        if timer.alarm is not None and due is not None:
            timer.alarm.cancel()
            self._arm(timer, due)

    # --- ticks of other Envs ---

    def take(
        self, origin: Origin, target: Target, skipped: int, begins: Callable[[], object] | None = None
    ) -> Future[int]:
        """Call a worker of this Env for a timer of another one; the Future gives the `End`.

        `begins` is called when the worker begins.
        """
        over: Future[int] = Future()

        def then(_: Tick, end: End) -> None:
            with self._lock:
                self._of_others.pop(origin, None)
            over.settle(Value(int(end)))

        tick = LocalTick(self._env, target, skipped, None, then, begins)
        with self._lock:
            self._of_others[origin] = tick, over
        tick.send()
        return over

    def take_back(self, origin: Origin) -> bool:
        """Withdraw a tick of another Env; False if it has begun, or is over."""
        with self._lock:
            tick, over = self._of_others.get(origin, (None, None))
        if tick is None or over is None or not tick.withdraw():
            return False
        with self._lock:
            self._of_others.pop(origin, None)
        over.settle(Value(int(End.NOT_RUN)))
        return True

    # --- what the engine says ---

    def worker_ended(self, worker: ConcAddr, *, returns: bool) -> None:
        """See `Part.worker_ended`. A worker that comes back sets its timers anew."""
        if worker in self._owned:
            with self._lock:
                self._end_all(list(self._owned.get(worker, {}).values()))

    def env_lost(self, env_id: int, *, returns: bool) -> None:
        """See `Part.env_lost`. The timers of that Env have ended, and their ticks do not begin."""
        for origin in [each for each in list(self._of_others) if each[0] == env_id]:
            self.take_back(origin)

    def env_left(self, env_id: int) -> None:
        """See `Part.env_left`."""
        with self._lock:
            self._end_all([each for each in self.everyones() if each.target.worker.env == env_id])

    def close(self) -> None:
        """See `Part.close`."""
        with self._lock:
            self._is_closed = True
            self._end_all(self.everyones())
        self._alarms.close()

    def _end_all(self, timers: list[EnvTimer]) -> None:
        ticks = [self._end(timer) for timer in timers]
        for tick in ticks:
            if tick is not None:
                tick.withdraw()
