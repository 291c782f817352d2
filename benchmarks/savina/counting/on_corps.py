"""Counting with corps."""

import corps


class Counter(corps.Conc):
    """Counts."""

    def __init__(self) -> None:
        self.count = 0

    def increment(self) -> None:
        """Count one."""
        self.count += 1

    def total(self) -> int:
        """Answer."""
        return self.count


class Producer(corps.Conc):
    """Sends."""

    def produce(self, counter: corps.Name[Counter], messages: int) -> int:
        """Send so many, and ask."""
        for _ in range(messages):
            counter.increment.send()
        count: int = counter.total().ret
        return count


def run(messages: int) -> int:
    """See the description."""
    counter, producer = corps.create(Counter), corps.create(Producer)
    answer: int = producer.produce(counter, messages).ret
    return answer
