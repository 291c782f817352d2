"""Watching for the end of a worker."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from corps.addresses import ConcAddr
from corps.errors import ConfigError, EnvLost, WorkerGone
from corps.exporting import exported
from corps.messages.contacts import ExtAddr
from corps.messages.endings import End, Reason
from corps.messages.outcomes import Outcome, Refused, Value
from corps.messages.promises import NoAnswer
from corps.messages.requests import CALL, TOLD, WATCH, Request
from corps.runtime.calls.futures import Future
from corps.runtime.context import current
from corps.runtime.env import Env
from corps.workers.conc import Conc
from corps.workers.names import Name

if TYPE_CHECKING:
    from corps.runtime.cells.cell import Cell


_FORGOTTEN: Final = End(0, "lost", "it had ended before, and nobody knows how")
"""The end of a worker of which its Env knows nothing any more."""


@exported
@dataclass(frozen=True, slots=True)
class Ended:
    """One incarnation of a worker has ended. Nothing of it comes after this.

    Attributes:
        name: The worker.
        incarnation: Which incarnation of it; the first is 1. 0 if that was never known here.
        reason: Why.
        text: The same in words.
    """

    name: Name[Any]
    incarnation: int
    reason: Reason
    text: str = ""


class Watch(Future[Ended]):
    """The Future of a worker's end. Only `unwatch` lets it fail, which takes `is_wanted` from it."""

    __slots__ = ("_incarnation", "_name", "is_wanted")

    def __init__(self, name: Name[Any]) -> None:
        super().__init__()
        self._name = name
        self._incarnation = name._incarnation
        self.is_wanted = True

    def learn(self, asked: Future[int]) -> None:
        """Take the answer of the worker's Env: which incarnation the worker is in."""
        if asked.failure() is None:
            self._incarnation = asked.result() or self._incarnation

    def settle(self, outcome: Outcome) -> bool:
        """See `Future.settle`. The death of the worker's process is an end, too."""
        outcome = outcome.opened()  # a few words
        if isinstance(outcome, Refused) and isinstance(outcome.error, EnvLost):
            error = outcome.error
            outcome = Value(Ended(self._name, self._incarnation, error.reason, str(error)))
        elif isinstance(outcome, Value):
            end: End = outcome.value or _FORGOTTEN
            outcome = Value(Ended(self._name, end.incarnation, end.reason, end.text))
        return super().settle(outcome)

    def give_up_watch(self) -> bool:
        """See `unwatch`."""
        was_settled = self.done() and not self.cancelled()
        self.is_wanted = False
        self.cancel()
        return not was_settled


@exported
def watch(name: Name[Any]) -> Future[Ended]:
    """Watch for the end of the worker's present incarnation. It comes exactly once, also if it is past.

    Nothing of that incarnation comes afterwards. Watch again for the end of the next one.

    Inside a worker whose class overrides `on_ended`, the runtime calls that too, like a request of its own.

    Args:
        name: The worker.

    Returns:
        A Future of `Ended`. It ends without one if it is cancelled, or given to `unwatch`.

    Raises:
        ContextError: The Name was unpacked where no Env of its Corps was open.
        TypeError: It is no Name.
        ConfigError: The Name stands for any of several workers.
    """
    if not isinstance(name, Name):
        raise TypeError(f"corps.watch({name!r:.80}): wants the Name of a worker, as `create` returns it")
    env, addr = name._bound(), name._of_one
    future = Watch(name)
    here = current.get()
    if here is not None and here.cell is not None and _hears(here.cell) and here.env is env:
        worker = here.cell.addr
        future.when_settled(lambda done: _tell(env, worker, done))
    env.ask(WATCH, addr, "watch", (), {}, future=future)
    keeper = addr.border if isinstance(addr, ExtAddr) else env.manager_of(addr.env)
    asked = env.ask(CALL, keeper, "incarnation_of", (addr.conc,), {})
    asked.when_settled(future.learn)
    return future


def _hears(cell: "Cell") -> bool:
    cls = cell.performer.cls
    return cls is not None and issubclass(cls, Conc) and cls.on_ended is not Conc.on_ended


def _tell(env: Env, worker: ConcAddr, done: Future[Ended]) -> None:
    # It goes past the limit of the mailbox: it must arrive, however much waits there.
    if not done.cancelled():
        env.deliver(Request(TOLD, worker, "on_ended", (done,), {}, Told(f"'on_ended' of {worker}")))


class Told(NoAnswer):
    """The promise of a call of `on_ended`. It is no failure if the watcher has ended, too."""

    __slots__ = ()

    def settle(self, outcome: Outcome) -> bool:
        """See `Promise.settle`."""
        if isinstance(outcome, Refused) and isinstance(outcome.error, WorkerGone):
            return True
        return super().settle(outcome)


@exported
def unwatch(watched: Future[Ended]) -> bool:
    """Watch no longer. `on_ended` is not called any more either, even if its call waits already.

    Args:
        watched: From `watch`.

    Returns:
        False if the Future was settled before.

    Raises:
        ConfigError: This is no Future from `watch`.
    """
    if not isinstance(watched, Watch):
        raise ConfigError(f"unwatch({watched!r}): wants the Future that corps.watch has returned")
    return watched.give_up_watch()
