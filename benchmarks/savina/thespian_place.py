"""Thespian as a place for the benchmarks: the system that runs its actors in the thread of the caller.

Its other systems give each actor a process, which the programs with hundreds of actors cannot have.
"""

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from thespian.actors import Actor, ActorExitRequest, ActorSystem

from benchmarks.savina.problem import Problem, Size
from benchmarks.savina.suite import works
from benchmarks.timing import Works

_PATIENCE: Final = 60.0


class Methods(Actor):
    """An actor whose messages are tuples: the name of a method, which gets the sender too, and arguments."""

    def receiveMessage(self, message: Any, sender: Any) -> None:  # noqa: N802
        """Call the method."""
        if type(message) is tuple:
            method, *args = message
            getattr(self, method)(sender, *args)


class Place:
    """Where actors are created.

    Args:
        system: Of Thespian.
    """

    def __init__(self, system: Any) -> None:
        self._system = system
        self._created: list[Any] = []

    def create(self, actor_class: type) -> Any:
        """Create an actor, and give its address."""
        address = self._system.createActor(actor_class)
        self._created.append(address)
        return address

    def tell(self, to: Any, *message: Any) -> None:
        """Send a message."""
        self._system.tell(to, message)

    def ask(self, to: Any, *message: Any) -> Any:
        """Send a message, and wait for one."""
        answer = self._system.ask(to, message, _PATIENCE)
        if answer is None:
            raise TimeoutError(f"no answer within {_PATIENCE:.0f} s")
        return answer

    def clear(self) -> None:
        """End the actors, and what they have created."""
        for address in self._created:
            self._system.tell(address, ActorExitRequest())
        self._created.clear()


@contextmanager
def in_one_process(share: float) -> Iterator[Works]:
    """Actors in this thread."""
    system = ActorSystem("simpleSystemBase", logDefs={"version": 1}, transientUnique=True)
    place = Place(system)

    def play(problem: Problem, size: Size) -> Any:
        return importlib.import_module(f"benchmarks.savina.{problem.folder}.on_thespian").run(place, **size)

    try:
        yield works(play, place.clear, share)
    finally:
        system.shutdown()
