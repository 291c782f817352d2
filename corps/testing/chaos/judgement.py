"""What a judge says: violations, counts, and the limits that it applies. Values only."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum


class Invariant(StrEnum):
    """What must hold, whatever is done to a Corps."""

    NO_DOUBLE_EXECUTION = "I1"
    """A request that is not idempotent STARTs at most once, over all incarnations."""
    HONEST_SUCCESS = "I2"
    """A value: exactly one END; at least one if it is idempotent."""
    HONEST_FAILURE = "I3"
    """Executed "no": no START. Executed "yes": as I2."""
    RESOLVED_IN_TIME = "I4"
    """Every Future is settled once, by its deadline and a little."""
    ORDER = "I5"
    """One sender's requests START in the order of sending, per incarnation of a worker."""
    FENCE = "I6"
    """Nothing of an incarnation happens once it is known to have ended, or a later one to live."""
    ACCOUNTED = "I7"
    """What STARTs was sent, to that worker; what is settled has its own value or a typed error."""
    NO_ORPHANS = "I8"
    """Soon after the end no process of the Corps runs."""
    NO_LEAKS = "I9"
    """After the end no thread, descriptor, shared memory or directory is left."""
    BOUNDED_MEMORY = "I10"
    """No process grows beyond its bound, nor steadily."""
    ISOLATION = "I11"
    """Requests fail only where a fault was."""
    LIVENESS = "I12"
    """When the faults have stopped, the throughput comes back."""


@dataclass(frozen=True, slots=True)
class Violation:
    """An invariant that did not hold, once.

    Attributes:
        invariant: Which.
        text: What happened.
        worker: Number of the worker; 0 for none.
        sender: Number of the client; 0 for none.
        sequence: Number of its request.
        incarnation: Of the worker; 0 for none.
        time: When, in nanoseconds of CLOCK_MONOTONIC; 0 if that is not known.
    """

    invariant: Invariant
    text: str
    worker: int = 0
    sender: int = 0
    sequence: int = 0
    incarnation: int = 0
    time: int = 0

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
        forget: For how long a request that is settled is remembered one by one. Afterwards it is still
            noticed that it executes again, but not what it was. Bounds the memory of the judge.
        kept: How many violations of one invariant are listed; all are counted.
    """

    lateness: float = 0.25
    allowance: float = 0.75
    settle: float = 15.0
    recovery: float = 5.0
    recovery_share: float = 0.9
    forget: float = 60.0
    kept: int = 100


@dataclass(frozen=True, slots=True)
class Episode:
    """What the clients saw of one fault. Seconds are counted from the beginning of the fault.

    Attributes:
        number: Of the fault.
        env: The Env that it touched.
        worker: The worker that it touched; 0 for the whole Env.
        noticed: After which time a first request failed there; None if none did until the next fault there.
        served: After which time a worker answered that was constructed after it; None if none did until the
            next fault there.
    """

    number: int
    env: int
    worker: int
    noticed: float | None
    served: float | None


@dataclass(slots=True)
class Summary:
    """What a judge has counted.

    Attributes:
        requests: How many were sent.
        outcomes: How often each `Outcome` came, by its name in small letters.
        starts: How many bodies began.
        ends: How many ended.
        incarnations: How many incarnations of workers were constructed.
        late: Futures that needed the allowance of a busy machine.
        latest: The most that a Future was settled after its deadline, in seconds; None if none was late.
        torn: Bytes of witness files that were no record.
        episodes: What became of each fault.
        base: Answers per second in the calm; None if that is not known.
        recovered: Seconds from the last fault until the throughput was back; None if it was not, or nobody
            looked.
        counts: Violations by invariant.
    """

    requests: int = 0
    outcomes: Mapping[str, int] = field(default_factory=dict)
    starts: int = 0
    ends: int = 0
    incarnations: int = 0
    late: int = 0
    latest: float | None = None
    torn: int = 0
    episodes: Sequence[Episode] = ()
    base: float | None = None
    recovered: float | None = None
    counts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a judge says in the end.

    Attributes:
        violations: One by one, as many as the limits want; none if all is well.
        summary: What was counted.
    """

    violations: tuple[Violation, ...]
    summary: Summary

    @property
    def is_clean(self) -> bool:
        """True if every invariant held."""
        return not self.violations


class Findings:
    """Collects violations. One thread."""

    def __init__(self, kept: int) -> None:
        """Keep so many violations of each invariant; count all."""
        self._kept = kept
        self._found: list[Violation] = []
        self.counts: Counter[str] = Counter()
        """How many there were, by invariant."""

    def add(self, violation: Violation) -> None:
        """Note a violation."""
        self.counts[violation.invariant] += 1
        if self.counts[violation.invariant] <= self._kept:
            self._found.append(violation)

    def all(self) -> tuple[Violation, ...]:
        """Return those that are kept, in the order of the invariants, then of their finding."""
        order: Mapping[Invariant, int] = {each: number for number, each in enumerate(Invariant)}
        return tuple(sorted(self._found, key=lambda each: order[each.invariant]))
