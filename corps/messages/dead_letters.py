"""The dead letter: what is kept of a message that reached nobody. Never what was in it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, Protocol, get_args

from corps.addresses import ConcAddr
from corps.exporting import exported
from corps.messages.outcomes import Outcome

if TYPE_CHECKING:
    from corps.messages.requests import Request

DeadReason = Literal[
    "no_such_worker",
    "ended",
    "dropped",
    "crowded",
    "not_restarted",
    "stale",
    "expired",
    "late",
    "failed",
    "lost",
    "fenced",
    "unpackable",
    "closed",
]
"""Why a message reached nobody; in words, see `DEAD_REASONS`."""

DEAD_REASONS: Final[Mapping[DeadReason, str]] = {
    "no_such_worker": "no worker ever had that address",
    "ended": "the worker had ended",
    "dropped": "it waited in the mailbox of a worker that ended",
    "crowded": "the mailbox of its worker was full, and a newer one took its place, or it was refused",
    "not_restarted": "it waited for a worker to come back, which did not",
    "stale": "it was for one incarnation of a worker, which had ended",
    "expired": "its deadline passed before it began",
    "late": "an outcome whose caller had given up, or had died",
    "failed": "it was sent without wanting an answer, and failed",
    "lost": "the Env of its worker was lost",
    "fenced": "it came from an Env that had been declared lost",
    "unpackable": "its arguments could not be unpacked where its worker lives",
    "closed": "its Env was being closed, or had been",
}
"""Every reason, in words."""

assert set(DEAD_REASONS) == set(get_args(DeadReason))


@exported
@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that reached nobody: its header, without what was in it. A value; any thread may use it.

    Attributes:
        reason: Why, in one word: ``"ended"``, ``"expired"``, ...
        sender: The worker that sent it, as text; None for a plain thread, or where that is not known.
        target: The worker it was for, as text; an Env where no more is known.
        method: Name of the method or attribute; empty where it is not known.
        time: When it was found, in seconds since 1970.
        env: The Env that found it.
    """

    reason: DeadReason
    sender: str | None
    target: str
    method: str
    time: float
    env: int


class LetterBox(Protocol):
    """Where an Env puts its dead letters: a `corps.runtime.letter_box.DeadLetterBox`. Thread-safe."""

    def note(
        self, reason: DeadReason, sender: ConcAddr | None, target: ConcAddr | int, method: str, why: str = ""
    ) -> None:
        """Keep one whose sender knows of it, or can know."""

    def settle(self, request: "Request", outcome: Outcome) -> bool:
        """Settle a request, and keep it if the outcome says that it reached nobody."""

    def unanswered(self, sender: ConcAddr | None, target: ConcAddr, method: str, outcome: Outcome) -> None:
        """Keep a request that wanted no answer, and failed. Nothing else reports it."""

    def lost_with(self, env_id: int, number: int) -> None:
        """Count up to so many requests that wanted no answer and went with another Env."""
