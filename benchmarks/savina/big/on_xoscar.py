"""Big with xoscar."""

from typing import Any

import xoscar

from benchmarks.savina.big import partner
from benchmarks.savina.xoscar_place import Latch, Place


class Sink(xoscar.Actor):
    """Adds up what all have had."""

    def __init__(self, actors: int, total: Any) -> None:
        super().__init__()
        self.missing = actors
        self.pongs = 0
        self.total = total

    async def report(self, pongs: int) -> None:
        """Hear of one that is ready."""
        self.pongs += pongs
        self.missing -= 1
        if not self.missing:
            await self.total.open.tell(self.pongs)


class Player(xoscar.Actor):
    """Pings others, and answers their pings."""

    def __init__(self, own: int, messages: int, sink: Any) -> None:
        super().__init__()
        self.own, self.messages, self.sink = own, messages, sink
        self.pongs = 0
        self.all: list[Any] = []

    def join(self, players: list[Any]) -> None:
        """Know all."""
        self.all = players

    async def go(self) -> None:
        """Send the next ping."""
        if self.pongs == self.messages:
            await self.sink.report.tell(self.pongs)
        else:
            await self.all[partner(self.own, self.pongs, len(self.all))].ping.tell(self.own)

    async def ping(self, sender: int) -> None:
        """Answer."""
        await self.all[sender].pong.tell()

    async def pong(self) -> None:
        """Have an answer."""
        self.pongs += 1
        await self.go()


async def run(place: Place, actors: int, messages: int) -> int:
    """See the description."""
    total = await place.create(Latch)
    sink = await place.create(Sink, actors, total)
    players = [await place.create(Player, own, messages, sink) for own in range(actors)]
    for player in players:
        await player.join(players)
    for player in players:
        await player.go.tell()
    answer: int = await total.wait()
    return answer
