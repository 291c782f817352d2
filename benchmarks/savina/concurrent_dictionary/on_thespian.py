"""The dictionary with Thespian."""

from typing import Any

from benchmarks.savina.concurrent_dictionary import steps
from benchmarks.savina.thespian_place import Methods, Place


class Dictionary(Methods):
    """Has the entries."""

    def __init__(self) -> None:
        super().__init__()
        self.entries: dict[int, int] = {}
        self.busy = 0

    def begin(self, sender: Any, askers: list[Any], requests: int) -> None:
        """Have all ask."""
        self.asker, self.busy = sender, len(askers)
        for worker, asker in enumerate(askers):
            self.send(asker, ("ask_all", worker, requests))

    def put(self, sender: Any, key: int, value: int) -> None:
        """Put a value in."""
        self.entries[key] = value
        self.send(sender, ("answered", value))

    def get(self, sender: Any, key: int) -> None:
        """Look a key up."""
        self.send(sender, ("answered", self.entries.get(key, 0)))

    def ready(self, sender: Any) -> None:
        """Hear of one that has asked all."""
        self.busy -= 1
        if not self.busy:
            self.send(self.asker, (len(self.entries), sum(self.entries.values())))


class Asker(Methods):
    """Asks."""

    def ask_all(self, dictionary: Any, worker: int, requests: int) -> None:
        """Do the first of the steps."""
        self.steps = steps(worker, requests)
        self.answered(dictionary, 0)

    def answered(self, dictionary: Any, value: int) -> None:
        """Do the next one."""
        step = next(self.steps, None)
        if step is None:
            self.send(dictionary, ("ready",))
        else:
            key, new = step
            self.send(dictionary, ("get", key) if new is None else ("put", key, new))


def run(place: Place, workers: int, requests: int) -> Any:
    """See the description."""
    askers = [place.create(Asker) for _ in range(workers)]
    return place.ask(place.create(Dictionary), "begin", askers, requests)
