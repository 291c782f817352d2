"""Ping pong with xoscar."""

from typing import Any

import xoscar

from benchmarks.savina.xoscar_place import Place


class Pong(xoscar.Actor):
    """Counts."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def ping(self) -> int:
        """Answer."""
        self.count += 1
        return self.count


class Ping(xoscar.Actor):
    """Asks."""

    async def play(self, pong: Any, rounds: int) -> int:
        """Ask so often."""
        count = 0
        for _ in range(rounds):
            count = await pong.ping()
        return count


async def run(place: Place, rounds: int) -> int:
    """See the description."""
    pong, ping = await place.create(Pong), await place.create(Ping)
    answer: int = await ping.play(pong, rounds)
    return answer
