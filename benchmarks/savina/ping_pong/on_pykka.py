"""Ping pong with Pykka."""

from typing import Any

import pykka


class Pong(pykka.ThreadingActor):
    """Counts."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def ping(self) -> int:
        """Answer."""
        self.count += 1
        return self.count


class Ping(pykka.ThreadingActor):
    """Asks."""

    def play(self, pong: Any, rounds: int) -> int:
        """Ask so often."""
        count = 0
        for _ in range(rounds):
            count = pong.ping().get()
        return count


def run(rounds: int) -> int:
    """See the description."""
    pong, ping = Pong.start().proxy(), Ping.start().proxy()
    answer: int = ping.play(pong, rounds).get()
    return answer
