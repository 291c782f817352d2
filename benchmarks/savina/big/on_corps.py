"""Big with corps."""

import corps
from benchmarks.savina.big import partner


class Sink(corps.Conc):
    """Adds up what all have had."""

    def __init__(self, actors: int) -> None:
        self.missing = actors
        self.pongs = 0
        self._total: corps.Promise[int] = corps.Promise()

    def total(self) -> "corps.Promise[int]":
        """Answer when all have reported."""
        return self._total

    def report(self, pongs: int) -> None:
        """Hear of one that is ready."""
        self.pongs += pongs
        self.missing -= 1
        if not self.missing:
            self._total.set_result(self.pongs)


class Player(corps.Conc):
    """Pings others, and answers their pings."""

    def __init__(self, own: int, messages: int, sink: corps.Name[Sink]) -> None:
        self.own, self.messages, self.sink = own, messages, sink
        self.pongs = 0
        self.all: list[corps.Name[Player]] = []

    def join(self, players: "list[corps.Name[Player]]") -> None:
        """Know all."""
        self.all = players

    def go(self) -> None:
        """Send the next ping."""
        if self.pongs == self.messages:
            self.sink.report.send(self.pongs)
        else:
            self.all[partner(self.own, self.pongs, len(self.all))].ping.send(self.own)

    def ping(self, sender: int) -> None:
        """Answer."""
        self.all[sender].pong.send()

    def pong(self) -> None:
        """Have an answer."""
        self.pongs += 1
        self.go()


def run(actors: int, messages: int) -> int:
    """See the description."""
    sink = corps.create(Sink, actors)
    players = [corps.create(Player, own, messages, sink) for own in range(actors)]
    corps.wait_all([player.join(players) for player in players])
    for player in players:
        player.go.send()
    answer: int = sink.total().ret
    return answer
