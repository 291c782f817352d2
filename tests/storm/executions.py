"""The judge of what witnessed workers wrote down: proves I1 to I3, I5, I6 and the rest of I7. Pure.

Records cannot say whether a body without an END was cut short or goes on. So the judge concludes something
from a missing END only after a value or an ``executed="yes"``.

Order (I5) is judged on requests that are sent once: one that is idempotent may have been sent again, and come
behind younger requests.

It reads in one pass and forgets what is settled and complete.
"""

from collections import deque
from collections.abc import Iterable
from typing import ClassVar, Final

from corps.testing.chaos import checker
from corps.testing.chaos.checker import Checker
from corps.testing.chaos.judgement import Invariant, Limits
from corps.testing.chaos.witness import Kind, Outcome, Record, Trait
from tests.storm.episodes import Episodes
from tests.storm.keeping import Keeping

_NANO: Final = 1_000_000_000
_EXECUTED: Final = frozenset({Outcome.EXECUTED, Outcome.RAISED})
_OF_AN_INCARNATION: Final = frozenset({Kind.BORN, Kind.START, Kind.END, Kind.ENDED, Kind.TICKED, Kind.LOGGED})

_Id = tuple[int, int]


class _Request:
    """What is known of one request."""

    __slots__ = ("ends", "outcome", "sent", "starts", "traits", "worker")

    def __init__(self, record: Record) -> None:
        self.sent = record.time
        self.traits = record.detail
        self.worker = record.worker
        self.starts = 0
        self.ends = 0
        self.outcome = 0  # 0: not settled yet

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


class Executions(Checker):
    """Judges what workers wrote down too, beside all that a Checker judges. For one thread.

    Attributes:
        forget: For how many seconds a request that is settled is remembered one by one. Afterwards it is
            still noticed that it executes again, but not what it was. Bounds the memory of the judge.
    """

    forget: ClassVar[float] = 60.0

    def __init__(self, limits: Limits) -> None:
        super().__init__(limits)
        self.episodes = Episodes(limits.settle)
        self.keeping = Keeping(self.find, self.excuses, limits, self.summary)
        self._requests: dict[_Id, _Request] = {}
        self._settled: deque[tuple[int, _Id]] = deque()
        self._sent_up_to: dict[int, int] = {}
        self._started_up_to: dict[tuple[int, int, int], int] = {}
        self._lives: dict[int, dict[int, _Life]] = {}
        self._handlers: Final = {
            Kind.SENT: self._note_sent,
            Kind.RESOLVED: self._note_resolved,
            Kind.BORN: self._born,
            Kind.START: self._start,
            Kind.END: self._end,
            Kind.ENDED: self._ended,
            Kind.TICKED: self._live,
            Kind.LOGGED: self._live,
        }

    def feed(self, record: Record) -> None:
        """Take the next record."""
        super().feed(record)
        self.episodes.feed(record)
        self.keeping.feed(record)
        handler = self._handlers.get(Kind(record.kind))
        if handler is not None:
            handler(record)
        while self._settled and record.time - self._settled[0][0] > self.forget * _NANO:
            self._retire(self._settled.popleft()[1])

    def finish(self) -> None:
        """Judge what is left."""
        for key, request in self._requests.items():
            self._judge(key, request)
        self._requests.clear()
        self.keeping.finish()
        super().finish()

    def sections(self, kinds: dict[int, str]) -> list[str]:
        """See `Checker.sections`."""
        return list(self.episodes.section(kinds))

    # --- the client's side ---

    def _note_sent(self, record: Record) -> None:
        self._requests[record.sender, record.sequence] = _Request(record)
        self._sent_up_to[record.sender] = record.sequence

    def _note_resolved(self, record: Record) -> None:
        key = record.sender, record.sequence
        request = self._requests.get(key)
        if request is None or request.outcome:
            return  # the other judge says that it was settled twice
        request.outcome = record.detail
        self._settled.append((record.time, key))
        self._judge_answerer(record, request)

    def _judge_answerer(self, record: Record, request: _Request) -> None:
        life = self._lives.get(record.worker, {}).get(record.incarnation)
        if life is not None and life.ended is not None and request.sent > life.ended:
            text = f"incarnation {record.incarnation} answered, whose end was known before"
            self._find(Invariant.FENCE, text, record)

    # --- the worker's side ---

    def _start(self, record: Record) -> None:
        self.summary.starts += 1
        self._live(record)
        request = self._known(record)
        if request is None:
            return
        request.starts += 1
        if request.may_repeat:
            return
        if request.starts == 1:
            self._judge_order(record)
        else:
            self._find(Invariant.NO_DOUBLE_EXECUTION, f"START number {request.starts}", record)

    def _end(self, record: Record) -> None:
        self.summary.ends += 1
        self._live(record)
        request = self._known(record)
        if request is not None:
            request.ends += 1
            if request.ends > request.starts:
                self._find(Invariant.ACCOUNTED, "an END without a START", record)

    def _known(self, record: Record) -> _Request | None:
        """The request of a START or END; None if there is nothing more to say about it."""
        request = self._requests.get((record.sender, record.sequence))
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
            text = f"it was settled over {self.forget:g} s ago, complete, and was executed again"
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
            self.summary.incarnations += 1
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
        request = self._requests[key]
        if request.outcome == Outcome.UNKNOWN and not request.is_executed_well():
            return
        self._judge(key, request)
        del self._requests[key]

    def _judge(self, key: _Id, request: _Request) -> None:
        if request.outcome and not request.traits & Trait.UNWITNESSED:
            self._judge_honesty(Record(Kind.SENT, 0, request.worker, *key, 0, request.sent), request)

    def _judge_honesty(self, about: Record, request: _Request) -> None:
        counted = f"{request.starts} START and {request.ends} END"
        if request.outcome == Outcome.VALUE and not request.is_executed_well():
            self._find(Invariant.HONEST_SUCCESS, f"a value, but {counted}", about)
        elif request.outcome in _EXECUTED and not request.is_executed_well():
            self._find(Invariant.HONEST_FAILURE, f'executed "yes", but {counted}', about)
        elif request.outcome == Outcome.NOT_EXECUTED and request.starts:
            self._find(Invariant.HONEST_FAILURE, f'executed "no", but {counted}', about)

    def _find(self, invariant: Invariant, text: str, record: Record) -> None:
        if record.kind in _OF_AN_INCARNATION:
            text = f"{text} (incarnation {record.incarnation})"
        if record.kind == Kind.ENDED:  # which is of no request
            record = record._replace(sender=0, sequence=0)
        self.find(invariant, text, record)


def check(records: Iterable[Record], limits: Limits | None = None) -> Executions:
    """Judge records of clients and of witnessed workers, in the order of `merged`."""
    judge = Executions(limits or Limits())
    checker.check(records, judge)
    return judge
