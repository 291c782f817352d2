"""The judge: reads witness records and proves I1 to I7, I11 and I12, as far as records can. Pure.

It knows nothing of the runtime and asks it nothing. What cannot be told from records: whether a body without
an END was cut short or goes on, so nothing is concluded from a missing END but after a value or an
``executed="yes"``.

Order (I5) is judged on the first START of each request: when an idempotent request is sent again, its later
STARTs may come behind younger requests.

It reads in one pass and forgets what is settled and in order, so its memory depends on how much happens in a
minute, and on the number of faults, and not on how long the storm was.
"""

from collections import Counter, deque
from collections.abc import Iterable
from typing import Final

from corps.testing.chaos.isolation import Domains
from corps.testing.chaos.judgement import Findings, Invariant, Limits, Summary, Verdict, Violation
from corps.testing.chaos.liveness import Liveness
from corps.testing.chaos.witness import Kind, Outcome, Record, Trait, WitnessFile, merged

_NANO: Final = 1_000_000_000
_SERVED: Final = frozenset({Outcome.VALUE, Outcome.RAISED})
_EXECUTED: Final = frozenset({Outcome.EXECUTED, Outcome.RAISED})
_EXCUSED: Final = Trait.HASTY | Trait.CANCELLED

_Id = tuple[int, int]


class _Request:
    """What is known of one request."""

    __slots__ = ("deadline", "ends", "outcome", "resolved", "sent", "starts", "traits", "worker")

    def __init__(self, record: Record) -> None:
        self.sent = record.time
        self.deadline = record.incarnation
        self.traits = record.detail
        self.worker = record.worker
        self.starts = 0
        self.ends = 0
        self.outcome = 0  # 0: not settled yet
        self.resolved = 0

    @property
    def may_repeat(self) -> bool:
        return bool(self.traits & Trait.IDEMPOTENT)

    def is_executed_well(self) -> bool:
        """Whether it has ended as a request that was executed must."""
        return self.ends >= 1 if self.may_repeat else self.ends == 1


class _Life:
    """One incarnation of a worker."""

    __slots__ = ("ended", "last")

    def __init__(self) -> None:
        self.last = 0
        self.ended: int | None = None


