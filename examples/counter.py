"""Counters in every Env of a Corps, booted from this very file.

    python examples/counter.py

No ``if __name__ == "__main__"`` is needed: the other processes load this file up to the call of `boot`.
"""

import corps


class Counter(corps.Conc):
    def __init__(self, start: int = 0) -> None:
        self.value = start

    def add(self, n: int = 1) -> int:
        self.value += n
        return self.value

    def where(self) -> str:
        return f"env{self.my_env()}"


class Counters(corps.Corps):
    """The application: its methods are what the outside can ask for."""

    def __init__(self, start: int) -> None:
        self.counters = corps.options(tag="counter").create_per_env(2, Counter, start)

    def total(self) -> int:
        return sum(corps.gather(*[counter.add() for counter in self.counters]).ret)

    def members(self) -> list[corps.Name[Counter]]:
        return self.counters


with corps.boot(Counters, 10, envs=2) as app:
    print("total:", app.total().ret, "then", app.total().ret)
    for counter in app.members().ret:  # Names travel: these are used from here
        print(counter.where().ret, "has", counter.value.ret)
