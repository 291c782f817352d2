"""N queens with Pykka."""

from itertools import cycle
from typing import Any

import pykka

from benchmarks.savina.nqueens import Board, solutions, with_one_more


class Master(pykka.ThreadingActor):
    """Hands out boards."""

    def __init__(self, queens: int, workers: int, few: int, done: Any) -> None:
        super().__init__()
        own = self.actor_ref.proxy()
        self._workers = cycle([Worker.start(own, queens, few).proxy() for _ in range(workers)])
        self.under_way = 0
        self.found = 0
        self._done = done

    def solve(self) -> None:
        """Begin with the empty board."""
        self.hand_out([()])

    def hand_out(self, boards: list[Board]) -> None:
        """Have boards searched."""
        self.under_way += len(boards)
        for board in boards:
            next(self._workers).search.defer(board)

    def finish(self, found: int) -> None:
        """Hear of a board that was searched."""
        self.found += found
        self.under_way -= 1
        if not self.under_way:
            self._done.set(self.found)


class Worker(pykka.ThreadingActor):
    """Searches boards."""

    def __init__(self, master: Any, queens: int, few: int) -> None:
        super().__init__()
        self._master, self.queens, self.few = master, queens, few

    def search(self, board: Board) -> None:
        """Search one, or make more of it."""
        if len(board) < self.few:
            self._master.hand_out.defer(with_one_more(board, self.queens))
            self._master.finish.defer(0)
        else:
            self._master.finish.defer(solutions(board, self.queens))


def run(queens: int, workers: int, few: int) -> int:
    """See the description."""
    done = pykka.ThreadingFuture()
    Master.start(queens, workers, few, done).proxy().solve.defer()
    answer: int = done.get()
    return answer
