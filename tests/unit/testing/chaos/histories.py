"""Histories that a correct runtime could leave behind, made at random, and ways to spoil them."""

from collections import deque
from dataclasses import dataclass, field
from itertools import combinations
from random import Random
from typing import Final

from corps.testing.chaos.judgement import Invariant
from corps.testing.chaos.witness import Kind, Outcome, Phase, Record, Trait

MS: Final = 1_000_000
SECOND: Final = 1000 * MS
DEADLINE: Final = 5 * SECOND


def sent(sequence: int, time: int, *, traits: int = 0, deadline: int = DEADLINE, worker: int = 1) -> Record:
    return Record(Kind.SENT, traits, worker, 1, sequence, deadline, time)


def body(kind: Kind, sequence: int, time: int, *, incarnation: int = 5, worker: int = 1) -> Record:
    return Record(kind, 0, worker, 1, sequence, incarnation, time)


def settled(sequence: int, time: int, outcome: Outcome, *, by: int = 0) -> Record:
    return Record(Kind.RESOLVED, outcome, 1, 1, sequence, by, time)


@dataclass
class Pending:
    sender: int
    sequence: int
    traits: int
    has_started: bool = False


@dataclass
class Worker:
    number: int
    env: int
    incarnation: int = 0
    mailbox: deque[Pending] = field(default_factory=deque)
    last_answer: int = 0


class History:
    """A simulated Corps of two Envs: what it does is right by construction."""

    def __init__(self, rng: Random, *, with_faults: bool = True) -> None:
        self.rng = rng
        self.time = 1000 * SECOND
        self.clients: list[Record] = []
        self.envs: dict[int, list[Record]] = {1: [], 2: []}
        self.sequences = dict.fromkeys((1, 2, 3), 0)
        self.workers = [Worker(number, 1 + number % 2) for number in range(1, 5)]
        self.faults = 0
        self.phase(Phase.CALM)
        for worker in self.workers:
            self.write(Record(Kind.PLACED, 0, worker.number, 0, worker.env))
            self.born(worker)
        weights = {self.send: 10, self.work: 9, self.kill: 0.4 if with_faults else 0.0}
        for _ in range(rng.randint(20, 200)):
            rng.choices(list(weights), list(weights.values()))[0]()
        while any(worker.mailbox for worker in self.workers):
            self.work()

    @property
    def files(self) -> list[list[Record]]:
        return [self.clients, *self.envs.values()]

    def now(self) -> int:
        self.time += self.rng.randint(1000, 3 * MS)
        return self.time

    def write(self, record: Record, env: int | None = None) -> None:
        file = self.clients if env is None else self.envs[env]
        file.append(record._replace(time=self.now()))

    def phase(self, phase: Phase) -> None:
        self.write(Record(Kind.PHASE, phase))

    def born(self, worker: Worker) -> None:
        worker.incarnation = self.now()
        self.write(Record(Kind.BORN, 0, worker.number, 0, 0, worker.incarnation), worker.env)

    def send(self) -> None:
        sender = self.rng.choice(list(self.sequences))
        self.sequences[sender] += 1
        worker = self.rng.choice(self.workers)
        traits = self.rng.choice((0, 0, 0, Trait.IDEMPOTENT))
        request = Pending(sender, self.sequences[sender], traits)
        self.write(Record(Kind.SENT, traits, worker.number, sender, request.sequence, DEADLINE))
        worker.mailbox.append(request)

    def work(self) -> None:
        busy = [worker for worker in self.workers if worker.mailbox]
        if not busy:
            return
        worker = self.rng.choice(busy)
        request = worker.mailbox.popleft()
        self.body(Kind.START, worker, request)
        self.body(Kind.END, worker, request)
        self.resolve(worker, request, self.rng.choice((Outcome.VALUE, Outcome.VALUE, Outcome.RAISED)))

    def body(self, kind: Kind, worker: Worker, request: Pending) -> None:
        request.has_started = True
        line = (worker.number, request.sender, request.sequence, worker.incarnation)
        self.write(Record(kind, request.traits, *line), worker.env)

    def resolve(self, worker: Worker, request: Pending, outcome: Outcome) -> None:
        by = worker.incarnation if outcome == Outcome.VALUE else 0
        self.write(Record(Kind.RESOLVED, outcome, worker.number, request.sender, request.sequence, by))
        if by > worker.last_answer:
            if worker.last_answer:
                self.write(Record(Kind.ENDED, 0, worker.number, 0, 0, worker.last_answer))
            worker.last_answer = by

    def kill(self) -> None:
        """One Env dies, in the middle of whatever it does, and lives again."""
        env = self.rng.choice(list(self.envs))
        self.faults += 1
        self.write(Record(Kind.FAULT, 0, 0, env, self.faults))
        for worker in self.workers:
            if worker.env == env:
                self.lose(worker)
        self.write(Record(Kind.OVER, 0, 0, 0, self.faults))

    def lose(self, worker: Worker) -> None:
        waiting, worker.mailbox = worker.mailbox, deque()
        if waiting and self.rng.random() < 0.7:
            request = waiting.popleft()
            self.body(Kind.START, worker, request)
            ended = False
            if self.rng.random() < 0.5:
                self.body(Kind.END, worker, request)  # its answer was lost
                ended = True
            if request.traits & Trait.IDEMPOTENT:
                worker.mailbox.append(request)  # and so it is sent again
            else:
                self.resolve(worker, request, Outcome.EXECUTED if ended else Outcome.UNKNOWN)
        for request in waiting:
            outcome = self.rng.choice((Outcome.NOT_EXECUTED, Outcome.UNKNOWN))
            self.resolve(worker, request, Outcome.UNKNOWN if request.has_started else outcome)
        self.born(worker)


