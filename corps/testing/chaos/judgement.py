"""What a judge says: violations, counts, and the limits that it applies. Values only."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final


class Invariant(StrEnum):
    """What must hold, whatever is done to a Corps; docs/guides/chaos.md says it in full."""

    NO_DOUBLE_EXECUTION = "I1"
    HONEST_SUCCESS = "I2"
    HONEST_FAILURE = "I3"
    RESOLVED_IN_TIME = "I4"
    ORDER = "I5"
    FENCE = "I6"
    ACCOUNTED = "I7"
    NO_ORPHANS = "I8"
    NO_LEAKS = "I9"
    BOUNDED_MEMORY = "I10"
    ISOLATION = "I11"
    LIVENESS = "I12"
    REGISTERED = "I13"
    TIMELY = "I14"
    LOGGED = "I15"


MEANINGS: Final[Mapping[Invariant, str]] = {
    Invariant.NO_DOUBLE_EXECUTION: "no double execution",
    Invariant.HONEST_SUCCESS: "a value means executed",
    Invariant.HONEST_FAILURE: "errors say truly whether it was executed",
    Invariant.RESOLVED_IN_TIME: "every Future is settled in time",
    Invariant.ORDER: "order of each sender",
    Invariant.FENCE: "nothing after its end is known",
    Invariant.ACCOUNTED: "everything is accounted for",
    Invariant.NO_ORPHANS: "no process is left",
    Invariant.NO_LEAKS: "nothing else is left",
    Invariant.BOUNDED_MEMORY: "memory is bounded",
    Invariant.ISOLATION: "failures stay where the fault is",
    Invariant.LIVENESS: "the throughput comes back",
    Invariant.REGISTERED: "what is registered is found",
    Invariant.TIMELY: "timers call, and once",
    Invariant.LOGGED: "every log record is kept, once",
}

OF_EXECUTIONS: Final = frozenset(
    {
        Invariant.NO_DOUBLE_EXECUTION,
        Invariant.HONEST_SUCCESS,
        Invariant.HONEST_FAILURE,
        Invariant.ORDER,
        Invariant.FENCE,
    }
)
"""What only workers that write down what they do can prove."""


@dataclass(frozen=True, slots=True)
class Violation:
    """An invariant that did not hold, once. The numbers are those of the request; 0 for none."""

    invariant: Invariant
    text: str
    worker: int = 0
    sender: int = 0
    sequence: int = 0

    def __str__(self) -> str:
        request = f" (request {self.sender}/{self.sequence} to worker {self.worker})" if self.sender else ""
        return f"{self.invariant}: {self.text}{request}"


@dataclass(frozen=True, slots=True)
class Limits:
    """How strict a judge is. All times are in seconds.

    Attributes:
        lateness: How long after its deadline a Future may be settled.
        allowance: How much longer anything may take because the machine is busy with other work. What needs
            it is counted beside the rest.
        settle: How long after the end of a fault requests may still fail because of it.
        recovery: Within which time after the last fault the throughput has to be back.
        recovery_share: Which share of the base line it has to reach; 0 if it is not to be judged.
        kept: How many violations of one invariant are listed; all are counted.
    """

    lateness: float = 0.25
    allowance: float = 0.75
    settle: float = 15.0
    recovery: float = 5.0
    recovery_share: float = 0.9
    kept: int = 100


@dataclass(slots=True)
class Summary:
    """What a judge has counted."""

    requests: int = 0
    outcomes: Mapping[str, int] = field(default_factory=dict)  # by the name of the `Outcome` in small letters
    looks: int = 0  # how often a registered worker was looked for
    timers: int = 0  # that were set
    records: int = 0  # that were logged
    starts: int = 0  # bodies that began
    ends: int = 0  # bodies that ended
    incarnations: int = 0  # of workers that write down what they do
    late: int = 0  # Futures that needed the allowance of a busy machine
    latest: float | None = None  # the most seconds after a deadline; None if no Future was late
    torn: int = 0  # bytes of witness files that were no record
    base: float | None = None  # answers per second in the calm; None if that is not known
    recovered: float | None = None  # seconds from the last fault until the throughput was back, if it was
    counts: Mapping[str, int] = field(default_factory=dict)  # violations by invariant
