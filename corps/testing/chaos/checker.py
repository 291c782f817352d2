"""The judge: reads what clients wrote down, and proves I4, I11, I12 and a part of I7. Pure.

It knows nothing of the runtime and asks it nothing. It reads in one pass and forgets what is settled. So its
memory depends on how much happens in a minute and on the number of faults, not on the length of the storm.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Protocol

from corps.testing.chaos.isolation import Domains
from corps.testing.chaos.judgement import Findings, Invariant, Limits, Summary, Verdict, Violation
from corps.testing.chaos.liveness import Liveness
from corps.testing.chaos.witness import Kind, Outcome, Record, Trait, WitnessFile, merged

_NANO: Final = 1_000_000_000
_SERVED: Final = frozenset({Outcome.VALUE, Outcome.RAISED})
_EXCUSED: Final = Trait.HASTY | Trait.CANCELLED

_Id = tuple[int, int]


class _Request:
    """What is known of one request."""

    __slots__ = ("deadline", "outcome", "resolved", "sent", "traits", "worker")

    def __init__(self, record: Record) -> None:
        self.sent = record.time
        self.deadline = record.incarnation
        self.traits = record.detail
        self.worker = record.worker
        self.outcome = 0  # 0: not settled yet
        self.resolved = 0


class Judge(Protocol):
    """One that judges more of the same records, such as what the workers wrote down."""

    def feed(self, record: Record) -> None:
        """Take the next record of the witness files."""

    def finish(self) -> None:
        """Judge what is left."""


JudgeMaker = Callable[[Limits, Findings, Summary], Judge]
"""Gets how strict to be, what takes violations, and what takes counts."""


class Checker:
    """Takes records in the order of `merged`, one by one. One thread.

    Args:
        limits: How strict to be.
        judges: Make others that judge the same records.
    """

    def __init__(self, limits: Limits | None = None, judges: Sequence[JudgeMaker] = ()) -> None:
        self._limits = limits if limits is not None else Limits()
        self._findings = Findings(self._limits.kept)
        self._summary = Summary()
        self._judges = [make(self._limits, self._findings, self._summary) for make in judges]
        self._outcomes: Counter[str] = Counter()
        self._domains = Domains(int(self._limits.settle * _NANO))
        self._liveness = Liveness()
        self._open: dict[_Id, _Request] = {}
        self._settled: deque[tuple[int, _Id]] = deque()
        self._last = 0  # time of the latest record
        self._forget = int(self._limits.forget * _NANO)
        self._handlers: Final = {
            Kind.SENT: self._sent,
            Kind.RESOLVED: self._resolved,
            Kind.PLACED: self._domains.place,
            Kind.FAULT: self._domains.begin,
            Kind.OVER: self._domains.end,
            Kind.PHASE: self._phase,
        }

    def feed(self, record: Record) -> None:
        """Take the next record of the witness files."""
        self._last = max(self._last, record.time)
        handler = self._handlers.get(Kind(record.kind))
        if handler is not None:
            handler(record)
        for judge in self._judges:
            judge.feed(record)
        while self._settled and record.time - self._settled[0][0] > self._forget:
            _, key = self._settled.popleft()
            self._judge(key, self._open.pop(key))

    def finish(self) -> Verdict:
        """Judge what is left, and give the verdict. Nothing may be fed afterwards."""
        for key, request in self._open.items():
            self._judge(key, request)
        self._open.clear()
        for judge in self._judges:
            judge.finish()
        violation, is_late = self._liveness.judge(self._limits)
        if violation is not None:
            self._findings.add(violation)
        self._summary.late += is_late
        self._summary.base = self._liveness.base
        self._summary.recovered = self._liveness.recovered
        self._summary.episodes = self._domains.episodes()
        self._summary.outcomes = dict(self._outcomes)
        self._summary.counts = {str(key): count for key, count in self._findings.counts.items()}
        return Verdict(self._findings.all(), self._summary)

    # --- the client's side ---

    def _sent(self, record: Record) -> None:
        self._summary.requests += 1
        self._open[record.sender, record.sequence] = _Request(record)

    def _resolved(self, record: Record) -> None:
        key = record.sender, record.sequence
        request = self._open.get(key)
        if request is None or request.outcome:
            self._find(Invariant.RESOLVED_IN_TIME, "a Future was settled twice, or never asked for", record)
            return
        outcome = Outcome(record.detail)
        request.outcome, request.resolved = outcome, record.time
        self._settled.append((record.time, key))
        self._outcomes[outcome.name.lower()] += 1
        self._judge_time(record, request)
        is_served = outcome in _SERVED
        if is_served:
            self._liveness.count(record.time)
        if record.incarnation:
            self._domains.answered(request.worker, record.incarnation, record.time)
        elif not is_served and not request.traits & _EXCUSED:
            self._domains.failed(request.worker, record.time)

    def _judge_time(self, record: Record, request: _Request) -> None:
        if record.detail == Outcome.NEVER:
            self._find(Invariant.RESOLVED_IN_TIME, "a Future was not settled while its client waited", record)
            return
        if not request.deadline:
            return
        late = (record.time - request.sent - request.deadline) / _NANO
        if late <= 0 or self._domains.excuse_sender(record.sender, request.sent, record.time):
            return  # a process that is stopped settles nothing meanwhile
        self._summary.latest = max(late, self._summary.latest or 0.0)
        if late > self._limits.lateness + self._limits.allowance:
            text = f"a Future was settled {late:.3f} s after its deadline"
            self._find(Invariant.RESOLVED_IN_TIME, text, record)
        elif late > self._limits.lateness:
            self._summary.late += 1

    def _phase(self, record: Record) -> None:
        self._liveness.enter(record.detail, record.time)

    # --- judging one request ---

    def _judge(self, key: _Id, request: _Request) -> None:
        about = Record(Kind.SENT, 0, request.worker, *key, 0, request.sent)
        if not request.outcome:
            # A sender that was ended by a fault waits no more.
            if not self._domains.excuse_sender(key[0], request.sent, self._last):
                self._find(Invariant.RESOLVED_IN_TIME, "a Future was never settled", about)
            return
        if request.outcome == Outcome.STRANGE:
            text = "a Future was settled with an untyped error, or with the value of another request"
            self._find(Invariant.ACCOUNTED, text, about)
        self._judge_isolation(key, about, request)

    def _judge_isolation(self, key: _Id, about: Record, request: _Request) -> None:
        if request.outcome in _SERVED or request.traits & _EXCUSED:
            return
        when = request.sent, request.resolved
        if not (self._domains.excuse(request.worker, *when) or self._domains.excuse_sender(key[0], *when)):
            text = f"{Outcome(request.outcome).name.lower()} where no fault was"
            self._find(Invariant.ISOLATION, text, about)

    def _find(self, invariant: Invariant, text: str, record: Record) -> None:
        self._findings.add(
            Violation(invariant, text, record.worker, record.sender, record.sequence, time=record.time)
        )


def check(
    records: Iterable[Record], limits: Limits | None = None, judges: Sequence[JudgeMaker] = ()
) -> Verdict:
    """Judge records, which come in the order of `merged`. None means the default limits."""
    checker = Checker(limits, judges)
    for record in records:
        checker.feed(record)
    return checker.finish()


def check_files(
    files: Iterable[WitnessFile], limits: Limits | None = None, judges: Sequence[JudgeMaker] = ()
) -> Verdict:
    """Judge all witness files of one storm. The summary of the verdict counts what was torn.

    Raises:
        OSError: A file cannot be read.
    """
    read = list(files)
    verdict = check(merged(read), limits, judges)
    verdict.summary.torn = sum(file.torn for file in read)
    return verdict
