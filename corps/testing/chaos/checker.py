"""The judge: reads what clients wrote down, and proves I4, I11, I12 and a part of I7. Pure.

It knows nothing of the runtime and asks it nothing. It reads in one pass and judges each request when it is
settled. So its memory depends on what is under way and on the number of faults, not on the length of the
storm.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from corps.testing.chaos.judgement import Invariant, Limits, Summary, Violation
from corps.testing.chaos.liveness import Liveness
from corps.testing.chaos.witness import WORKERS, Kind, Outcome, Record, Trait, WitnessFile, merged

_NANO = 1_000_000_000
_SERVED = frozenset({Outcome.VALUE, Outcome.RAISED})
_EXCUSED = Trait.HASTY | Trait.CANCELLED


@dataclass(slots=True)
class _Domain:
    """Where and when a fault may make requests fail; times are in nanoseconds."""

    env: int
    worker: int  # 0: the whole Env
    begin: int
    end: int | None = None  # None: not over yet


class Checker:
    """Takes records in the order of `merged`, one by one. One thread.

    Attributes:
        limits: How strict it is.
        violations: Those that are listed; in the order of the invariants after `finish`.
        summary: What was counted; complete after `finish`.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.violations: list[Violation] = []
        self.summary = Summary()
        self._counts: Counter[str] = Counter()
        self._outcomes: Counter[str] = Counter()
        self._liveness = Liveness()
        self._open: dict[tuple[int, int], Record] = {}
        self._faults: dict[int, _Domain] = {}
        self._env_of: dict[int, int] = {}
        self._last = 0  # time of the latest record

    @property
    def is_clean(self) -> bool:
        """True if every invariant held."""
        return not self.violations

    def feed(self, record: Record) -> None:
        """Take the next record of the witness files."""
        self._last = max(self._last, record.time)
        match record.kind:
            case Kind.SENT:
                self.summary.requests += 1
                self._open[record.sender, record.sequence] = record
            case Kind.RESOLVED:
                self._resolved(record)
            case Kind.PLACED:
                self._env_of[record.worker] = record.sequence
            case Kind.FAULT:
                self._faults[record.sequence] = _Domain(record.sender, record.worker, record.time)
            case Kind.OVER:
                if fault := self._faults.get(record.sequence):
                    fault.end = record.time
            case Kind.PHASE:
                self._liveness.enter(record.detail, record.time)

    def finish(self) -> None:
        """Judge what is left. Nothing may be fed afterwards."""
        for sent in self._open.values():
            # A sender that was ended by a fault waits no more.
            if not self._excuses_sender(sent, self._last):
                self.find(Invariant.RESOLVED_IN_TIME, "a Future was never settled", sent)
        violation = self._liveness.judge(self.limits, self.summary)
        if violation is not None:
            self.find(Invariant.LIVENESS, violation)
        self.summary.outcomes, self.summary.counts = dict(self._outcomes), dict(self._counts)
        order = list(Invariant)
        self.violations.sort(key=lambda each: order.index(each.invariant))

    def sections(self, kinds: dict[int, str]) -> Sequence[str]:
        """Return further lines of the report, as Markdown. `kinds` are those of the faults, by number."""
        return ()

    def find(self, invariant: Invariant, text: str, about: Record | None = None) -> None:
        """Note a violation."""
        self._counts[invariant] += 1
        if self._counts[invariant] <= self.limits.kept:
            request = (about.worker, about.sender, about.sequence) if about else ()
            self.violations.append(Violation(invariant, text, *request))

    def _resolved(self, record: Record) -> None:
        sent = self._open.pop((record.sender, record.sequence), None)
        if sent is None:
            self.find(Invariant.RESOLVED_IN_TIME, "a Future was settled twice, or never asked for", record)
            return
        outcome = Outcome(record.detail)
        self._outcomes[outcome.name.lower()] += 1
        self._judge_time(record, sent)
        if outcome == Outcome.STRANGE:
            text = "a Future was settled with an untyped error, or with the value of another request"
            self.find(Invariant.ACCOUNTED, text, record)
        if outcome in _SERVED:
            self._liveness.count(record.time)
        elif not (
            sent.detail & _EXCUSED
            or self.excuses(sent.worker, sent.time, record.time)
            or self._excuses_sender(sent, record.time)
        ):
            self.find(Invariant.ISOLATION, f"{outcome.name.lower()} where no fault was", record)

    def _judge_time(self, record: Record, sent: Record) -> None:
        if record.detail == Outcome.NEVER:
            self.find(Invariant.RESOLVED_IN_TIME, "a Future was not settled while its client waited", record)
            return
        deadline = sent.incarnation
        late = (record.time - sent.time - deadline) / _NANO
        if not deadline or late <= 0 or self._excuses_sender(sent, record.time):
            return  # a process that is stopped settles nothing meanwhile
        self.summary.latest = max(late, self.summary.latest or 0.0)
        if late > self.limits.lateness + self.limits.allowance:
            text = f"a Future was settled {late:.3f} s after its deadline"
            self.find(Invariant.RESOLVED_IN_TIME, text, record)
        elif late > self.limits.lateness:
            self.summary.late += 1

    def excuses(self, worker: int, sent: int, resolved: int) -> bool:
        """Return whether a fault may be why a request failed. One to an unplaced worker may always fail."""
        env = self._env_of.get(worker)
        latest = sent - int(self.limits.settle * _NANO)
        return env is None or any(
            fault.env == env
            and fault.worker in {0, worker}
            and fault.begin <= resolved
            and (fault.end is None or fault.end >= latest)
            for fault in reversed(self._faults.values())
        )

    def _excuses_sender(self, sent: Record, until: int) -> bool:
        """Return whether a fault may have kept a worker from its answer. Clients have no excuse."""
        return sent.sender > WORKERS and self.excuses(sent.sender - WORKERS, sent.time, until)


def check(records: Iterable[Record], checker: Checker) -> Checker:
    """Judge records, which come in the order of `merged`. Return the checker, which has finished."""
    for record in records:
        checker.feed(record)
    checker.finish()
    return checker


def check_files(files: Sequence[WitnessFile], checker: Checker) -> Checker:
    """Judge all witness files of one storm, as `check` does. The summary counts what was torn."""
    check(merged(files), checker)
    checker.summary.torn = sum(file.torn for file in files)
    return checker
