"""The client's side of the witness: each request is written down before it is sent and when it is settled."""

from collections import Counter
from collections.abc import Callable
from threading import Condition, Lock
from typing import Any, Final

from corps.clock import deadline_after, remaining
from corps.errors import CorpsError, InternalError, RemoteError, RequestError
from corps.runtime.calls.futures import Future
from corps.testing.chaos.witness import NOTHING_SPECIAL, Kind, Outcome, Trait, Witness, now_ns

_OF_EXECUTED: Final = {"no": Outcome.NOT_EXECUTED, "yes": Outcome.EXECUTED, "unknown": Outcome.UNKNOWN}

Expected = Callable[[Any], int | None]
"""Takes a value, and returns which incarnation gave it: 0 if that is unknown, None if the value is wrong."""


def outcome_of(error: BaseException) -> Outcome:
    """Return what an error says of the execution; STRANGE for what no Future of corps should raise."""
    if isinstance(error, RemoteError) and error.executed == "yes":
        return Outcome.RAISED
    if isinstance(error, RequestError):
        return _OF_EXECUTED.get(error.executed, Outcome.STRANGE)
    if isinstance(error, CorpsError) and not isinstance(error, InternalError):
        return _OF_EXECUTED.get(getattr(error, "executed", "unknown"), Outcome.STRANGE)
    return Outcome.STRANGE


def whatever(value: Any) -> int | None:
    """Accept any value; an `Expected`."""
    return 0


class Ticket:
    """A request that is under way."""

    __slots__ = ("expected", "is_settled", "sender", "sequence", "worker")

    def __init__(self, sender: int, sequence: int, worker: int, expected: Expected) -> None:
        self.sender = sender
        self.sequence = sequence
        self.worker = worker
        self.expected = expected
        self.is_settled = False


class Ledger:
    """Writes down what clients send and get. Thread-safe; the requests of one sender come from one thread.

    Attributes:
        errors: How often each error came, by ``"Type executed"``.
        served: How many requests a worker has answered, with a value or what its method raised.
        strange: The first few things that no Future should have been settled with, as text.
    """

    def __init__(self, witness: Witness) -> None:
        """Write to this witness, which the ledger does not close."""
        self.witness: Final = witness
        self.errors: Counter[str] = Counter()
        self.served = 0
        self.strange: list[str] = []
        # Protects what follows and the three above. Records are written outside of it, but for ENDED.
        self._changed = Condition(Lock())
        self._under_way: set[Ticket] = set()
        self._newest: dict[int, int] = {}

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
        traits: Trait = NOTHING_SPECIAL,
        expected: Expected = whatever,
    ) -> "Future[Any] | None":
        """Send a request, and write down what becomes of it.

        The sequences of a sender grow. `deadline` is in seconds, as the runtime has it. `expected` judges the
        value. The result is None if the call itself raised, which is written down as its outcome.
        """
        ticket = Ticket(sender, sequence, worker, expected)
        with self._changed:
            self._under_way.add(ticket)
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
            # Raised by the call itself, so nothing was sent, whether the error says so or not.
            is_ours = isinstance(error, CorpsError) and not isinstance(error, InternalError)
            outcome = outcome_of(error)
            if is_ours and not isinstance(error, RequestError):
                outcome = Outcome.NOT_EXECUTED
            self._settle(ticket, now_ns(), outcome, 0, error)
            return None
        future.add_done_callback(lambda done: self._done(ticket, done))
        return future

    def wait_room(self, most: int, timeout: float) -> bool:
        """Wait until fewer than `most` requests are under way. Return whether they are."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self._under_way) < most, timeout)

    def drain(self, timeout: float) -> int:
        """Wait until all is settled. Write down NEVER for the rest, and return their number."""
        deadline = deadline_after(timeout)
        with self._changed:
            self._changed.wait_for(lambda: not self._under_way, remaining(deadline))
            left = list(self._under_way)
        for ticket in left:
            self._settle(ticket, now_ns(), Outcome.NEVER, 0, None)
        return len(left)

    def _done(self, ticket: Ticket, future: "Future[Any]") -> None:
        """Write down the outcome, in the thread that settles the Future."""
        time = now_ns()
        incarnation: int | None = 0
        outcome = Outcome.VALUE
        try:
            error = future.failure(0)
            if error is not None:
                outcome = outcome_of(error)
            else:
                incarnation = ticket.expected(future.result(0))
        except Exception as failed:  # asking a settled Future must not raise anything itself
            error, outcome = failed, Outcome.STRANGE
        if incarnation is None:
            error, incarnation, outcome = ValueError("the value of another request"), 0, Outcome.STRANGE
        self._settle(ticket, time, outcome, incarnation, error)

    def _settle(
        self, ticket: Ticket, time: int, outcome: Outcome, incarnation: int, error: BaseException | None
    ) -> None:
        with self._changed:
            if ticket.is_settled:
                return
            ticket.is_settled = True
            if error is not None:
                executed = getattr(error, "executed", "")
                self.errors[f"{type(error).__name__} {executed}".rstrip()] += 1
            if outcome == Outcome.STRANGE and len(self.strange) < 10:
                self.strange.append(f"{type(error).__module__}.{type(error).__name__}: {error}")
            self.served += outcome in {Outcome.VALUE, Outcome.RAISED}
            self._note(ticket.worker, incarnation)
        self.witness.write(
            Kind.RESOLVED,
            detail=outcome,
            worker=ticket.worker,
            sender=ticket.sender,
            sequence=ticket.sequence,
            incarnation=incarnation,
            time=time,
        )
        with self._changed:  # only now, because `drain` is followed by the end of the file
            self._under_way.discard(ticket)
            self._changed.notify_all()

    def _note(self, worker: int, incarnation: int) -> None:
        """Note that an older incarnation has ended, because a younger one answers."""
        known = self._newest.get(worker, 0)
        if incarnation > known:
            self._newest[worker] = incarnation
            if known:
                self.witness.write(Kind.ENDED, worker=worker, incarnation=known)
