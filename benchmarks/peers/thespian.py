"""Thespian: each actor has a process; requests are messages, and answers too."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from thespian.actors import Actor, ActorExitRequest, ActorSystem

from benchmarks.cases import MIB
from benchmarks.timing import Works
from benchmarks.works import calls, creation, echoes

_PATIENCE = 20.0


class Worker(Actor):
    """Adds numbers, and gives back anything else."""

    def __init__(self) -> None:
        super().__init__()
        self.value = 0

    def receiveMessage(self, message: Any, sender: Any) -> None:  # noqa: N802
        """Answer."""
        if type(message) is int:
            self.value += message
            self.send(sender, self.value)
        elif not isinstance(message, ActorExitRequest):
            self.send(sender, message)


def _answered(answer: Any) -> Any:
    if answer is None:
        raise TimeoutError(f"no answer within {_PATIENCE:.0f} s")
    return answer


@contextmanager
def _over(base: str, share: float) -> Iterator[Works]:
    system = ActorSystem(base, logDefs={"version": 1}, transientUnique=True)
    try:
        worker = system.createActor(Worker)

        def ask(message: Any, to: Any = worker) -> Any:
            return _answered(system.ask(to, message, _PATIENCE))

        def many(number: int) -> None:
            for _ in range(number):
                system.tell(worker, 1)
            for _ in range(number):
                _answered(system.listen(_PATIENCE))

        def create() -> Any:
            created = system.createActor(Worker)
            ask(1, created)
            return created

        def end(created: list[Any]) -> None:
            for each in created:
                system.tell(each, ActorExitRequest())

        ask(1)
        yield {
            **calls(partial(ask, 1), many),
            **creation(create, after=end),
            **echoes(ask, largest=MIB if base != "multiprocUDPBase" else 1024),
        }
    finally:
        system.shutdown()
        time.sleep(0.1)  # its processes end on their own


over_multiprocTCPBase = partial(_over, "multiprocTCPBase")  # noqa: N816
over_multiprocQueueBase = partial(_over, "multiprocQueueBase")  # noqa: N816
over_multiprocUDPBase = partial(_over, "multiprocUDPBase")  # noqa: N816
