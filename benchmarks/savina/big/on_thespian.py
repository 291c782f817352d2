"""Big with Thespian."""

from typing import Any

from benchmarks.savina.big import partner
from benchmarks.savina.thespian_place import Methods, Place


class Sink(Methods):
    """Adds up what all have had."""

    def begin(self, sender: Any, players: list[Any]) -> None:
        """Have all begin."""
        self.asker, self.missing, self.pongs = sender, len(players), 0
        for player in players:
            self.send(player, ("go",))

    def report(self, sender: Any, pongs: int) -> None:
        """Hear of one that is ready."""
        self.pongs += pongs
        self.missing -= 1
        if not self.missing:
            self.send(self.asker, self.pongs)


class Player(Methods):
    """Pings others, and answers their pings."""

    def join(self, sender: Any, own: int, messages: int, sink: Any, players: list[Any]) -> None:
        """Know all."""
        self.own, self.messages, self.sink, self.all = own, messages, sink, players
        self.pongs = 0

    def go(self, sender: Any) -> None:
        """Send the next ping."""
        if self.pongs == self.messages:
            self.send(self.sink, ("report", self.pongs))
        else:
            self.send(self.all[partner(self.own, self.pongs, len(self.all))], ("ping",))

    def ping(self, sender: Any) -> None:
        """Answer."""
        self.send(sender, ("pong",))

    def pong(self, sender: Any) -> None:
        """Have an answer."""
        self.pongs += 1
        self.go(sender)


def run(place: Place, actors: int, messages: int) -> Any:
    """See the description."""
    sink = place.create(Sink)
    players = [place.create(Player) for _ in range(actors)]
    for own, player in enumerate(players):
        place.tell(player, "join", own, messages, sink, players)
    return place.ask(sink, "begin", players)
