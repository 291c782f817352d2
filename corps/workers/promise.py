"""The Promise: an answer that its author gives later."""

from functools import partial
from types import AsyncGeneratorType, GeneratorType
from typing import Any, TypeVar

from corps.errors import AlreadySettled, BrokenPromise
from corps.exporting import exported
from corps.messages.outcomes import Outcome, Raised, Refused, Value
from corps.runtime.calls.futures import Future
from corps.runtime.context import acting
from corps.workers.everywhere import env_here

R = TypeVar("R")


@exported
class Promise(Future[R]):
    """A Future that its author settles. Any number of callers may wait for it. Thread-safe.

    A method returns a Promise as its answer, and the worker goes on with its next request. Another method of
    the worker, or other code of its process, settles the Promise later. The callers get that in all Envs.

    Example:
        ``self.waiting[key] = promise = corps.Promise(); return promise``, and later, in another method,
        ``self.waiting.pop(key).set_result(value)``.

    A caller that cancels its request, or whose deadline passes, is forgotten, and the Promise remains as it
    is. If a Promise becomes garbage before it was settled, its callers get BrokenPromise.

    Raises:
        ContextError: There is no Env here.
    """

    __slots__ = ("_dropped", "_made_by")

    is_authors = True

    def __init__(self) -> None:
        super().__init__()
        env = env_here("in which a Promise is made")
        here = acting()
        self._made_by = str(here.cell) if here is not None and here.cell is not None else env.label
        self._dropped = env.dropped
        self._dropped.watch()

    def set_result(self, result: R) -> None:
        """Settle it with a value.

        Args:
            result: What the callers get.

        Raises:
            AlreadySettled: It has an outcome, or was cancelled.
            TypeError: This is a generator, which lives where it was made: return it from a method.
        """
        if type(result) in (GeneratorType, AsyncGeneratorType):  # not isinstance: a proxy may raise anything
            raise TypeError(
                f"set_result({result!r:.80}): a generator stays where it was made; return it from a method, "
                "whose caller gets an iterator, or give list(generator)"
            )
        self._settle_once(Value(result))

    def set_exception(self, exception: BaseException | None) -> None:
        """Settle it with an error, which the callers get as if the method had raised it.

        Args:
            exception: What the callers get.

        Raises:
            AlreadySettled: It has an outcome, or was cancelled.
            TypeError: This is no exception.
        """
        if not isinstance(exception, BaseException):
            raise TypeError(f"set_exception({exception!r:.80}): wants an exception")
        here = acting()
        incarnation = here.cell.incarnation if here is not None and here.cell is not None else 0
        self._settle_once(Raised.capture(exception, self._made_by, incarnation))

    def stop_waiting(self) -> None:
        """Do nothing: a cancelled task that awaits a Promise does not cancel it."""

    def _settle_once(self, outcome: Outcome) -> None:
        if not self.settle(outcome):
            how = "was cancelled" if self.cancelled() else "has an outcome"
            raise AlreadySettled(f"this Promise of {self._made_by} {how} already: it is settled once")

    def __del__(self) -> None:
        if getattr(self, "_callbacks", None):  # a caller waits; no destructor may settle: see Dropped
            self._dropped.put(partial(_break, self))

    def __repr__(self) -> str:
        state = "settled" if self.done() else "not settled"
        return f"<Promise of {self._made_by}, {state}>"


def _break(promise: Promise[Any]) -> None:
    text = f"the Promise of {promise._made_by} was let go of without having been settled"
    promise.settle(Refused(BrokenPromise(text, target=promise._made_by)))