class NothingToSpoil(Exception):
    """The history has nothing of the kind that is to be spoiled."""


def some(rng: Random, found: list[int]) -> int:
    if not found:
        raise NothingToSpoil
    return rng.choice(found)


def resolved(history: History, *outcomes: Outcome, traits: int = 0) -> list[int]:
    """Where in the clients' file requests with these traits were settled so."""
    sent = {(each.sender, each.sequence): each.detail for each in history.clients if each.kind == Kind.SENT}
    return [
        index
        for index, each in enumerate(history.clients)
        if each.kind == Kind.RESOLVED
        and each.detail in outcomes
        and sent[each.sender, each.sequence] == traits
    ]


def records_of(history: History, request: Record, kind: Kind) -> list[tuple[list[Record], int]]:
    return [
        (file, index)
        for file in history.envs.values()
        for index, each in enumerate(file)
        if each.kind == kind and (each.sender, each.sequence) == (request.sender, request.sequence)
    ]


def execute_twice(history: History, rng: Random) -> Invariant:
    request = history.clients[some(rng, resolved(history, Outcome.VALUE, Outcome.RAISED))]
    ((file, index),) = records_of(history, request, Kind.START)
    file.append(file[index]._replace(time=history.now()))
    return Invariant.NO_DOUBLE_EXECUTION


def lose_the_end_of_a_value(history: History, rng: Random) -> Invariant:
    request = history.clients[some(rng, resolved(history, Outcome.VALUE))]
    ((file, index),) = records_of(history, request, Kind.END)
    del file[index]
    return Invariant.HONEST_SUCCESS


def deny_an_execution(history: History, rng: Random) -> Invariant:
    index = some(rng, resolved(history, Outcome.VALUE, Outcome.RAISED))
    history.clients[index] = history.clients[index]._replace(detail=Outcome.NOT_EXECUTED)
    return Invariant.HONEST_FAILURE


def claim_an_execution(history: History, rng: Random) -> Invariant:
    index = some(rng, resolved(history, Outcome.NOT_EXECUTED))
    detail = rng.choice((Outcome.EXECUTED, Outcome.RAISED))
    history.clients[index] = history.clients[index]._replace(detail=detail)
    return Invariant.HONEST_FAILURE


def never_settle(history: History, rng: Random) -> Invariant:
    del history.clients[some(rng, resolved(history, *Outcome))]
    return Invariant.RESOLVED_IN_TIME


def settle_late(history: History, rng: Random) -> Invariant:
    index = some(rng, resolved(history, *Outcome))
    late = history.clients.pop(index)
    history.time += 2 * DEADLINE
    history.write(late)
    return Invariant.RESOLVED_IN_TIME


def settle_twice(history: History, rng: Random) -> Invariant:
    history.write(history.clients[some(rng, resolved(history, *Outcome))])
    return Invariant.RESOLVED_IN_TIME


