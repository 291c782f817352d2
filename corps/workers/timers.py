"""What stands for timers in the code that sets them. `services.timers` does what is said here."""

from collections.abc import Callable, Hashable
from datetime import datetime, tzinfo
from typing import Any, Literal, NamedTuple, NoReturn, TypeAlias

from corps.errors import PackError
from corps.exporting import exported
from corps.runtime.cells.cell import Cell
from corps.runtime.parts import Part

Rate: TypeAlias = Literal["fixed", "delay"]
"""``fixed``: ticks are due at equal distances. ``delay``: each distance counts from the end of a tick."""


@exported
class Timer:
    """A timer that `corps.after`, `every` or `at` has set. Thread-safe. It stays in its Env."""

    __slots__ = ()

    @property
    def key(self) -> Hashable:
        """The key that it was set with; None without one."""
        raise NotImplementedError

    @property
    def due(self) -> datetime | None:
        """When its next tick is due, in UTC by the wall clock as it is now; None if it has ended.

        While a worker runs the only tick, or the one after which a delay begins, this is the past time of it.
        """
        raise NotImplementedError

    def cancel(self) -> bool:
        """End the timer. Nothing of it begins any more if this returns True, not even a tick that waits.

        A tick that a worker has begun goes on. A tick on its way to another Env is asked back there, and this
        waits for the answer.

        Returns:
            True if this call has ended it. False if it had ended before: it was cancelled, its only tick has
            begun, its worker has gone, or what has set it. In a coroutine, which cannot wait, also if a tick
            is on its way to another Env, and may begin still: ``await asyncio.to_thread(timer.cancel)`` is
            for that.
        """
        raise NotImplementedError

    def __reduce__(self) -> NoReturn:
        """Refuse to pack: a timer belongs to what has set it.

        Raises:
            PackError: Always.
        """
        raise PackError(f"{self!r} cannot be packed: it belongs to the worker or Env that has set it")


class After(NamedTuple):
    """So many seconds from now, once."""

    seconds: float


class Every(NamedTuple):
    """Again and again; see `corps.every`."""

    seconds: float
    rate: Rate
    jitter: float


class At(NamedTuple):
    """At a time, or at the times of a cron expression; see `corps.at`."""

    when: datetime | str
    zone: str | tzinfo | None
    durable: bool


Timing: TypeAlias = After | Every | At
"""When a timer is due, as an author has said it: nothing of it is judged yet."""


class TimersSide(Part):
    """What sets the timers of one Env. Thread-safe."""

    def set(
        self,
        owner: Cell | None,
        timing: Timing,
        method: Callable[..., Any],
        args: tuple[Any, ...],
        key: Hashable,
    ) -> Timer:
        """Set a timer of a worker, or of the Env if there is no `owner`; raise as `corps.after`."""
        raise NotImplementedError

    def of(self, owner: Cell | None) -> list[Timer]:
        """Return those of a worker, or of the Env, that have not ended, oldest first."""
        raise NotImplementedError


@exported
class Timers:
    """The timers of one worker: what `my_timer` gives. Any thread may use it. They belong to the worker."""

    __slots__ = ("_owner", "_side")

    def __init__(self, side: TimersSide, owner: Cell | None) -> None:
        """Serve a worker, or an Env if there is no `owner`."""
        self._side = side
        self._owner = owner

    def after(self, seconds: float, method: Callable[..., Any], /, *args: Any, key: Hashable = None) -> Timer:
        """Have a method called once, so many seconds from now; see `corps.after`."""
        return self._side.set(self._owner, After(seconds), method, args, key)

    def every(
        self,
        seconds: float,
        method: Callable[..., Any],
        /,
        *args: Any,
        rate: Rate = "fixed",
        jitter: float = 0.0,
        key: Hashable = None,
    ) -> Timer:
        """Have a method called again and again; see `corps.every`."""
        return self._side.set(self._owner, Every(seconds, rate, jitter), method, args, key)

    def at(
        self,
        when: datetime | str,
        method: Callable[..., Any],
        /,
        *args: Any,
        zone: str | tzinfo | None = None,
        durable: bool = False,
        key: Hashable = None,
    ) -> Timer:
        """Have a method called at a time, or at the times of a cron expression; see `corps.at`."""
        return self._side.set(self._owner, At(when, zone, durable), method, args, key)

    def timers(self) -> list[Timer]:
        """Return those that have not ended, oldest first."""
        return self._side.of(self._owner)
