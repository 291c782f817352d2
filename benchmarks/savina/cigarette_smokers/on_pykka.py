"""The smokers with Pykka."""

from typing import Any

import pykka

from benchmarks.savina.cigarette_smokers import chosen


class Arbiter(pykka.ThreadingActor):
    """Chooses."""

    def __init__(self, rounds: int, done: Any) -> None:
        super().__init__()
        self.rounds, self._done = rounds, done
        self.number = 0
        self._smokers: list[Any] = []

    def serve(self, smokers: list[Any]) -> None:
        """Choose a first one."""
        self._smokers = smokers
        self.began()

    def began(self) -> None:
        """Choose the next one."""
        if self.number == self.rounds:
            self._done.set(None)
        else:
            self._smokers[chosen(self.number, len(self._smokers))].smoke.defer()
            self.number += 1


class Smoker(pykka.ThreadingActor):
    """Smokes."""

    def __init__(self, arbiter: Any) -> None:
        super().__init__()
        self.arbiter = arbiter
        self.smoked = 0

    def smoke(self) -> None:
        """Say that one has begun, and smoke."""
        self.arbiter.began.defer()
        self.smoked += 1


def run(smokers: int, rounds: int) -> list[int]:
    """See the description."""
    done = pykka.ThreadingFuture()
    arbiter = Arbiter.start(rounds, done).proxy()
    all_of_them = [Smoker.start(arbiter).proxy() for _ in range(smokers)]
    arbiter.serve.defer(all_of_them)
    done.get()
    return list(pykka.get_all([smoker.smoked for smoker in all_of_them]))
