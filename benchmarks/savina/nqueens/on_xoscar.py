"""N queens with xoscar."""

from itertools import cycle
from typing import Any

import xoscar

from benchmarks.savina.nqueens import Board, solutions, with_one_more
from benchmarks.savina.xoscar_place import Latch, Place


class Master(xoscar.Actor):
    """Hands out boards."""

    def __init__(self, done: Any) -> None:
        super().__init__()
        self.done = done
        self.under_way = 0
        self.found = 0

    async def solve(self, workers: list[Any]) -> None:
        """Begin with the empty board."""
        self.workers = cycle(workers)
        await self.hand_out([()])

    async def hand_out(self, boards: list[Board]) -> None:
        """Have boards searched."""
        self.under_way += len(boards)
        for board in boards:
            await next(self.workers).search.tell(board)

    async def finish(self, found: int) -> None:
        """Hear of a board that was searched."""
        self.found += found
        self.under_way -= 1
        if not self.under_way:
            await self.done.open.tell(self.found)


class Worker(xoscar.Actor):
    """Searches boards."""

    def __init__(self, master: Any, queens: int, few: int) -> None:
        super().__init__()
        self.master, self.queens, self.few = master, queens, few

    async def search(self, board: Board) -> None:
        """Search one, or make more of it."""
        if len(board) < self.few:
            await self.master.hand_out.tell(with_one_more(board, self.queens))
            await self.master.finish.tell(0)
        else:
            await self.master.finish.tell(solutions(board, self.queens))


async def run(place: Place, queens: int, workers: int, few: int) -> int:
    """See the description."""
    done = await place.create(Latch)
    master = await place.create(Master, done)
    await master.solve.tell([await place.create(Worker, master, queens, few) for _ in range(workers)])
    answer: int = await done.wait()
    return answer
