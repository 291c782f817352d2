"""How many ways are there to place n queens? A master hands boards to workers by turns. A worker sends a
board with few queens back as the boards with one queen more, and searches one with more queens by itself.

It shows work that makes more work.
"""

from typing import Final

TITLE: Final = "n queens"
FULL: Final = {"queens": 8, "workers": 8, "few": 3}
SMALL: Final = {"queens": 5, "workers": 3, "few": 2}

Board = tuple[int, ...]
"""The column of the queen in each row so far."""


def with_one_more(board: Board, queens: int) -> list[Board]:
    """The boards with a queen in the next row."""
    row = len(board)
    return [
        (*board, column)
        for column in range(queens)
        if all(each not in (column, column + row - at, column - row + at) for at, each in enumerate(board))
    ]


def solutions(board: Board, queens: int) -> int:
    """In how many ways a board can be completed."""
    if len(board) == queens:
        return 1
    return sum(solutions(each, queens) for each in with_one_more(board, queens))


def expected(queens: int, workers: int, few: int) -> int:
    """All ways."""
    return solutions((), queens)
