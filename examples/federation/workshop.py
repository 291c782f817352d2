"""A worker boots two Corps: a private bench, and a town that others find as long as the worker lives."""

from pathlib import Path
from typing import Any

import corps

HERE = Path(__file__).parent


class Master(corps.Conc):
    """The Mgr of both."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        mine = corps.options(contained=True)
        self.bench = mine.boot(HERE / "bench.py", self.my_name(), envs=1)
        found = corps.options(tag="craft-town", external=True, managed=True)
        self.town = found.boot(HERE / "town.py", envs=1)

    def note(self, text: str) -> str:
        self.notes.append(text)
        return f"noted: {text}"

    def benches(self) -> corps.Name[Any]:
        return self.bench


class Workshop(corps.Corps):
    """Has one master in an Env."""

    def __init__(self) -> None:
        self.master = corps.create(Master)

    def bench(self) -> corps.Name[Any]:
        """Return the Name of the bench: without it nobody reaches that."""
        bench: corps.Name[Any] = self.master.benches().ret
        return bench


if __name__ == "__main__":
    with corps.boot(Workshop, envs=1) as app:
        town = corps.find("craft-town", where="ext")
        print(town.box("Anna").ret.drop("a letter").ret)
        print(app.bench().ret.make("chair").ret, flush=True)
    try:
        corps.connect("craft-town")
    except corps.NotFound:
        print("the town has ended with its master")
