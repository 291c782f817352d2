"""The dictionary with Pykka."""

from typing import Any

import pykka

from benchmarks.savina.concurrent_dictionary import steps


class Dictionary(pykka.ThreadingActor):
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

    def summary(self) -> tuple[int, int]:
        """How many entries there are, and their sum."""
        return len(self.entries), sum(self.entries.values())


class Asker(pykka.ThreadingActor):
    """Asks."""

    def ask_all(self, dictionary: Any, worker: int, requests: int) -> None:
        """Do all of the steps."""
        for key, value in steps(worker, requests):
            (dictionary.get(key) if value is None else dictionary.put(key, value)).get()


def run(workers: int, requests: int) -> tuple[int, int]:
    """See the description."""
    dictionary = Dictionary.start().proxy()
    askers = [Asker.start().proxy() for _ in range(workers)]
    pykka.get_all([asker.ask_all(dictionary, n, requests) for n, asker in enumerate(askers)])
    answer: tuple[int, int] = dictionary.summary().get()
    return answer
