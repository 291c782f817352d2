"""The built-in load: clients in the booting process ask witnessed workers, and write down what they get."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from threading import Event
from typing import Any, Final, NamedTuple

from corps.clock import now
from corps.launch.choosing import options
from corps.supervision.restarts import Restart
from corps.testing.chaos.ledger import Ledger
from corps.testing.chaos.witness import Kind, Trait
from corps.workers.factory import Options
from corps.workers.names import Name
from tests.storm.busy import Busy
from tests.storm.witnessed import Answers, Relay, Witnessed

_MIX: Final = {
    "plain": 60.0,
    "interleaved": 10.0,
    "again": 8.0,
    "echo": 6.0,
    "fail": 6.0,
    "slow": 3.0,
    "hasty": 4.0,
    "cancelled": 3.0,
}
_SLOW: Final = 0.01  # seconds
_HASTY: Final = 0.004  # seconds
_RELAYED: Final = 0.15  # share of bursts that go to relays
_LAG: Final = 0.5  # seconds that a client tries to make up for
_FULL: Final = 0.02  # seconds until a client looks again whether there is room
_PATIENCE: Final = 30.0


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """How much load.

    Attributes:
        workers: Witnessed workers in each Env. One more passes requests on to workers of all Envs.
        clients: Client threads.
        rate: Requests per second of each client; not exceeded, so that throughputs can be compared.
        burst: How many requests a client sends to one worker at once, at most.
        depth: How many requests of all clients may be under way.
        deadline: Seconds that each request has.
        payload: Bytes that are sent to and fro at most; most payloads are far smaller.
    """

    workers: int = 4
    clients: int = 4
    rate: float = 50.0
    burst: int = 4
    depth: int = 1000
    deadline: float = 5.0
    payload: int = 1024 * 1024


class PlacedWorker(NamedTuple):
    """A worker that lives in an Env for the whole storm.

    Attributes:
        number: In the witness, from 1.
        env: The Env.
        name: Its Name.
    """

    number: int
    env: int
    name: Name[Any]


def lasting(env: int) -> Options:
    """Options for a worker that lives through the whole storm, however often it is hit."""
    return options(env=env, restart=Restart(max=1_000_000, within=1.0, backoff=(0.05, 0.5)))


class Load(Busy):
    """Workers and clients, which are busy inside the ``with`` block. By one thread.

    Args:
        ledger: What the clients write down.
        directory: Where the workers write.
        envs: Where the workers are to live.
        rng: What the clients draw from.
        options: How much.
        workers: Takes those that were created, by number.
    """

    def __init__(
        self,
        ledger: Ledger,
        directory: Path,
        envs: Sequence[int],
        rng: Random,
        options: LoadOptions,
        workers: list[PlacedWorker],
    ) -> None:
        super().__init__()
        self._ledger = ledger
        self._directory = directory
        self._envs = envs
        self._seeds = [rng.random() for _ in range(options.clients)]
        self._options = options
        self._workers = workers

    def start(self) -> None:
        """Create the workers, where `corps.create` may be called, and begin to ask them.

        Raises:
            CorpsError: A worker could not be created.
        """
        for env in self._envs:
            for _ in range(self._options.workers):
                self._workers.append(self._new_worker(len(self._workers) + 1, env))
        others = [(each.number, each.name) for each in self._workers]
        relays = [
            self._new_relay(number, env, others)
            for number, env in enumerate(self._envs, len(self._workers) + 1)
        ]
        answers = Answers(self._ledger.witness)
        for sender, seed in enumerate(self._seeds, 1):
            client = _Client(
                sender,
                Random(seed),
                self._workers,
                relays,
                self._ledger,
                answers,
                self._options,
                self._is_over,
            )
            self._begin(f"chaos-client-{sender}", client.run)

    def _new_worker(self, number: int, env: int) -> PlacedWorker:
        return self._placed(number, env, lasting(env).create(Witnessed, str(self._directory), number))

    def _new_relay(self, number: int, env: int, others: Sequence[tuple[int, Name[Any]]]) -> PlacedWorker:
        name = lasting(env).create(Relay, str(self._directory), number, others)
        return self._placed(number, env, name)

    def _placed(self, number: int, env: int, name: Name[Any]) -> PlacedWorker:
        self._ledger.witness.write(Kind.PLACED, worker=number, sequence=env)
        return PlacedWorker(number, env, name)

    def _await_end(self) -> None:
        self._ledger.drain(self._options.deadline + _PATIENCE)


class _Client:
    """One sender, in one thread."""

    def __init__(
        self,
        sender: int,
        rng: Random,
        workers: Sequence[PlacedWorker],
        relays: Sequence[PlacedWorker],
        ledger: Ledger,
        answers: Answers,
        options: LoadOptions,
        is_over: Event,
    ) -> None:
        self._sender = sender
        self._rng = rng
        self._workers = workers
        self._relays = relays
        self._ledger = ledger
        self._answers = answers
        self._options = options
        self._is_over = is_over
        self._sequence = 0
        self._names = {
            each.number: each.name.options(deadline=options.deadline) for each in (*workers, *relays)
        }
        self._hasty = {each.number: each.name.options(deadline=_HASTY) for each in workers}

    def run(self) -> None:
        due = now()
        while not self._is_over.wait(max(0.0, due - now())):
            if self._ledger.under_way() >= self._options.depth:
                self._is_over.wait(_FULL)
                continue
            burst = self._rng.randint(1, self._options.burst)
            if self._rng.random() < _RELAYED:
                worker, ways = self._rng.choice(self._relays), ["pass_on"] * burst
            else:
                worker = self._rng.choice(self._workers)
                ways = self._rng.choices(list(_MIX), list(_MIX.values()), k=burst)
            for way in ways:
                self._ask(worker, way)
            due = max(due + burst / self._options.rate, now() - _LAG)

    def _ask(self, worker: PlacedWorker, way: str) -> None:
        self._sequence += 1
        ids = self._sender, self._sequence
        name = (self._hasty if way == "hasty" else self._names)[worker.number]
        traits = Trait(0)
        more: tuple[bytes, ...] = ()
        match way:
            case "echo":
                payload = self._rng.randbytes(int(10 * (self._options.payload / 10) ** self._rng.random()))
                more = (payload,)
                call = partial(name.echo, *ids, payload)
            case "slow" | "cancelled":
                traits = Trait.CANCELLED if way == "cancelled" else traits
                call = partial(name.slow, *ids, _SLOW)
            case "again":
                traits = Trait.IDEMPOTENT
                call = partial(name.again, *ids)
            case "pass_on":
                traits = Trait.HASTY  # it waits behind others that wait for workers which may be hit
                which = self._rng.randrange(1000)
                call = partial(name.pass_on, *ids, which, self._options.deadline / 2)
            case "hasty":
                traits = Trait.HASTY
                call = partial(name.plain, *ids)
            case _:
                call = partial(getattr(name, way), *ids)
        future = self._ledger.ask(
            *ids,
            worker.number,
            call,
            deadline=_HASTY if way == "hasty" else self._options.deadline,
            traits=traits,
            expected=lambda value: self._answers.incarnation_of(value, worker.number, ids, *more),
        )
        if way == "cancelled" and future is not None:
            future.cancel()
