"""Producers and consumers with corps."""

from collections import deque

import corps
from benchmarks.savina.producer_consumer import made


class Buffer(corps.Conc):
    """Keeps items between them."""

    def __init__(self, producers: int, consumers: int, places: int) -> None:
        self.producing, self.consumers, self.places = producers, consumers, places
        self.items: deque[int] = deque()
        self.held: deque[corps.Name[Producer]] = deque()
        self.hungry: deque[corps.Name[Consumer]] = deque()
        self.sum = 0
        self._total: corps.Promise[int] = corps.Promise()

    def total(self) -> "corps.Promise[int]":
        """Answer when all was consumed."""
        return self._total

    def offer(self, item: int, producer: "corps.Name[Producer]") -> None:
        """Take an item in; its producer goes on when there is room."""
        if self.hungry:
            self.hungry.popleft().take.send(item)
        else:
            self.items.append(item)
        if len(self.items) < self.places:
            producer.more.send()
        else:
            self.held.append(producer)

    def want(self, consumer: "corps.Name[Consumer]", consumed: int) -> None:
        """Give an item out, now or later."""
        self.sum += consumed
        if self.items:
            consumer.take.send(self.items.popleft())
            if self.held:
                self.held.popleft().more.send()
        else:
            self.hungry.append(consumer)
            self._end_if_ready()

    def finish(self) -> None:
        """Hear of a producer that has made all."""
        self.producing -= 1
        self._end_if_ready()

    def _end_if_ready(self) -> None:
        if not self.producing and not self.items and len(self.hungry) == self.consumers:
            self._total.set_result(self.sum)


class Producer(corps.Conc):
    """Makes items."""

    def __init__(self, buffer: corps.Name[Buffer], items: int) -> None:
        self.buffer, self.items = buffer, items
        self.made = 0

    def more(self) -> None:
        """Make the next one."""
        if self.made == self.items:
            self.buffer.finish.send()
        else:
            self.made += 1
            self.buffer.offer.send(made(self.made - 1), self.my_name())


class Consumer(corps.Conc):
    """Deals with items."""

    def __init__(self, buffer: corps.Name[Buffer]) -> None:
        self.buffer = buffer

    def go(self) -> None:
        """Want a first one."""
        self.buffer.want.send(self.my_name(), 0)

    def take(self, item: int) -> None:
        """Deal with one, and want the next."""
        self.buffer.want.send(self.my_name(), item)


def run(producers: int, consumers: int, items: int, places: int) -> int:
    """See the description."""
    buffer = corps.create(Buffer, producers, consumers, places)
    for _ in range(producers):
        corps.create(Producer, buffer, items).more.send()
    for _ in range(consumers):
        corps.create(Consumer, buffer).go.send()
    answer: int = buffer.total().ret
    return answer
