"""Counting with Pykka."""

from typing import Any

import pykka


class Counter(pykka.ThreadingActor):
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


class Producer(pykka.ThreadingActor):
    """Sends."""

    def produce(self, counter: Any, messages: int) -> int:
        """Send so many, and ask."""
        for _ in range(messages):
            counter.increment.defer()
        count: int = counter.total().get()
        return count


def run(messages: int) -> int:
    """See the description."""
    counter, producer = Counter.start().proxy(), Producer.start().proxy()
    answer: int = producer.produce(counter, messages).get()
    return answer
