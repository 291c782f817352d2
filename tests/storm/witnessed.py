"""The workers of the built-in load, and the Corps around them."""

import asyncio
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from threading import Event, Lock
from typing import Any, ClassVar, Final

from corps.addresses import env_label
from corps.supervision.restarts import Restart
from corps.testing.chaos.ledger import Ledger
from corps.testing.chaos.witness import SUFFIX, WORKERS, Kind, Trait, Witness, now_ns
from corps.workers.conc import Conc
from corps.workers.corps import Corps
from corps.workers.idempotence import idempotent
from corps.workers.names import Name

CANNOT_TESTIFY: Final = 86
"""Exit status of an Env whose witness file took no record."""

Reply = tuple[int, int, int]
"""Incarnation of the worker, sender, and sequence."""


class PlannedFailure(Exception):
    """What a method raises because it was asked to."""


class Answers:
    """Judges the values of witnessed workers, and writes down the ends that follow from them. Thread-safe."""

    def __init__(self, witness: Witness) -> None:
        self._witness = witness
        self._lock = Lock()  # protects what follows
        self._newest: dict[int, int] = {}

    def incarnation_of(self, value: Any, worker: int, ids: tuple[int, int], *more: Any) -> int | None:
        """Which incarnation of a worker gave a value; an older one has ended, because a younger one answers.

        Args:
            value: Of the Future.
            worker: Its number.
            ids: Sender and sequence of the request.
            *more: What else the value has to contain.

        Returns:
            None if the value is the answer to something else.
        """
        if not isinstance(value, tuple) or value[1:] != (*ids, *more):
            return None
        incarnation: int = value[0]
        with self._lock:
            known = self._newest.get(worker, 0)
            if incarnation > known:
                self._newest[worker] = incarnation
                if known:
                    self._witness.write(Kind.ENDED, worker=worker, incarnation=known)
        return incarnation


class LoadCorps(Corps):
    """A Corps that does nothing: load comes from outside."""

    restart: ClassVar[Restart | None] = Restart(max=1_000_000, within=1.0, backoff=(0.05, 0.5))


class Witnessed(Conc):
    """Writes START and END around the body of each request.

    Each body takes the sender and the sequence of its request and gives them back with its own incarnation:
    an answer that went to the wrong request would be seen.
    """

    def __init__(self, directory: str, number: int, house: str = "") -> None:
        """Write that this incarnation is born.

        Args:
            directory: Where the witness files are. All workers of an Env share one, also with those of the
                same Env before and after it.
            number: Of this worker.
            house: Tells its Corps from another one that writes there.
        """
        self._number = number
        self._incarnation = now_ns()
        self._witness = Witness(Path(directory, f"{house}{env_label(self.my_env())}{SUFFIX}"))
        self._write(Kind.BORN, 0, 0, 0)

    def cleanup(self) -> None:
        """Close the file."""
        self._witness.close()

    # --- requests of the load ---

    def plain(self, sender: int, sequence: int) -> Reply:
        """Do nothing else."""
        with self._body(sender, sequence):
            return self._incarnation, sender, sequence

    @idempotent(retries=5)
    def again(self, sender: int, sequence: int) -> Reply:
        """Do nothing else, and be idempotent."""
        with self._body(sender, sequence, Trait.IDEMPOTENT):
            return self._incarnation, sender, sequence

    def slow(self, sender: int, sequence: int, seconds: float) -> Reply:
        """Take some time."""
        with self._body(sender, sequence):
            Event().wait(seconds)
            return self._incarnation, sender, sequence

    async def interleaved(self, sender: int, sequence: int) -> Reply:
        """Run on the event loop."""
        with self._body(sender, sequence):
            await asyncio.sleep(0)
            return self._incarnation, sender, sequence

    def echo(self, sender: int, sequence: int, payload: bytes) -> tuple[int, int, int, bytes]:
        """Give something back."""
        with self._body(sender, sequence):
            return self._incarnation, sender, sequence, payload

    def fail(self, sender: int, sequence: int) -> None:
        """Raise."""
        with self._body(sender, sequence):
            raise PlannedFailure(f"{sender}/{sequence}")

    # --- faults, which are no load and are not written down ---

    def sleep(self, seconds: float) -> None:
        """Let everything wait that is sent here."""
        Event().wait(seconds)

    def leave(self) -> None:
        """End this worker by an exception that is no Exception."""
        raise SystemExit

    @contextmanager
    def _body(self, sender: int, sequence: int, trait: int = 0) -> Iterator[None]:
        self._write(Kind.START, sender, sequence, trait)
        try:
            yield
        finally:
            self._write(Kind.END, sender, sequence, trait)

    def _write(self, kind: Kind, sender: int, sequence: int, trait: int) -> None:
        try:
            self._witness.write(
                kind,
                detail=trait,
                worker=self._number,
                sender=sender,
                sequence=sequence,
                incarnation=self._incarnation,
            )
        except OSError:
            # Who cannot testify must not answer: an error would be an answer too, and not an honest one.
            os._exit(CANNOT_TESTIFY)


class Relay(Witnessed):
    """Asks other workers, and writes down what it sends and gets, as clients do.

    It takes what comes: when the worker that it asks fails, it gives its own value all the same. The
    sequences of its incarnations do not overlap, unless one sends over a thousand requests per second.
    """

    def __init__(
        self, directory: str, number: int, others: Sequence[tuple[int, Name[Witnessed]]], house: str = ""
    ) -> None:
        """As `Witnessed`.

        Args:
            directory: Where the witness files are.
            number: Of this worker.
            others: Number and Name of each worker that may be asked.
            house: Tells its Corps from another one that writes there.
        """
        super().__init__(directory, number, house)
        self._others = others
        self._ledger = Ledger(self._witness)
        self._answers = Answers(self._witness)
        self._sequence = self._incarnation // 1_000_000 & 0xFFFFFFFF

    def pass_on(self, sender: int, sequence: int, which: int, deadline: float) -> Reply:
        """Ask another worker, and wait for its answer.

        Args:
            sender: As in all methods.
            sequence: As in all methods.
            which: Chooses the other worker.
            deadline: Seconds that it has for its answer.
        """
        with self._body(sender, sequence):
            number, name = self._others[which % len(self._others)]
            self._sequence += 1
            ids = WORKERS + self._number, self._sequence
            call = partial(name.options(deadline=deadline).plain, *ids)
            asked = self._ledger.ask(
                *ids,
                number,
                call,
                deadline=deadline,
                traits=Trait.HASTY,  # it may have waited so long itself that little of its time is left
                expected=lambda value: self._answers.incarnation_of(value, number, ids),
            )
            if asked is not None:
                asked.failure()
            return self._incarnation, sender, sequence
