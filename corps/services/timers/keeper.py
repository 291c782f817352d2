"""The durable timers of a Corps, as the service in the booting process keeps them.

A tick is written down as done when it is over. So one that was under way when the Corps was killed is sent
again by the next Corps: at least once. In one Corps each tick is sent once, unless it certainly was not run:
then it is tried again. What was missed while no Corps ran is one tick, with the number of the others.
"""

import logging
from io import BytesIO
from typing import Any, Final

from corps.addresses import CORPS_TIMERS
from corps.clock import wall_time
from corps.errors import CorpsError, StorageError
from corps.messages.outcomes import Value
from corps.messages.requests import CALL
from corps.packing.storage import load_from
from corps.runtime.calls.futures import Future
from corps.runtime.cells.cell import Cell
from corps.services.timers.durable import Kept, found, schedule_of
from corps.services.timers.env_timers import EnvTimer, EnvTimers
from corps.services.timers.schedules import Once, OnceAt, Schedule
from corps.services.timers.store import Row, TimerStore
from corps.services.timers.targets import target_of
from corps.services.timers.ticks import End, Target, Tick

_log = logging.getLogger("corps.services")

_PAUSES: Final = (0.5, 60.0)  # seconds before a tick that was not run is tried again: the first, the longest


class _Awaited(OnceAt):
    """The next tick of a durable timer."""

    __slots__ = ("_schedule",)

    def __init__(self, due: float, schedule: Schedule) -> None:
        super().__init__(due)
        self._schedule = schedule

    def set_back(self, due: float, moment: float) -> float | None:
        """See `Schedule.set_back`."""
        return self._schedule.set_back(due, moment)


class _Durable:
    """One durable timer that has not ended."""

    def __init__(self, row: Row, due: float) -> None:
        self.row = row
        self.due = due  # of the tick that is the next one, or under way
        self.schedule: Schedule = schedule_of(row.times)
        self.following: float | None = None  # what comes after the tick that is under way
        self.alarm: EnvTimer | None = None
        self.tick: Tick | None = None
        self.number = 0  # of the tick that is under way
        self.tries = 0  # of a tick that was not run


