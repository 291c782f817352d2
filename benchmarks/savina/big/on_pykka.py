"""Big with Pykka."""

from typing import Any

import pykka

from benchmarks.savina.big import partner


class Sink(pykka.ThreadingActor):
    """Adds up what all have had."""

    def __init__(self, actors: int, total: Any) -> None:
        super().__init__()
        self.missing = actors
        self.pongs = 0
        self.total = total

    def report(self, pongs: int) -> None:
        """Hear of one that is ready."""
        self.pongs += pongs
        self.missing -= 1
        if not self.missing:
            self.total.set(self.pongs)


class Player(pykka.ThreadingActor):
    """Pings others, and answers their pings."""

    def __init__(self, own: int, messages: int, sink: Any) -> None:
        super().__init__()
        self.own, self.messages, self.sink = own, messages, sink
        self.pongs = 0
        self._all: list[Any] = []

    def join(self, players: list[Any]) -> None:
        """Know all."""
        self._all = players

    def go(self) -> None:
        """Send the next ping."""
        if self.pongs == self.messages:
            self.sink.report.defer(self.pongs)
        else:
            self._all[partner(self.own, self.pongs, len(self._all))].ping.defer(self.own)

    def ping(self, sender: int) -> None:
        """Answer."""
        self._all[sender].pong.defer()

    def pong(self) -> None:
        """Have an answer."""
        self.pongs += 1
        self.go()


def run(actors: int, messages: int) -> int:
    """See the description."""
    total = pykka.ThreadingFuture()
    sink = Sink.start(actors, total).proxy()
    players = [Player.start(own, messages, sink).proxy() for own in range(actors)]
    pykka.get_all([player.join(players) for player in players])
    for player in players:
        player.go.defer()
    answer: int = total.get()
    return answer
