"""Counting with xoscar."""

from typing import Any

import xoscar

from benchmarks.savina.xoscar_place import Place


class Counter(xoscar.Actor):
    """Counts."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def increment(self) -> None:
        """Count one."""
        self.count += 1

    def total(self) -> int:
        """Answer."""
        return self.count


class Producer(xoscar.Actor):
    """Sends."""

    async def produce(self, counter: Any, messages: int) -> int:
        """Send so many, and ask."""
        for _ in range(messages):
            await counter.increment.tell()
        count: int = await counter.total()
        return count


async def run(place: Place, messages: int) -> int:
    """See the description."""
    counter, producer = await place.create(Counter), await place.create(Producer)
    answer: int = await producer.produce(counter, messages)
    return answer
