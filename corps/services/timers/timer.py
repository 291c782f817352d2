"""The Timer: what stands for one timer in the code that has set it."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, NoReturn

from corps.errors import PackError

if TYPE_CHECKING:
    from collections.abc import Hashable


class Timer:
    """A timer that `corps.after`, `every` or `at` has set. Thread-safe. It stays in its Env."""

    __slots__ = ()

    @property
    def key(self) -> "Hashable":
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
            is on its way to another Env, and may begin still.
        """
        raise NotImplementedError

    def __reduce__(self) -> NoReturn:
        """Refuse to pack: a timer belongs to what has set it.

        Raises:
            PackError: Always.
        """
        raise PackError(f"{self!r} cannot be packed: it belongs to the worker or Env that has set it")


def as_utc(wall: float) -> datetime:
    """Return a time of the wall clock as a datetime, or the last one that there is."""
    try:
        return datetime.fromtimestamp(wall, UTC)
    except (OverflowError, ValueError, OSError):
        return datetime.max.replace(tzinfo=UTC)
