"""xoscar as a place for the benchmarks: in one process, or over two. A program is a coroutine."""

import asyncio
import importlib
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import xoscar
from xoscar.backends.allocate_strategy import ProcessIndex

from benchmarks.savina.problem import Problem, Size
from benchmarks.savina.suite import works
from benchmarks.timing import Works


class Latch(xoscar.StatelessActor):
    """Has the answer when it is there. Its methods run beside each other."""

    def __init__(self) -> None:
        super().__init__()
        self._answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def open(self, answer: Any) -> None:
        """Give the answer."""
        self._answer.set_result(answer)

    async def wait(self) -> Any:
        """Answer as soon as it is there."""
        return await self._answer


class Place:
    """Where actors are created: in the processes by turns.

    It can be packed. A copy begins its turns anywhere; what it creates stays until the pool ends.

    Args:
        address: Of the pool.
        processes: How many it has beside that of the caller; none: the actors live in that.
    """

    def __init__(self, address: str, processes: int) -> None:
        self.address = address
        self.processes = processes
        self._turn = random.randrange(processes) if processes else 0
        self._created: list[Any] = []

    def __reduce__(self) -> tuple[Any, ...]:
        return Place, (self.address, self.processes)

    async def create(self, actor_class: type, *args: Any) -> Any:
        """Create an actor.

        Args:
            actor_class: Of it.
            *args: For its constructor.

        Returns:
            A reference; a direct one in the process of the actor, which takes a thirtieth of the time.
        """
        self._turn += 1
        number = 1 + self._turn % self.processes if self.processes else 0
        made = await xoscar.create_actor(
            actor_class, *args, address=self.address, allocate_strategy=ProcessIndex(number)
        )
        reference = made if self.processes else await xoscar.actor_ref(made)
        self._created.append(reference)
        return reference

    async def clear(self) -> None:
        """Destroy what this copy has created."""
        await asyncio.gather(*[xoscar.destroy_actor(each) for each in self._created])
        self._created.clear()


@contextmanager
def _opened(processes: int, share: float) -> Iterator[Works]:
    with asyncio.Runner() as runner:
        pool = runner.run(_pool(processes))
        place = Place(pool.external_address, processes)

        def play(problem: Problem, size: Size) -> Any:
            module = importlib.import_module(f"benchmarks.savina.{problem.folder}.on_xoscar")
            return runner.run(module.run(place, **size))

        try:
            yield works(play, lambda: runner.run(place.clear()), share)
        finally:
            runner.run(pool.stop())


async def _pool(processes: int) -> Any:
    pool = await xoscar.create_actor_pool("127.0.0.1", n_process=processes)
    await pool.start()
    return pool


@contextmanager
def in_one_process(share: float) -> Iterator[Works]:
    """Actors in the process of the caller."""
    with _opened(0, share) as opened:
        yield opened


@contextmanager
def over_two_processes(share: float) -> Iterator[Works]:
    """Actors in two processes of the pool."""
    with _opened(2, share) as opened:
        yield opened
