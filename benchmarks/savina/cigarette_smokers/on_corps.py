"""The smokers with corps."""

import corps
from benchmarks.savina.cigarette_smokers import chosen


class Arbiter(corps.Conc):
    """Chooses."""

    def __init__(self, rounds: int) -> None:
        self.rounds = rounds
        self.number = 0
        self.smokers: list[corps.Name[Smoker]] = []
        self._done: corps.Promise[None] = corps.Promise()

    def serve(self, smokers: "list[corps.Name[Smoker]]") -> "corps.Promise[None]":
        """Choose a first one; answer after the last round."""
        self.smokers = smokers
        self.began()
        return self._done

    def began(self) -> None:
        """Choose the next one."""
        if self.number == self.rounds:
            self._done.set_result(None)
        else:
            self.smokers[chosen(self.number, len(self.smokers))].smoke.send()
            self.number += 1


class Smoker(corps.Conc):
    """Smokes."""

    def __init__(self, arbiter: corps.Name[Arbiter]) -> None:
        self.arbiter = arbiter
        self.smoked = 0

    def smoke(self) -> None:
        """Say that one has begun, and smoke."""
        self.arbiter.began.send()
        self.smoked += 1


def run(smokers: int, rounds: int) -> list[int]:
    """See the description."""
    arbiter = corps.create(Arbiter, rounds)
    all_of_them = [corps.create(Smoker, arbiter) for _ in range(smokers)]
    arbiter.serve(all_of_them).result()
    answer: list[int] = corps.gather([smoker.smoked for smoker in all_of_them]).ret
    return answer
