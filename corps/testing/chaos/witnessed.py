"""The worker of the built-in load, and the Corps around it."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Final

from corps.testing.chaos.witness import NOTHING_SPECIAL, SUFFIX, Kind, Trait, Witness, now_ns
from corps.workers.conc import Conc
from corps.workers.corps import Corps

CANNOT_TESTIFY: Final = 86
"""Exit status of an Env whose witness file took no record."""

Reply = tuple[int, int, int]
"""Incarnation of the worker, sender, and sequence."""


class PlannedFailure(Exception):
    """What a method raises because it was asked to."""


class LoadCorps(Corps):
    """A Corps that does nothing: load comes from outside."""


class Witnessed(Conc):
    """Writes START and END around the body of each request.

    Each body takes the sender and the sequence of its request and gives them back with its own incarnation:
    an answer that went to the wrong request would be seen.
    """

    def __init__(self, directory: str, number: int) -> None:
        """Write that this incarnation is born.

        Args:
            directory: Where the witness files are. All workers of an Env share one, also with those of the
                same Env before and after it.
            number: Of this worker.
        """
        self._number = number
        self._incarnation = now_ns()
        self._witness = Witness(Path(directory, f"env{self.my_env()}{SUFFIX}"))
        self._write(Kind.BORN, 0, 0, NOTHING_SPECIAL)

    def cleanup(self) -> None:
        """Close the file."""
        self._witness.close()

    # --- requests of the load ---

    def plain(self, sender: int, sequence: int) -> Reply:
        """Do nothing else."""
        with self._body(sender, sequence):
            return self._incarnation, sender, sequence

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
    def _body(self, sender: int, sequence: int, trait: Trait = NOTHING_SPECIAL) -> Iterator[None]:
        self._write(Kind.START, sender, sequence, trait)
        try:
            yield
        finally:
            self._write(Kind.END, sender, sequence, trait)

    def _write(self, kind: Kind, sender: int, sequence: int, trait: Trait) -> None:
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
