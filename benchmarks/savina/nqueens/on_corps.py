"""N queens with corps."""

from itertools import cycle

import corps
from benchmarks.savina.nqueens import Board, solutions, with_one_more


class Master(corps.Conc):
    """Hands out boards."""

    def __init__(self, queens: int, workers: int, few: int) -> None:
        made = [corps.create(Worker, self.my_name(), queens, few) for _ in range(workers)]
        self._workers = cycle(made)
        self.under_way = 0
        self.found = 0
        self._done: corps.Promise[int] = corps.Promise()

    def solve(self) -> "corps.Promise[int]":
        """Begin with the empty board; answer with the number of all ways."""
        self.hand_out([()])
        return self._done

    def hand_out(self, boards: list[Board]) -> None:
        """Have boards searched."""
        self.under_way += len(boards)
        for board in boards:
            next(self._workers).search.send(board)

    def finish(self, found: int) -> None:
        """Hear of a board that was searched."""
        self.found += found
        self.under_way -= 1
        if not self.under_way:
            self._done.set_result(self.found)


class Worker(corps.Conc):
    """Searches boards."""

    def __init__(self, master: corps.Name[Master], queens: int, few: int) -> None:
        self.master, self.queens, self.few = master, queens, few

    def search(self, board: Board) -> None:
        """Search one, or make more of it."""
        if len(board) < self.few:
            self.master.hand_out.send(with_one_more(board, self.queens))
            self.master.finish.send(0)
        else:
            self.master.finish.send(solutions(board, self.queens))


def run(queens: int, workers: int, few: int) -> int:
    """See the description."""
    answer: int = corps.create(Master, queens, workers, few).solve().ret
    return answer
