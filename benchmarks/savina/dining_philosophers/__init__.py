"""Philosophers at a round table, with a fork between each two, and an arbiter that hands out forks. A
hungry philosopher asks for both of his, and asks again if he was refused; after each meal he gives them
back.

It shows what one mailbox stands to which many send, with an answer.
"""

from typing import Final

TITLE: Final = "dining philosophers"
FULL: Final = {"philosophers": 10, "meals": 200}
SMALL: Final = {"philosophers": 3, "meals": 5}


class Forks:
    """Which forks lie on the table.

    Args:
        number: How many, and how many philosophers.
    """

    def __init__(self, number: int) -> None:
        self._lies = [True] * number

    def take(self, philosopher: int) -> bool:
        """Take both; False if one of them is not there."""
        left, right = philosopher, (philosopher + 1) % len(self._lies)
        if not (self._lies[left] and self._lies[right]):
            return False
        self._lies[left] = self._lies[right] = False
        return True

    def give_back(self, philosopher: int) -> None:
        """Put both back."""
        self._lies[philosopher] = self._lies[(philosopher + 1) % len(self._lies)] = True


def expected(philosophers: int, meals: int) -> int:
    """All meals."""
    return philosophers * meals
