"""The dictionary with corps."""

import corps
from benchmarks.savina.concurrent_dictionary import steps


class Dictionary(corps.Conc):
    """Has the entries."""

    def __init__(self) -> None:
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


class Asker(corps.Conc):
    """Asks."""

    def ask_all(self, dictionary: corps.Name[Dictionary], worker: int, requests: int) -> None:
        """Do all of the steps."""
        for key, value in steps(worker, requests):
            (dictionary.get(key) if value is None else dictionary.put(key, value)).result()


def run(workers: int, requests: int) -> tuple[int, int]:
    """See the description."""
    dictionary = corps.create(Dictionary)
    askers = [corps.create(Asker) for _ in range(workers)]
    corps.gather([asker.ask_all(dictionary, n, requests) for n, asker in enumerate(askers)]).result()
    answer: tuple[int, int] = dictionary.summary().ret
    return answer
