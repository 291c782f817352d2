"""The client's side of the witness: each request is written down before it is sent and when it is settled."""

from collections import Counter
from collections.abc import Callable
from threading import Condition, Lock
from typing import Any, Final

from corps.errors import CorpsError, InternalError, RemoteError, RequestError
from corps.runtime.calls.futures import Future
from corps.testing.chaos.witness import Kind, Outcome, Witness, now_ns

_OF_EXECUTED: Final = {"no": Outcome.NOT_EXECUTED, "yes": Outcome.EXECUTED, "unknown": Outcome.UNKNOWN}

_Ids = tuple[int, int]
Expected = Callable[[Any], int | None]
"""Takes a value, and returns which incarnation gave it: 0 if that is unknown, None if the value is wrong."""


def outcome_of(error: BaseException) -> Outcome:
    """Return what an error says of the execution; STRANGE for what no Future of corps should raise."""
    if isinstance(error, RemoteError) and error.executed == "yes":
        return Outcome.RAISED
    if isinstance(error, CorpsError) and not isinstance(error, InternalError):
        return _OF_EXECUTED.get(getattr(error, "executed", "unknown"), Outcome.STRANGE)
    return Outcome.STRANGE


def whatever(value: Any) -> int | None:
    """Accept any value; an `Expected`."""
    return 0


class Ledger:
    """Writes down what clients send and get, to a witness which it does not close.

    Thread-safe; the requests of one sender come from one thread.

    Attributes:
        errors: How often each error came, by ``"Type executed"``.
        served: How many requests a worker has answered, with a value or what its method raised.
        strange: The first few things that no Future should have been settled with, as text.
    """

    def __init__(self, witness: Witness) -> None:
        self.witness: Final = witness
        self.errors: Counter[str] = Counter()
        self.served = 0
        self.strange: list[str] = []
        # Protects what follows and the three above. Held while a request is settled, so that all is written
        # down when `drain` returns.
        self._changed = Condition(Lock())
        self._under_way: dict[_Ids, int] = {}

    def under_way(self) -> int:
        """Return how many requests are not settled yet."""
        return len(self._under_way)

    def ask(
        self,
        sender: int,
        sequence: int,
        worker: int,
        call: Callable[[], "Future[Any]"],
        *,
        deadline: float | None = None,
        traits: int = 0,
        expected: Expected = whatever,
    ) -> "Future[Any] | None":
        """Send a request, and write down what becomes of it.

        The sequences of a sender grow. `deadline` is in seconds, as the runtime has it. `traits` are of
        `Trait`. `expected` judges the value. The result is None if the call itself raised, which is written
        down as its outcome.
        """
        ids = sender, sequence
        with self._changed:
            self._under_way[ids] = worker
        self.witness.write(
            Kind.SENT,
            detail=traits,
            worker=worker,
            sender=sender,
            sequence=sequence,
            incarnation=0 if deadline is None else round(deadline * 1e9),
        )
        try:
            future = call()
        except Exception as error:  # whatever a call raises is its outcome, and is judged
            outcome = outcome_of(error)
            if isinstance(error, CorpsError) and not isinstance(error, InternalError | RequestError):
                outcome = Outcome.NOT_EXECUTED  # raised by the call itself, so nothing was sent
            self._settle(ids, outcome, error)
            return None
        future.add_done_callback(lambda done: self._done(ids, expected, done))
        return future

    def drain(self, timeout: float) -> int:
        """Wait until all is settled. Write down NEVER for the rest, and return their number."""
        with self._changed:
            self._changed.wait_for(lambda: not self._under_way, timeout)
            left = list(self._under_way)
        for ids in left:
            self._settle(ids, Outcome.NEVER, None)
        return len(left)

    def _done(self, ids: _Ids, expected: Expected, future: "Future[Any]") -> None:
        """Write down the outcome, in the thread that settles the Future."""
        time = now_ns()
        incarnation: int | None = 0
        outcome = Outcome.VALUE
        try:
            error = future.failure(0)
            if error is not None:
                outcome = outcome_of(error)
            else:
                incarnation = expected(future.result(0))
        except Exception as failed:  # asking a settled Future must not raise anything itself
            error, outcome = failed, Outcome.STRANGE
        if incarnation is None:
            error, outcome = ValueError("the value of another request"), Outcome.STRANGE
        self._settle(ids, outcome, error, incarnation or 0, time)

    def _settle(
        self,
        ids: _Ids,
        outcome: Outcome,
        error: BaseException | None,
        incarnation: int = 0,
        time: int = 0,
    ) -> None:
        with self._changed:
            worker = self._under_way.get(ids)
            if worker is None:
                return  # too late: `drain` has given it up
            if error is not None:
                executed = getattr(error, "executed", "")
                self.errors[f"{type(error).__name__} {executed}".rstrip()] += 1
            if outcome == Outcome.STRANGE and len(self.strange) < 10:
                self.strange.append(f"{type(error).__module__}.{type(error).__name__}: {error}")
            self.served += outcome in {Outcome.VALUE, Outcome.RAISED}
            sender, sequence = ids
            self.witness.write(
                Kind.RESOLVED,
                detail=outcome,
                worker=worker,
                sender=sender,
                sequence=sequence,
                incarnation=incarnation,
                time=time or now_ns(),
            )
            del self._under_way[ids]
            self._changed.notify_all()
