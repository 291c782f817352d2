"""The dictionary with xoscar."""

import asyncio
from typing import Any

import xoscar

from benchmarks.savina.concurrent_dictionary import steps
from benchmarks.savina.xoscar_place import Place


class Dictionary(xoscar.Actor):
    """Has the entries."""

    def __init__(self) -> None:
        super().__init__()
        self.entries: dict[int, int] = {}

    def put(self, key: int, value: int) -> int:
        """Put a value in."""
        self.entries[key] = value
        return value

    def get(self, key: int) -> int:
        """Look a key up."""
        return self.entries.get(key, 0)

    def summary(self) -> list[int]:
        """How many entries there are, and their sum. A tuple would mean several answers to xoscar."""
        return [len(self.entries), sum(self.entries.values())]


class Asker(xoscar.Actor):
    """Asks."""

    async def ask_all(self, dictionary: Any, worker: int, requests: int) -> None:
        """Do all of the steps."""
        for key, value in steps(worker, requests):
            await (dictionary.get(key) if value is None else dictionary.put(key, value))


async def run(place: Place, workers: int, requests: int) -> tuple[int, int]:
    """See the description."""
    dictionary = await place.create(Dictionary)
    askers = [await place.create(Asker) for _ in range(workers)]
    await asyncio.gather(*[asker.ask_all(dictionary, n, requests) for n, asker in enumerate(askers)])
    entries, total = await dictionary.summary()
    return entries, total
