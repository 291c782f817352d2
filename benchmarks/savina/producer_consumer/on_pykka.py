"""Producers and consumers with Pykka."""

from collections import deque
from typing import Any

import pykka

from benchmarks.savina.producer_consumer import made


class Buffer(pykka.ThreadingActor):
    """Keeps items between them."""

    def __init__(self, producers: int, consumers: int, places: int, total: Any) -> None:
        super().__init__()
        self.producing, self.consumers, self.places, self.total = producers, consumers, places, total
        self._items: deque[int] = deque()
        self._held: deque[Any] = deque()
        self._hungry: deque[Any] = deque()
        self.sum = 0

    def offer(self, item: int, producer: Any) -> None:
        """Take an item in; its producer goes on when there is room."""
        if self._hungry:
            self._hungry.popleft().take.defer(item)
        else:
            self._items.append(item)
        if len(self._items) < self.places:
            producer.more.defer()
        else:
            self._held.append(producer)

    def want(self, consumer: Any, consumed: int) -> None:
        """Give an item out, now or later."""
        self.sum += consumed
        if self._items:
            consumer.take.defer(self._items.popleft())
            if self._held:
                self._held.popleft().more.defer()
        else:
            self._hungry.append(consumer)
            self._end_if_ready()

    def finish(self) -> None:
        """Hear of a producer that has made all."""
        self.producing -= 1
        self._end_if_ready()

    def _end_if_ready(self) -> None:
        if not self.producing and not self._items and len(self._hungry) == self.consumers:
            self.total.set(self.sum)


class Producer(pykka.ThreadingActor):
    """Makes items."""

    def __init__(self, buffer: Any, items: int) -> None:
        super().__init__()
        self.buffer, self.items = buffer, items
        self.made = 0

    def on_start(self) -> None:
        """Keep a proxy of oneself: making one takes long."""
        self._own = self.actor_ref.proxy()

    def more(self) -> None:
        """Make the next one."""
        if self.made == self.items:
            self.buffer.finish.defer()
        else:
            self.made += 1
            self.buffer.offer.defer(made(self.made - 1), self._own)


class Consumer(pykka.ThreadingActor):
    """Deals with items."""

    def __init__(self, buffer: Any) -> None:
        super().__init__()
        self.buffer = buffer

    def on_start(self) -> None:
        """Keep a proxy of oneself: making one takes long."""
        self._own = self.actor_ref.proxy()

    def go(self) -> None:
        """Want a first one."""
        self.buffer.want.defer(self._own, 0)

    def take(self, item: int) -> None:
        """Deal with one, and want the next."""
        self.buffer.want.defer(self._own, item)


def run(producers: int, consumers: int, items: int, places: int) -> int:
    """See the description."""
    total = pykka.ThreadingFuture()
    buffer = Buffer.start(producers, consumers, places, total).proxy()
    for _ in range(producers):
        Producer.start(buffer, items).proxy().more.defer()
    for _ in range(consumers):
        Consumer.start(buffer).proxy().go.defer()
    answer: int = total.get()
    return answer
