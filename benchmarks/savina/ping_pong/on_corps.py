"""Ping pong with corps."""

import corps


class Pong(corps.Conc):
    """Counts."""

    def __init__(self) -> None:
        self.count = 0

    def ping(self) -> int:
        """Answer."""
        self.count += 1
        return self.count


class Ping(corps.Conc):
    """Asks."""

    def play(self, pong: corps.Name[Pong], rounds: int) -> int:
        """Ask so often."""
        count = 0
        for _ in range(rounds):
            count = pong.ping().ret
        return count


def run(rounds: int) -> int:
    """See the description."""
    pong, ping = corps.create(Pong), corps.create(Ping)
    answer: int = ping.play(pong, rounds).ret
    return answer
