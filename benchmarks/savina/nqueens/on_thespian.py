"""N queens with Thespian."""

from itertools import cycle
from typing import Any

from benchmarks.savina.nqueens import Board, solutions, with_one_more
from benchmarks.savina.thespian_place import Methods, Place


class Master(Methods):
    """Hands out boards."""

    def solve(self, sender: Any, queens: int, workers: int, few: int) -> None:
        """Begin with the empty board."""
        self.asker, self.queens, self.few = sender, queens, few
        self.workers = cycle([self.createActor(Worker) for _ in range(workers)])
        self.under_way, self.found = 0, 0
        self.hand_out(sender, [()])

    def hand_out(self, sender: Any, boards: list[Board]) -> None:
        """Have boards searched."""
        self.under_way += len(boards)
        for board in boards:
            self.send(next(self.workers), ("search", board, self.queens, self.few))

    def finish(self, sender: Any, found: int) -> None:
        """Hear of a board that was searched."""
        self.found += found
        self.under_way -= 1
        if not self.under_way:
            self.send(self.asker, self.found)


class Worker(Methods):
    """Searches boards."""

    def search(self, master: Any, board: Board, queens: int, few: int) -> None:
        """Search one, or make more of it."""
        if len(board) < few:
            self.send(master, ("hand_out", with_one_more(board, queens)))
            self.send(master, ("finish", 0))
        else:
            self.send(master, ("finish", solutions(board, queens)))


def run(place: Place, queens: int, workers: int, few: int) -> Any:
    """See the description."""
    return place.ask(place.create(Master), "solve", queens, workers, few)
