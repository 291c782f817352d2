"""The smokers with xoscar."""

import asyncio
from typing import Any

import xoscar

from benchmarks.savina.cigarette_smokers import chosen
from benchmarks.savina.xoscar_place import Latch, Place


class Arbiter(xoscar.Actor):
    """Chooses."""

    def __init__(self, rounds: int, done: Any) -> None:
        super().__init__()
        self.rounds, self.done = rounds, done
        self.number = 0
        self.smokers: list[Any] = []

    async def serve(self, smokers: list[Any]) -> None:
        """Choose a first one."""
        self.smokers = smokers
        await self.began()

    async def began(self) -> None:
        """Choose the next one."""
        if self.number == self.rounds:
            await self.done.open.tell(None)
        else:
            self.number += 1
            await self.smokers[chosen(self.number - 1, len(self.smokers))].smoke.tell()


class Smoker(xoscar.Actor):
    """Smokes."""

    def __init__(self, arbiter: Any) -> None:
        super().__init__()
        self.arbiter = arbiter
        self.count = 0

    async def smoke(self) -> None:
        """Say that one has begun, and smoke."""
        await self.arbiter.began.tell()
        self.count += 1

    def smoked(self) -> int:
        """How often."""
        return self.count


async def run(place: Place, smokers: int, rounds: int) -> list[int]:
    """See the description."""
    done = await place.create(Latch)
    arbiter = await place.create(Arbiter, rounds, done)
    all_of_them = [await place.create(Smoker, arbiter) for _ in range(smokers)]
    await arbiter.serve.tell(all_of_them)
    await done.wait()
    answer: list[int] = await asyncio.gather(*[smoker.smoked() for smoker in all_of_them])
    return answer