class Checker:
    """Takes records in the order of `merged`, one by one. For one thread.

    Args:
        limits: How strict to be.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits if limits is not None else Limits()
        self._findings = Findings(self._limits.kept)
        self._summary = Summary()
        self._outcomes: Counter[str] = Counter()
        self._domains = Domains(int(self._limits.settle * _NANO))
        self._liveness = Liveness()
        self._open: dict[_Id, _Request] = {}
        self._settled: deque[tuple[int, _Id]] = deque()
        self._last = 0  # time of the latest record
        self._forget = int(self._limits.forget * _NANO)
        self._sent_up_to: dict[int, int] = {}
        self._started_up_to: dict[tuple[int, int, int], int] = {}
        self._lives: dict[int, dict[int, _Life]] = {}
        self._handlers: Final = {
            Kind.BORN: self._born,
            Kind.START: self._start,
            Kind.END: self._end,
            Kind.SENT: self._sent,
            Kind.RESOLVED: self._resolved,
            Kind.ENDED: self._ended,
            Kind.PLACED: self._domains.place,
            Kind.FAULT: self._domains.begin,
            Kind.OVER: self._domains.end,
            Kind.PHASE: self._phase,
        }

    def feed(self, record: Record) -> None:
        """Take the next record.

        Args:
            record: From a witness file.
        """
        self._last = max(self._last, record.time)
        self._handlers[Kind(record.kind)](record)
        while self._settled and record.time - self._settled[0][0] > self._forget:
            self._retire(self._settled.popleft()[1])

    def finish(self) -> Verdict:
        """Judge what is left. Nothing may be fed after this.

        Returns:
            The verdict.
        """
        for key, request in self._open.items():
            self._judge(key, request)
        self._open.clear()
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
        self._sent_up_to[record.sender] = record.sequence

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
        self._judge_answerer(record, request)
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

    def _judge_answerer(self, record: Record, request: _Request) -> None:
        life = self._lives.get(record.worker, {}).get(record.incarnation)
        if life is not None and life.ended is not None and request.sent > life.ended:
            text = f"incarnation {record.incarnation} answered, whose end was known before"
            self._find(Invariant.FENCE, text, record)

    def _phase(self, record: Record) -> None:
        self._liveness.enter(record.detail, record.time)

    # --- the worker's side ---

    def _start(self, record: Record) -> None:
        self._summary.starts += 1
        self._live(record)
        request = self._known(record)
        if request is None:
            return
        request.starts += 1
        if request.starts == 1:
            self._judge_order(record)
        elif not request.may_repeat:
            self._find(Invariant.NO_DOUBLE_EXECUTION, f"START number {request.starts}", record)

    def _end(self, record: Record) -> None:
        self._summary.ends += 1
        self._live(record)
        request = self._known(record)
        if request is not None:
            request.ends += 1
            if request.ends > request.starts:
                self._find(Invariant.ACCOUNTED, "an END without a START", record)

    def _known(self, record: Record) -> _Request | None:
        """The request of a START or END; None if there is nothing more to say about it."""
        request = self._open.get((record.sender, record.sequence))
        if request is not None:
            if request.worker != record.worker:
                text = f"it was executed by worker {record.worker} and sent to worker {request.worker}"
                self._find(Invariant.ACCOUNTED, text, record)
                return None
            return request
        is_forgotten = record.sequence <= self._sent_up_to.get(record.sender, -1)
        if not is_forgotten:
            self._find(Invariant.ACCOUNTED, "it was executed and nobody had sent it", record)
        elif not record.detail & Trait.IDEMPOTENT:
            text = f"it was settled over {self._limits.forget:g} s ago, complete, and was executed again"
            self._find(Invariant.NO_DOUBLE_EXECUTION, text, record)
        return None

    def _judge_order(self, record: Record) -> None:
        line = record.sender, record.worker, record.incarnation
        before = self._started_up_to.get(line, -1)
        if record.sequence < before:
            self._find(Invariant.ORDER, f"it began after request {before} of the same sender", record)
        else:
            self._started_up_to[line] = record.sequence

    # --- incarnations ---

    def _born(self, record: Record) -> None:
        self._life(record)

    def _life(self, record: Record) -> _Life:
        lives = self._lives.setdefault(record.worker, {})
        life = lives.get(record.incarnation)
        if life is None:
            life = lives[record.incarnation] = _Life()
            self._summary.incarnations += 1
            for other, before in lives.items():
                if other < record.incarnation < before.last:
                    self._find(Invariant.FENCE, "an older incarnation went on beside this one", record)
        return life

    def _live(self, record: Record) -> None:
        life = self._life(record)
        life.last = max(life.last, record.time)
        if life.ended is not None and record.time > life.ended:
            late = (record.time - life.ended) / _NANO
            self._find(Invariant.FENCE, f"{late:.6f} s after the end of this incarnation was known", record)
        lives = self._lives[record.worker]
        if next(reversed(lives)) != record.incarnation and any(
            record.incarnation < other < record.time for other in lives
        ):
            self._find(Invariant.FENCE, "a younger incarnation lived already", record)

    def _ended(self, record: Record) -> None:
        life = self._life(record)
        if life.ended is None or record.time < life.ended:
            life.ended = record.time
        if life.last > life.ended:
            self._find(Invariant.FENCE, "it went on after its end was known", record)

    # --- judging one request ---

    def _retire(self, key: _Id) -> None:
        """Forget a request of which nothing more may come. Of an "unknown" one, something may."""
        request = self._open[key]
        if request.outcome == Outcome.UNKNOWN and not request.is_executed_well():
            return
        self._judge(key, request)
        del self._open[key]

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
        if not request.traits & Trait.UNWITNESSED:
            self._judge_honesty(about, request)
        self._judge_isolation(key, about, request)

    def _judge_honesty(self, about: Record, request: _Request) -> None:
        counted = f"{request.starts} START and {request.ends} END"
        if request.outcome == Outcome.VALUE and not request.is_executed_well():
            self._find(Invariant.HONEST_SUCCESS, f"a value, but {counted}", about)
        elif request.outcome in _EXECUTED and not request.is_executed_well():
            self._find(Invariant.HONEST_FAILURE, f'executed "yes", but {counted}', about)
        elif request.outcome == Outcome.NOT_EXECUTED and request.starts:
            self._find(Invariant.HONEST_FAILURE, f'executed "no", but {counted}', about)

    def _judge_isolation(self, key: _Id, about: Record, request: _Request) -> None:
        if request.outcome in _SERVED or request.traits & _EXCUSED:
            return
        when = request.sent, request.resolved
        if not (self._domains.excuse(request.worker, *when) or self._domains.excuse_sender(key[0], *when)):
            text = f"{Outcome(request.outcome).name.lower()} where no fault was"
            self._find(Invariant.ISOLATION, text, about)

    def _find(self, invariant: Invariant, text: str, record: Record) -> None:
        is_end = record.kind == Kind.ENDED
        self._findings.add(
            Violation(
                invariant,
                text,
                record.worker,
                0 if is_end else record.sender,
                0 if is_end else record.sequence,
                record.incarnation if record.kind in {Kind.BORN, Kind.START, Kind.END, Kind.ENDED} else 0,
                record.time,
            )
        )


def check(records: Iterable[Record], limits: Limits | None = None) -> Verdict:
    """Judge records.

    Args:
        records: In the order of `merged`.
        limits: How strict to be; None for the defaults.

    Returns:
        The verdict.
    """
    checker = Checker(limits)
    for record in records:
        checker.feed(record)
    return checker.finish()


def check_files(files: Iterable[WitnessFile], limits: Limits | None = None) -> Verdict:
    """Judge witness files.

    Args:
        files: All files of one storm.
        limits: How strict to be; None for the defaults.

    Returns:
        The verdict; its summary counts what was torn.

    Raises:
        OSError: A file cannot be read.
    """
    read = list(files)
    verdict = check(merged(read), limits)
    verdict.summary.torn = sum(file.torn for file in read)
    return verdict
