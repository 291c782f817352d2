"""What authors call to set timers."""

import functools
from collections.abc import Callable, Hashable
from datetime import datetime, tzinfo
from math import inf, nan
from numbers import Real
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from corps.addresses import ConcAddr
from corps.errors import ConfigError, NoSuchWorker, WorkerGone
from corps.runtime.calls.futures import Future
from corps.runtime.context import current
from corps.runtime.env import Env
from corps.services.timers.env_timers import EnvTimers
from corps.services.timers.schedules import FixedDelay, FixedRate, Once, OnceAt, Recurring, Schedule
from corps.services.timers.ticks import Target
from corps.services.timers.timer import Timer
from corps.services.timers.wall_times import CronTimes, wall_of, zone_of
from corps.workers.everywhere import env_here
from corps.workers.names import Attribute, Method

if TYPE_CHECKING:
    from corps.runtime.cells.cell import Cell

Rate = Literal["fixed", "delay"]
"""``fixed``: ticks are due at equal distances. ``delay``: each distance counts from the end of a tick."""

_RATES: Final = get_args(Rate)
_LEAST: Final = 0.001  # seconds between two ticks: nothing that is due more often keeps its times


class Timers:
    """The timers of one worker, or of an Env: what `my_timer` gives. Thread-safe."""

    def __init__(self, env: Env, owner: "Cell | None") -> None:
        """Serve a worker, or an Env if there is no `owner`."""
        self._env = env
        self._owner = owner

    def after(self, seconds: float, method: Callable[..., Any], /, *args: Any, key: Hashable = None) -> Timer:
        """Set a timer of this worker; see `corps.after`."""
        schedule = Once(_number("after", "seconds", seconds, least=0.0))
        return self._set("after", method, args, schedule, key=key)

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
        """Set a timer of this worker; see `corps.every`."""
        period = _number("every", "seconds", seconds, least=_LEAST)
        spread = _number("every", "jitter", jitter, least=0.0, most=period)
        if rate not in _RATES:
            raise ConfigError(f"corps.every(rate={rate!r:.80}): wants one of {', '.join(_RATES)}")
        schedule = FixedRate(period) if rate == "fixed" else FixedDelay(period)
        return self._set("every", method, args, schedule, jitter=spread, key=key)

    def at(
        self,
        when: datetime | str,
        method: Callable[..., Any],
        /,
        *args: Any,
        zone: str | tzinfo | None = None,
        key: Hashable = None,
    ) -> Timer:
        """Set a timer of this worker; see `corps.at`."""
        return self._set("at", method, args, _schedule_at(when, zone), key=key)

    def timers(self) -> list[Timer]:
        """Return the timers of this worker that have not ended; see `corps.timers`."""
        return [*self._env.parts.get(EnvTimers).of(None if self._owner is None else self._owner.addr)]

    def _set(
        self,
        what: str,
        method: object,
        args: tuple[Any, ...],
        schedule: Schedule,
        *,
        jitter: float = 0.0,
        key: Hashable = None,
    ) -> Timer:
        try:
            hash(key)
        except TypeError:
            raise ConfigError(f"corps.{what}(key={key!r:.80}): wants what can be hashed, or None") from None
        called, args, kwargs = _method_of(what, method, args)
        env, target = _target_of(called, args, kwargs)
        owner = self._owner if self._env is env else None
        return env.parts.get(EnvTimers).set(owner, target, schedule, jitter=jitter, key=key)


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


def _method_of(
    what: str, method: object, args: tuple[Any, ...]
) -> tuple[Method, tuple[Any, ...], dict[str, Any]]:
    """Return the method of a Name that a timer is to call, with its arguments."""
    if isinstance(method, Method):
        return method, args, {}
    if isinstance(method, functools.partial) and isinstance(method.func, Method):
        return method.func, (*method.args, *args), dict(method.keywords)
    if isinstance(method, Attribute):
        method()  # raises what says which methods there are
    if isinstance(method, Future):
        advice = "a Future, because it was called here: give the method itself, without its parentheses"
    elif callable(method):
        advice = (
            f"{method!r:.100}: a timer calls a worker, so that what it does runs in the turn of one. Give a "
            "method of a Name, such as name.refresh; self.my_name().refresh inside a worker"
        )
    else:
        advice = f"{method!r:.100}: give a method of a Name, such as name.refresh"
    raise ConfigError(f"corps.{what}() wants a method of a worker, and got {advice}")


def _target_of(method: Method, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Env, Target]:
    """Return the Env that calls, and what it calls; raise if the worker is known to be gone."""
    env, worker, name, kind, args = method.as_request(args)
    if worker.corps != env.corps_id:
        raise NoSuchWorker(f"{worker} is not in this Corps ({env.corps_id[:6]})", target=str(worker))
    packed = None
    if worker.env == env.id:
        _check_is_there(env, worker)
    elif env.peers is None:
        raise NoSuchWorker(f"{worker} is in another Env, and this one is alone", target=str(worker))
    elif args or kwargs:
        packed = env.pack((args, kwargs), what="arguments")
        args, kwargs = (), {}
    return env, Target(worker, name, kind, args, kwargs, method.takes("skipped"), packed)


def _check_is_there(env: Env, worker: ConcAddr) -> None:
    if env.registry.find(worker.conc) is None and env.registry.is_gone(worker.conc):
        text = f"the worker {worker} has ended: no timer can call it"
        raise WorkerGone(text, executed="no", target=str(worker))


def _here(what: str, method: object) -> Timers:
    """Return the timers of the worker that runs, or of the Env of a method."""
    here = current.get()
    if here is not None and here.cell is not None:
        return Timers(here.env, here.cell)
    if isinstance(method, functools.partial):
        method = method.func
    env = method.as_request(())[0] if isinstance(method, Method) else env_here(f"for corps.{what}")
    return Timers(env, None)


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


def at(
    when: datetime | str,
    method: Callable[..., Any],
    /,
    *args: Any,
    zone: str | tzinfo | None = None,
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
        key: As `after`.

    Returns:
        The timer, as `after`.

    Raises:
        ConfigError, WorkerGone, NoSuchWorker, PackError, ContextError, ClosedError, Overloaded: As `after`.
    """
    return _here("at", method).at(when, method, *args, zone=zone, key=key)


def timers() -> list[Timer]:
    """Return the timers that have not ended: those of the worker that calls this; elsewhere all of the Env.

    Returns:
        The timers, oldest first.

    Raises:
        ContextError: There is no Env here, or it is not clear which.
    """
    here = current.get()
    if here is not None and here.cell is not None:
        return Timers(here.env, here.cell).timers()
    return [*env_here("whose timers are asked for").parts.get(EnvTimers).everyones()]
