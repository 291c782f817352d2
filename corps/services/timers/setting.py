"""What authors call to set timers."""

import functools
from collections.abc import Callable, Hashable
from datetime import datetime, tzinfo
from math import inf, nan
from numbers import Real
from typing import Any, Final, get_args

from corps.addresses import is_runtimes_own
from corps.errors import ConfigError
from corps.exporting import exported
from corps.runtime.cells.cell import Cell
from corps.runtime.context import current
from corps.runtime.env import Env
from corps.services.timers.env_timers import EnvTimers
from corps.services.timers.schedules import FixedDelay, FixedRate, Once, OnceAt, Recurring, Schedule
from corps.services.timers.targets import method_of, target_of
from corps.services.timers.wall_times import CronTimes, wall_of, zone_of
from corps.workers.everywhere import env_here
from corps.workers.names import Method
from corps.workers.timers import After, At, Every, Rate, Timer, Timers, TimersSide, Timing

_RATES: Final = get_args(Rate)
_LEAST: Final = 0.001  # seconds between two ticks: nothing that is due more often keeps its times


class SettingTimers(TimersSide):
    """Sets what `Timers` asks for. Thread-safe."""

    def __init__(self, env: Env) -> None:
        """Serve an Env and its workers."""
        self._env = env

    def set(
        self,
        owner: Cell | None,
        timing: Timing,
        method: Callable[..., Any],
        args: tuple[Any, ...],
        key: Hashable,
    ) -> Timer:
        """See `TimersSide.set`."""
        what, jitter = type(timing).__name__.lower(), 0.0
        schedule: Schedule
        match timing:
            case After(seconds):
                schedule = Once(_number(what, "seconds", seconds, least=0.0))
            case Every(seconds, rate, spread):
                period = _number(what, "seconds", seconds, least=_LEAST)
                jitter = _number(what, "jitter", spread, least=0.0, most=period)
                if rate not in _RATES:
                    raise ConfigError(f"corps.every(rate={rate!r:.80}): wants one of {', '.join(_RATES)}")
                schedule = FixedRate(period) if rate == "fixed" else FixedDelay(period)
            case At(when, zone, durable) if durable:
                from corps.services.timers.durable import set_durable  # here, as most programs have none

                return set_durable(when, zone, *method_of(what, method, args), key)
            case At(when, zone):
                schedule = _schedule_at(when, zone)
        _check_key(what, key)
        called, args, kwargs = method_of(what, method, args)
        env, target = target_of(called, args, kwargs)
        mine = owner if self._env is env else None
        return env.parts.get(EnvTimers).set(mine, target, schedule, jitter=jitter, key=key)

    def of(self, owner: Cell | None) -> list[Timer]:
        """See `TimersSide.of`."""
        return [*self._env.parts.get(EnvTimers).of(None if owner is None else owner.addr)]


def _check_key(what: str, key: Hashable) -> None:
    try:
        hash(key)
    except TypeError:
        raise ConfigError(f"corps.{what}(key={key!r:.80}): wants what can be hashed, or None") from None


def _number(what: str, name: str, value: object, *, least: float, most: float = inf) -> float:
    try:
        number = float(value) if not isinstance(value, bool) and isinstance(value, Real) else nan
    except OverflowError:
        number = nan
    if not least <= number <= most or number == inf:
        limits = (
            f"from {least:g}" if most == inf else f"from {least:g} to {most:g}, the distance of its ticks"
        )
        raise ConfigError(f"corps.{what}({name}={value!r:.80}): wants a number of seconds {limits}")
    return number


def _schedule_at(when: object, zone: str | tzinfo | None) -> Schedule:
    if isinstance(when, datetime):
        return OnceAt(wall_of(when, zone))
    if isinstance(when, str):
        return Recurring(CronTimes(when, zone_of(zone)).next_after)
    raise ConfigError(
        f"corps.at({when!r:.80}): wants a datetime, or a cron expression such as '0 3 * * mon-fri'"
    )


def _here(what: str, method: object) -> Timers:
    """Return the timers of the worker that runs, or of the Env of a method."""
    here = current.get()
    if here is not None and here.cell is not None:
        return Timers(here.env.parts.get(TimersSide), here.cell)
    if isinstance(method, functools.partial):
        method = method.func
    env = method.as_request(())[0] if isinstance(method, Method) else env_here(f"for corps.{what}")
    return Timers(env.parts.get(TimersSide), None)


@exported
def after(seconds: float, method: Callable[..., Any], /, *args: Any, key: Hashable = None) -> Timer:
    """Have a method of a worker called once, so many seconds from now.

    The worker gets it like what `send` sends: in its turn, and without an answer. If it raises, that is a
    dead letter.

    Example:
        ``corps.after(5.0, name.refresh, "all")``

    Args:
        seconds: From 0 on, by a clock that nobody sets.
        method: A method of a Name; in a `functools.partial`, if it is to get keywords.
        *args: Its arguments. Inside one Env the method gets these objects themselves, when it is called.
        key: Whatever can be hashed. A timer of the same owner that has this key ends, and this one takes its
            place. None: it takes the place of none.

    Returns:
        The timer. It belongs to the worker that calls this, and ends with that incarnation of it; if a plain
        thread calls, it belongs to the Env, and ends with that.

    Raises:
        ConfigError: It is no method of a Name, or another value is out of range.
        WorkerGone: The worker is known to have ended, or that which is to own the timer.
        NoSuchWorker: The worker is in another Corps.
        PackError: The worker lives in another Env, and an argument cannot be packed.
        ContextError: There is no Env here, or it is not clear which.
        ClosedError: The Env has been closed.
        Overloaded: The system gives no thread for the first timer of the Env.
    """
    return _here("after", method).after(seconds, method, *args, key=key)


