"""Work for the services of a Corps: components, entries in Dirs, timers, and log records.

`Shop` and `Stall` are components: the Corps starts them itself. What the clients do and see goes into their
witness file.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from random import Random
from threading import Event
from typing import Any, ClassVar, Final

from corps.addresses import FRONT
from corps.clock import now
from corps.errors import CorpsError, NotFound
from corps.runtime.calls.futures import Future
from corps.services.dirs.finding import aregister, aunregister, find
from corps.services.logs.choosing import LogSink, log_level, log_to
from corps.services.timers.setting import after, at, every, timers
from corps.supervision.restarts import Restart
from corps.testing.chaos.ledger import Ledger
from corps.testing.chaos.witness import Kind, Look, Trait, Witness, now_ns
from corps.workers.names import Name
from corps.workers.timers import Timer
from tests.storm.busy import Busy
from tests.storm.load import PlacedWorker, lasting
from tests.storm.witnessed import Witnessed

SHOP: Final = 2001
STALLS: Final = 2100
"""The number of the component in an Env, when the id of that is added."""
_CLERKS: Final = 2200
_KEEPER: Final = 2001  # senders
_ARMER: Final = 2002
_LOGGER: Final = "tests.storm.services"
_NUMBER: Final = "number"
_BEAT: Final = 0.25  # seconds between two calls of a timer that repeats
_DEADLINE: Final = 5.0
_PATIENCE: Final = 60.0
_PAUSE: Final = 0.05
_ENTRIES: Final = 12
_SHOP_ENTRY: Final = 1
_STALL_ENTRY: Final = 2
_FIRST_ENTRY: Final = 3

_log = logging.getLogger(_LOGGER)


def settings(directory: Path) -> Mapping[str, Any]:
    """Settings of a Corps with the two components, and with a file for durable timers in a directory."""
    for old in directory.glob("timers.sqlite*"):
        old.unlink()
    where = {"directory": str(directory)}
    return {
        "log_level": "ERROR",
        "timers.path": str(directory / "timers.sqlite"),
        "autoload.components": [
            {"use": f"{__name__}:Shop", "name": "shop", "where": "corps", "arguments": where},
            {"use": f"{__name__}:Stall", "name": "stall", "arguments": where},
        ],
    }


class _Ticked(Witnessed):
    """Writes down when timers call it."""

    restart: ClassVar[Restart | None] = Restart(max=1_000_000, within=1.0, backoff=(0.05, 0.5))

    def __init__(self, directory: str, number: int) -> None:
        """As `Witnessed`."""
        super().__init__(directory, number)
        self._beats = 0

    def tick(self, number: int) -> None:
        """Be called by a timer; 0 is one that repeats."""
        self._write(Kind.TICKED, 0, number, 0)
        self._beats += not number

    def beats(self) -> int:
        """How often a timer that repeats has called this incarnation."""
        return self._beats


class Shop(_Ticked):
    """The component of the Corps: durable timers call it."""

    def __init__(self, directory: str) -> None:
        """Write to this directory."""
        super().__init__(directory, SHOP)


class Stall(_Ticked):
    """The component of each Env: it sets a timer for itself when it is constructed."""

    def __init__(self, directory: str) -> None:
        """Write to this directory."""
        super().__init__(directory, STALLS + self.my_env())
        every(_BEAT, self.my_name().tick, 0)


class Clerk(_Ticked):
    """Looks into the Dirs of its Env, sets durable timers, and logs."""

    def __init__(self, directory: str, number: int) -> None:
        """Show none of its log records on the stderr of the Env."""
        super().__init__(directory, number)
        for handler in logging.root.handlers:
            if type(handler) is logging.StreamHandler:
                handler.addFilter(_is_of_others)

    def look(self, tag: str, wanted: Name[Any] | None) -> Look:
        """Find the worker with a tag; None wants that of this Env."""
        try:
            found = find(tag)
        except NotFound:
            return Look.MISSING
        is_right = found._addr.env == self.my_env() if wanted is None else found == wanted
        return Look.FOUND if is_right else Look.OTHER

    def stall_beats(self) -> int:
        """Ask the component of this Env how often its timer has called."""
        beats: int = find("stall").beats().ret
        return beats

    def arm(self, number: int, when: datetime) -> None:
        """Set a durable timer for the shop."""
        arm(number, when)

    def note(self, first: int, count: int) -> None:
        """Log some records, and write down each when it is logged."""
        for number in range(first, first + count):
            _log.info("record %d", number, extra={_NUMBER: number})
            self._write(Kind.LOGGED, 0, number, 0)


def _is_of_others(record: logging.LogRecord) -> bool:
    return record.name != _LOGGER


def arm(number: int, when: datetime) -> Timer:
    """Set a durable timer for the shop."""
    return at(when, find("shop").tick, number, durable=True, key=str(number))


class _Sink(logging.Handler):
    """Writes down which records have come."""

    def __init__(self, witness: Witness) -> None:
        super().__init__()
        self._witness = witness

    def emit(self, record: logging.LogRecord) -> None:
        number = getattr(record, _NUMBER, None)
        if record.name == _LOGGER and isinstance(number, int):
            self._witness.write(Kind.KEPT, sequence=number)


class ServiceLoad(Busy):
    """Two clients of the services, busy inside the ``with`` block. By one thread; see `LoadMaker`."""

    def __init__(self, ledger: Ledger, directory: Path, envs: Sequence[int], rng: Random) -> None:
        """Begin nothing yet."""
        super().__init__()
        self._ledger = ledger
        self._witness = ledger.witness
        self._directory = directory
        self._envs = envs
        self._seeds = [rng.random(), rng.random()]
        self._clerks: list[PlacedWorker] = []
        self._beats: list[Timer] = []
        self._sink: LogSink | None = None

    def start(self) -> None:
        """Create the workers, open the sink, and begin.

        Raises:
            CorpsError: A worker could not be created.
        """
        log_level("INFO", _LOGGER)
        self._sink = log_to(_Sink(self._witness))
        self._place(SHOP, FRONT)
        for number, env in enumerate(self._envs, _CLERKS):
            self._place(STALLS + env, env)
            self._witness.write(Kind.ARMED, worker=STALLS + env)
            name = lasting(env).create(Clerk, str(self._directory), number)
            self._place(number, env)
            self._clerks.append(PlacedWorker(number, env, name))
            self._beats.append(every(_BEAT, name.tick, 0))
            self._witness.write(Kind.ARMED, worker=number)
        common = self._ledger, self._clerks
        keeper = _Keeper(Random(self._seeds[0]), *common)
        armer = _Armer(Random(self._seeds[1]), *common)
        for client in (keeper, armer):
            self._begin("chaos-services", partial(self._run, client.step))

    def _place(self, number: int, env: int) -> None:
        self._witness.write(Kind.PLACED, worker=number, sequence=env)

    def _run(self, step: Callable[[], None]) -> None:
        while not self._is_over.wait(_PAUSE):
            step()

    def _await_end(self) -> None:
        with ExitStack() as stack:
            if self._sink is not None:
                stack.callback(self._sink.close)
            stack.enter_context(suppress(CorpsError))  # of a Corps that is over before its time
            deadline = now() + _PATIENCE
            for clerk in self._clerks:
                for ask in (clerk.name.beats, clerk.name.stall_beats):
                    self._await_beat(ask, deadline)
            while timers(durable=True) and now() < deadline:
                Event().wait(_PAUSE)
            for timer in self._beats:
                timer.cancel()

    def _await_beat(self, ask: Callable[[], "Future[int]"], deadline: float) -> None:
        before: int | None = None
        while now() < deadline:
            asked = ask()
            if asked.failure(_DEADLINE) is None:
                beats = asked.result()
                if before is not None and beats > before:
                    return
                before = beats
            Event().wait(_PAUSE)


class _Asking:
    """What both clients share. One thread."""

    def __init__(self, sender: int, rng: Random, ledger: Ledger, clerks: Sequence[PlacedWorker]) -> None:
        self._sender = sender
        self._rng = rng
        self._ledger = ledger
        self._witness = ledger.witness
        self._clerks = clerks
        self._sequence = 0

    def _ask(self, worker: int, call: Callable[[], "Future[Any]"]) -> "Future[Any] | None":
        """Ask, wait, and return the Future of a value; None if there is none."""
        asked = self._begin(worker, call)
        return None if asked is None or asked.failure() is not None else asked

    def _begin(self, worker: int, call: Callable[[], "Future[Any]"]) -> "Future[Any] | None":
        self._sequence += 1
        return self._ledger.ask(self._sender, self._sequence, worker, call, traits=Trait.UNWITNESSED)


class _Keeper(_Asking):
    """Registers workers, takes them out, and has them looked for in all Envs."""

    def __init__(self, rng: Random, ledger: Ledger, clerks: Sequence[PlacedWorker]) -> None:
        super().__init__(_KEEPER, rng, ledger, clerks)
        self._there: dict[int, PlacedWorker] = {}
        self._gone: list[tuple[int, PlacedWorker]] = []
        self._next = _FIRST_ENTRY
        self._shop = find("shop")
        for entry in (_SHOP_ENTRY, _STALL_ENTRY):
            self._witness.write(Kind.ENTERED, sequence=entry)

    def step(self) -> None:
        """Do one thing."""
        which = self._rng.random()
        if which < 0.15 and len(self._there) < _ENTRIES:
            self._enter()
        elif which < 0.25 and self._there:
            self._leave()
        else:
            self._look()

    def _enter(self) -> None:
        worker, entry = self._rng.choice(self._clerks), self._next
        self._next += 1
        register = partial(aregister, worker.name, tag=_tag(entry), number=entry)
        if self._ask(worker.number, register):  # without a value nobody knows, so it is not looked for
            self._witness.write(Kind.ENTERED, worker=worker.number, sequence=entry)
            self._there[entry] = worker

    def _leave(self) -> None:
        entry = self._rng.choice(list(self._there))
        worker = self._there.pop(entry)
        if self._ask(worker.number, partial(aunregister, worker.name, tag=_tag(entry))):
            self._witness.write(Kind.LEFT, sequence=entry)
            self._gone = [*self._gone[-3:], (entry, worker)]

    def _look(self) -> None:
        clerk = self._rng.choice(self._clerks)
        entry, wanted = self._rng.choice(
            [
                (_SHOP_ENTRY, self._shop),
                (_STALL_ENTRY, None),
                *((entry, worker.name) for entry, worker in (*self._there.items(), *self._gone)),
            ]
        )
        tag = {_SHOP_ENTRY: "shop", _STALL_ENTRY: "stall"}.get(entry, _tag(entry))
        found = self._ask(clerk.number, partial(clerk.name.look, tag, wanted))
        if found is not None:
            self._witness.write(Kind.LOOKED, detail=found.result(), worker=clerk.number, sequence=entry)


def _tag(entry: int) -> str:
    return f"entry {entry}"


class _Armer(_Asking):
    """Sets timers, and has records logged."""

    def __init__(self, rng: Random, ledger: Ledger, clerks: Sequence[PlacedWorker]) -> None:
        super().__init__(_ARMER, rng, ledger, clerks)
        self._timers = 0
        self._records = 0

    def step(self) -> None:
        """Do one thing."""
        clerk = self._rng.choice(self._clerks)
        seconds = self._rng.uniform(0.1, 3.0)
        which = self._rng.random()
        if which < 0.5:
            count = self._rng.randint(1, 20)
            self._begin(clerk.number, partial(clerk.name.note, self._records + 1, count))
            self._records += count
        elif which < 0.7:
            self._arm(clerk.number, seconds, lambda number: bool(after(seconds, clerk.name.tick, number)))
        elif which < 0.85:
            when = datetime.now(UTC) + timedelta(seconds=seconds)
            self._arm(SHOP, seconds, lambda number: bool(arm(number, when)), is_durable=True)
        else:
            when = datetime.now(UTC) + timedelta(seconds=seconds)
            name = clerk.name
            self._arm(
                SHOP,
                seconds,
                lambda number: self._ask(clerk.number, partial(name.arm, number, when)) is not None,
                is_durable=True,
            )

    def _arm(
        self, worker: int, seconds: float, act: Callable[[int], bool], *, is_durable: bool = False
    ) -> None:
        """Set a timer by `act`, which returns True when it is set."""
        self._timers += 1
        due = now_ns() + round(seconds * 1e9)
        about = {"worker": worker, "sequence": self._timers, "detail": int(is_durable)}
        self._witness.write(Kind.ARMING, **about)
        with suppress(CorpsError):
            if act(self._timers):
                self._witness.write(Kind.ARMED, incarnation=due, **about)
