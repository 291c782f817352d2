"""Ping pong with Thespian."""

from typing import Any

from benchmarks.savina.thespian_place import Methods, Place


class Pong(Methods):
    """Counts."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def ping(self, sender: Any) -> None:
        """Answer."""
        self.count += 1
        self.send(sender, ("pong", self.count))


class Ping(Methods):
    """Asks."""

    def play(self, sender: Any, pong: Any, rounds: int) -> None:
        """Ask so often."""
        self.asker, self.rounds = sender, rounds
        self.send(pong, ("ping",))

    def pong(self, sender: Any, count: int) -> None:
        """Have an answer."""
        if count < self.rounds:
            self.send(sender, ("ping",))
        else:
            self.send(self.asker, count)


def run(place: Place, rounds: int) -> Any:
    """See the description."""
    pong, ping = place.create(Pong), place.create(Ping)
    return place.ask(ping, "play", pong, rounds)