@exported
def every(
    seconds: float,
    method: Callable[..., Any],
    /,
    *args: Any,
    rate: Rate = "fixed",
    jitter: float = 0.0,
    key: Hashable = None,
) -> Timer:
    """Have a method of a worker called again and again. The first time is `seconds` from now.

    A tick is not sent while the worker has not finished the one before. At a fixed rate, what is due
    meanwhile is counted as missed, and so is what this Env was too late for. A method with a parameter
    `skipped` gets the number of ticks that were missed before this one. That works where the worker's class
    is loaded in the process that sets the timer.

    Example:
        ``corps.every(1.0, name.tick, "arg")``

    Args:
        seconds: Between two ticks, from 0.001 on.
        method: As `after`.
        *args: As `after`.
        rate: ``"fixed"``: ticks are due at equal distances from the beginning, and one that is late makes no
            other one late. ``"delay"``: the distance counts from the end of the tick before.
        jitter: Seconds, up to `seconds`. Each tick comes later by a random part of that, so that many workers
            do not wake at once.
        key: As `after`.

    Returns:
        The timer, as `after`. It ends by itself when the worker has gone for good.

    Raises:
        ConfigError, WorkerGone, NoSuchWorker, PackError, ContextError, ClosedError, Overloaded: As `after`.
    """
    return _here("every", method).every(seconds, method, *args, rate=rate, jitter=jitter, key=key)


@exported
def at(
    when: datetime | str,
    method: Callable[..., Any],
    /,
    *args: Any,
    zone: str | tzinfo | None = None,
    durable: bool = False,
    key: Hashable = None,
) -> Timer:
    """Have a method of a worker called at a time of the wall clock, or at the times of a cron expression.

    When the clock of the system is set, what is due is found anew within about a second. Times that it jumps
    over, or that pass while the system sleeps, make one tick, and count as `skipped` (see `every`; up to
    10 000). A clock that is set back by less than three hours makes no time come twice. One that is set back
    further was wrong, and the times are found anew.

    A time that daylight saving skips comes when the skipped hour is over. In an hour that comes twice, what
    is due at a time of the day comes once, and what is due every few minutes or every hour comes in both.

    Example:
        ``corps.at("0 3 * * mon-fri", name.nightly, zone="Europe/Berlin")``

    Args:
        when: A datetime; if it is past, the tick is due at once. Or minute, hour, day of the month, month and
            day of the week, as cron has them. This needs the extra ``corps[cron]``.
        method: As `after`.
        *args: As `after`.
        zone: The time zone of a datetime that has none, or of an expression: its name, or a tzinfo. None:
            UTC, for an expression.
        durable: Keep it in the file that the setting `timers.path` names, until it has called for the last
            time or is cancelled. It needs a `key`, which is a text. The method is one of the Corps object, or
            of a worker that is registered in the Dir of the Corps. Its arguments are stored, as `store` does.
            It belongs to the Corps. This returns when it is on the disk. When a Corps starts with this file,
            what was missed meanwhile is one tick. A durable timer that is set again with the same key and the
            same times stays as due as it is.
        key: As `after`.

    Returns:
        The timer, as `after`.

    Raises:
        ConfigError, WorkerGone, NoSuchWorker, PackError, ContextError, ClosedError, Overloaded: As `after`.
        StorageError: A durable timer cannot be written down.
        Damaged, NewerFormat: The file of durable timers is none, or that of a newer release.
        LoopBlocked: A durable timer is set in a coroutine: use `asyncio.to_thread`.
    """
    return _here("at", method).at(when, method, *args, zone=zone, durable=durable, key=key)


@exported
def timers(*, durable: bool = False) -> list[Timer]:
    """Return the timers that have not ended: those of the worker that calls this; elsewhere all of the Env.

    Args:
        durable: The durable timers of the Corps instead. It asks the booting process, and waits.

    Returns:
        The timers, oldest first.

    Raises:
        ContextError: There is no Env here, or it is not clear which.
        LoopBlocked: Durable timers are asked for in a coroutine.
    """
    if durable:
        from corps.services.timers.durable import all_durable

        return [*all_durable(env_here("whose timers are asked for"))]
    here = current.get()
    if here is not None and here.cell is not None:
        return here.env.parts.get(TimersSide).of(here.cell)
    everyones = env_here("whose timers are asked for").parts.get(EnvTimers).everyones()
    return [timer for timer in everyones if timer.owner is None or not is_runtimes_own(timer.owner.conc)]