def reorder(history: History, rng: Random) -> Invariant:
    """Two requests of one sender, both sent before either began, change their places in one incarnation.

    Both are sent once: those that may be sent again have no order.
    """
    once = {
        (each.sender, each.sequence)
        for each in history.clients
        if each.kind == Kind.SENT and not each.detail & Trait.IDEMPOTENT
    }
    sent = {(each.sender, each.sequence): each.time for each in history.clients if each.kind == Kind.SENT}
    lines: dict[tuple[int, int, int], list[Record]] = {}
    for index in resolved(history, Outcome.VALUE):
        request = history.clients[index]
        if (request.sender, request.sequence) in once:
            lines.setdefault((request.sender, request.worker, request.incarnation), []).append(request)
    pairs = []
    for line in lines.values():
        for one, other in combinations(sorted(line, key=lambda each: each.sequence), 2):
            ((file, index),) = records_of(history, one, Kind.START)
            if sent[other.sender, other.sequence] < file[index].time:
                pairs.append((one, other))
    if not pairs:
        raise NothingToSpoil
    one, other = rng.choice(pairs)
    for kind in (Kind.START, Kind.END):
        ((file, first),) = records_of(history, one, kind)
        ((same, second),) = records_of(history, other, kind)
        assert file is same
        file[first] = file[first]._replace(sequence=other.sequence)
        file[second] = file[second]._replace(sequence=one.sequence)
    return Invariant.ORDER


def go_on_after_the_end(history: History, rng: Random) -> Invariant:
    ended = [index for index, each in enumerate(history.clients) if each.kind == Kind.ENDED]
    dead = history.clients[some(rng, ended)]
    sender = rng.choice(list(history.sequences))
    history.sequences[sender] += 1
    request = Record(Kind.SENT, 0, dead.worker, sender, history.sequences[sender], DEADLINE)
    history.write(request)
    env = next(worker.env for worker in history.workers if worker.number == dead.worker)
    history.write(request._replace(kind=Kind.START, incarnation=dead.incarnation), env)
    history.write(request._replace(kind=Kind.RESOLVED, detail=Outcome.UNKNOWN, incarnation=0))
    return Invariant.FENCE


def go_on_beside_a_younger_one(history: History, rng: Random) -> Invariant:
    invariant = go_on_after_the_end(history, rng)
    history.clients[:] = [each for each in history.clients if each.kind != Kind.ENDED]
    return invariant


def execute_what_nobody_sent(history: History, rng: Random) -> Invariant:
    worker = rng.choice(history.workers)
    history.body(Kind.START, worker, Pending(1, 10**6, 0))
    return Invariant.ACCOUNTED


def execute_elsewhere(history: History, rng: Random) -> Invariant:
    request = history.clients[some(rng, resolved(history, Outcome.VALUE))]
    for kind in (Kind.START, Kind.END):
        ((file, index),) = records_of(history, request, kind)
        file[index] = file[index]._replace(worker=request.worker % 4 + 1)
    return Invariant.ACCOUNTED


def settle_strangely(history: History, rng: Random) -> Invariant:
    index = some(rng, resolved(history, *Outcome))
    history.clients[index] = history.clients[index]._replace(detail=Outcome.STRANGE)
    return Invariant.ACCOUNTED


def fail_without_a_fault(history: History, rng: Random) -> Invariant:
    history.clients[:] = [each for each in history.clients if each.kind not in {Kind.FAULT, Kind.OVER}]
    index = some(rng, resolved(history, Outcome.VALUE))
    history.clients[index] = history.clients[index]._replace(detail=Outcome.UNKNOWN)
    return Invariant.ISOLATION


def fail_in_another_env(history: History, rng: Random) -> Invariant:
    touched = {each.sender for each in history.clients if each.kind == Kind.FAULT}
    if len(touched) != 1:
        raise NothingToSpoil
    safe = {worker.number for worker in history.workers if worker.env not in touched}
    found = [i for i in resolved(history, Outcome.VALUE) if history.clients[i].worker in safe]
    index = some(rng, found)
    history.clients[index] = history.clients[index]._replace(detail=Outcome.UNKNOWN)
    return Invariant.ISOLATION


SPOILERS: Final = (
    execute_twice,
    lose_the_end_of_a_value,
    deny_an_execution,
    claim_an_execution,
    never_settle,
    settle_late,
    settle_twice,
    reorder,
    go_on_after_the_end,
    go_on_beside_a_younger_one,
    execute_what_nobody_sent,
    execute_elsewhere,
    settle_strangely,
    fail_without_a_fault,
    fail_in_another_env,
)
