"""Producers and consumers with Thespian."""

from collections import deque
from typing import Any

from benchmarks.savina.producer_consumer import made
from benchmarks.savina.thespian_place import Methods, Place


class Buffer(Methods):
    """Keeps items between them."""

    def begin(self, sender: Any, producers: list[Any], consumers: list[Any], items: int, places: int) -> None:
        """Have all begin."""
        self.asker, self.producing, self.consumers = sender, len(producers), len(consumers)
        self.places = places
        self.items: deque[int] = deque()
        self.held: deque[Any] = deque()
        self.hungry: deque[Any] = deque()
        self.sum = 0
        for producer in producers:
            self.send(producer, ("begin", items))
        for consumer in consumers:
            self.send(consumer, ("take", 0))

    def offer(self, producer: Any, item: int) -> None:
        """Take an item in; its producer goes on when there is room."""
        if self.hungry:
            self.send(self.hungry.popleft(), ("take", item))
        else:
            self.items.append(item)
        if len(self.items) < self.places:
            self.send(producer, ("more",))
        else:
            self.held.append(producer)

    def want(self, consumer: Any, consumed: int) -> None:
        """Give an item out, now or later."""
        self.sum += consumed
        if self.items:
            self.send(consumer, ("take", self.items.popleft()))
            if self.held:
                self.send(self.held.popleft(), ("more",))
        else:
            self.hungry.append(consumer)
            self._end_if_ready()

    def finish(self, producer: Any) -> None:
        """Hear of a producer that has made all."""
        self.producing -= 1
        self._end_if_ready()

    def _end_if_ready(self) -> None:
        if not self.producing and not self.items and len(self.hungry) == self.consumers:
            self.send(self.asker, self.sum)


class Producer(Methods):
    """Makes items."""

    def begin(self, buffer: Any, items: int) -> None:
        """Make the first one."""
        self.items, self.made = items, 0
        self.more(buffer)

    def more(self, buffer: Any) -> None:
        """Make the next one."""
        if self.made == self.items:
            self.send(buffer, ("finish",))
        else:
            self.made += 1
            self.send(buffer, ("offer", made(self.made - 1)))


class Consumer(Methods):
    """Deals with items."""

    def take(self, buffer: Any, item: int) -> None:
        """Deal with one, and want the next."""
        self.send(buffer, ("want", item))


def run(place: Place, producers: int, consumers: int, items: int, places: int) -> Any:
    """See the description."""
    makers = [place.create(Producer) for _ in range(producers)]
    takers = [place.create(Consumer) for _ in range(consumers)]
    return place.ask(place.create(Buffer), "begin", makers, takers, items, places)
