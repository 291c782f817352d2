"""Producers and consumers with xoscar."""

from collections import deque
from typing import Any

import xoscar

from benchmarks.savina.producer_consumer import made
from benchmarks.savina.xoscar_place import Latch, Place


class Buffer(xoscar.Actor):
    """Keeps items between them."""

    def __init__(self, producers: int, consumers: int, places: int, total: Any) -> None:
        super().__init__()
        self.producing, self.consumers, self.places, self.total = producers, consumers, places, total
        self.items: deque[int] = deque()
        self.held: deque[Any] = deque()
        self.hungry: deque[Any] = deque()
        self.sum = 0

    async def offer(self, item: int, producer: Any) -> None:
        """Take an item in; its producer goes on when there is room."""
        if self.hungry:
            await self.hungry.popleft().take.tell(item)
        else:
            self.items.append(item)
        if len(self.items) < self.places:
            await producer.more.tell()
        else:
            self.held.append(producer)

    async def want(self, consumer: Any, consumed: int) -> None:
        """Give an item out, now or later."""
        self.sum += consumed
        if self.items:
            await consumer.take.tell(self.items.popleft())
            if self.held:
                await self.held.popleft().more.tell()
        else:
            self.hungry.append(consumer)
            await self._end_if_ready()

    async def finish(self) -> None:
        """Hear of a producer that has made all."""
        self.producing -= 1
        await self._end_if_ready()

    async def _end_if_ready(self) -> None:
        if not self.producing and not self.items and len(self.hungry) == self.consumers:
            await self.total.open.tell(self.sum)


class Producer(xoscar.Actor):
    """Makes items."""

    def __init__(self, buffer: Any, items: int) -> None:
        super().__init__()
        self.buffer, self.items = buffer, items
        self.made = 0

    async def more(self) -> None:
        """Make the next one."""
        if self.made == self.items:
            await self.buffer.finish.tell()
        else:
            self.made += 1
            await self.buffer.offer.tell(made(self.made - 1), self.ref())


class Consumer(xoscar.Actor):
    """Deals with items."""

    def __init__(self, buffer: Any) -> None:
        super().__init__()
        self.buffer = buffer

    async def go(self) -> None:
        """Want a first one."""
        await self.buffer.want.tell(self.ref(), 0)

    async def take(self, item: int) -> None:
        """Deal with one, and want the next."""
        await self.buffer.want.tell(self.ref(), item)


async def run(place: Place, producers: int, consumers: int, items: int, places: int) -> int:
    """See the description."""
    total = await place.create(Latch)
    buffer = await place.create(Buffer, producers, consumers, places, total)
    for _ in range(producers):
        await (await place.create(Producer, buffer, items)).more.tell()
    for _ in range(consumers):
        await (await place.create(Consumer, buffer)).go.tell()
    answer: int = await total.wait()
    return answer