class Keeper:
    """Keeps the durable timers of a Corps, for the worker of a service. One request of it at a time."""

    def __init__(self, cell: Cell, path: str) -> None:
        """Begin with what the file has.

        Raises:
            ConfigError, Damaged, NewerFormat: As `TimerStore`.
        """
        self._cell = cell  # of the service
        self._env = cell.env
        self._timers = self._env.parts.get(EnvTimers)
        self._durable: dict[str, _Durable] = {}  # those that have not ended
        self._store = TimerStore(path, wall_time())
        self._rows = {row.key: row for row in self._store.all()}  # those that have ended among them
        for row in self._rows.values():
            try:
                self._begin(row)
            except CorpsError as error:  # its time zone is not known here, say
                _log.error("the durable timer %r does not run: %s", row.key, error)

    def close(self) -> None:
        """Let go of the file."""
        self._store.close()

    # --- what is asked ---

    def set(self, key: str, kept: Kept) -> int:
        """Write a timer down, and return its serial number when it is on the disk.

        If there is one with this key and these times, it stays as due as it is, and the rest is replaced.
        """
        row = Row(key, self._next_serial(), None, *kept)
        schedule = schedule_of(row.times)
        former = self._rows.get(key)
        if former is not None and former.times == row.times:
            row = row._replace(serial=former.serial, due=former.due, over=former.over)
        else:
            row = row._replace(due=schedule.begin(wall_time()))
        self._store.put(row)
        self._rows[key] = row
        durable = self._durable.get(key)
        if durable is not None and durable.row.serial == row.serial:
            durable.row = row
        else:
            if durable is not None:
                self._stop(durable)
            self._begin(row)
        return row.serial

    def cancel(self, key: str, serial: int) -> "bool | Future[bool]":
        """End a timer, and return whether nothing of it begins any more; see `Timer.cancel`."""
        durable = self._of(key, serial)
        if durable is None:
            return False
        self._store.remove(key)
        del self._rows[key]
        answer = self._stop(durable)
        repeats = durable.schedule.repeats
        if not isinstance(answer, Future):
            return answer is True or (answer is False and repeats)
        never_begins: Future[bool] = Future()
        answer.when_settled(
            lambda done: never_begins.settle(Value(done.failure() is not None or done.result() or repeats))
        )
        return never_begins

    def due_of(self, key: str, serial: int) -> float | None:
        """Return when a timer is due; None if it has ended."""
        durable = self._of(key, serial)
        return None if durable is None else durable.due

    def all(self) -> list[tuple[str, int]]:
        """Return the keys and serial numbers of all that have not ended."""
        return [(each.row.key, each.row.serial) for each in self._durable.values()]

    # --- what it asks itself ---

    def fire(self, key: str, serial: int) -> None:
        """Send a tick that is due."""
        durable = self._of(key, serial)
        if durable is None or durable.tick is not None:
            return
        durable.number += 1
        wall = wall_time()
        following = durable.schedule.follow(min(durable.due, wall), wall)  # less if the clock was set back
        durable.following = following.due
        try:
            target = self._target_of(durable.row)
        except Exception as error:  # what is stored may be older than the code
            level = logging.DEBUG if durable.tries else logging.ERROR
            _log.log(level, "the durable timer %r cannot call, and tries again: %s", key, error)
            target = None
        number = durable.number
        if target is None:
            self._try_again(durable)
            return

        def then(_: Tick, end: End) -> None:
            self._ask_itself("over", key, serial, number, int(end))

        durable.tick = self._timers.tick_to(target, following.missed, None, then)
        durable.tick.send()

    def over(self, key: str, serial: int, number: int, end: int) -> None:
        """Note that a tick is over."""
        durable = self._of(key, serial)
        if durable is None or durable.number != number:
            return
        if end != End.OVER:
            durable.tick = None
            self._try_again(durable)
            return
        try:
            self._store.advance(key, durable.following, wall_time())
        except StorageError as error:  # it is not sent again meanwhile
            _log.error("%s; it is tried again", error)
            self._later(durable, "over", number, end)
            return
        durable.tick, durable.tries = None, 0
        self._rows[key] = durable.row = durable.row._replace(due=durable.following)
        if durable.following is None:
            del self._durable[key]
        else:
            durable.due = durable.following
            self._arm(durable, _Awaited(durable.due, durable.schedule), "fire")

    # --- how ---

    def _next_serial(self) -> int:
        return 1 + max((row.serial for row in self._rows.values()), default=0)

    def _of(self, key: str, serial: int) -> _Durable | None:
        durable = self._durable.get(key)
        return durable if durable is not None and durable.row.serial == serial else None

    def _begin(self, row: Row) -> None:
        if row.due is not None:
            durable = self._durable[row.key] = _Durable(row, row.due)
            self._arm(durable, _Awaited(row.due, durable.schedule), "fire")

    def _stop(self, durable: _Durable) -> "Future[bool] | bool | None":
        """End what a timer does; return whether its tick, if there is one, is withdrawn."""
        del self._durable[durable.row.key]
        if durable.alarm is not None:
            durable.alarm.cancel()
        return True if durable.tick is None else durable.tick.withdrawal()

    def _target_of(self, row: Row) -> Target | None:
        """Return what a timer calls; None if its worker is not there now."""
        name = found(self._env, row.target)
        if name is None:
            return None
        args, kwargs = load_from(BytesIO(row.args))
        _, target = target_of(getattr(name, row.method), args, kwargs)
        return target._replace(takes_skipped=bool(row.takes_skipped))

    def _try_again(self, durable: _Durable) -> None:
        """Send a tick later that was not run."""
        first, longest = _PAUSES
        pause = min(longest, first * 2.0 ** min(durable.tries, 10))
        durable.tries += 1
        self._arm(durable, Once(pause), "fire")

    def _later(self, durable: _Durable, what: str, *args: Any) -> None:
        self._arm(durable, Once(_PAUSES[0]), what, *args)

    def _arm(self, durable: _Durable, schedule: Schedule, what: str, *args: Any) -> None:
        """Ask this service itself, when it is time."""
        row = durable.row
        target = Target(self._cell.addr, what, CALL, (row.key, row.serial, *args), {})
        durable.alarm = self._timers.set(self._cell, target, schedule)

    def _ask_itself(self, what: str, *args: Any) -> None:
        try:
            self._env.ask_service(self._env.id, CORPS_TIMERS, what, *args)
        except CorpsError as error:  # the Corps has ended
            _log.debug("a tick was over when its Corps was: %s", error)
