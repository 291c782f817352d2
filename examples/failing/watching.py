"""How to hear of the end of a worker: a Future for each caller, a method for workers.

python examples/failing/watching.py
"""

import corps


class Singer(corps.Conc):
    def __init__(self, name: str) -> None:
        self.name = name

    def sing(self, *, high: bool = False) -> str:
        if high:
            raise corps.Fail("hoarse")
        return "la"


class Choir(corps.Conc):
    """Replaces each worker that is lost, by its own rules."""

    def __init__(self) -> None:
        self.singers: dict[corps.Name[Singer], str] = {}
        self.lost: list[str] = []
        for name in ("Anna", "Bert"):
            self.hire(name)

    def hire(self, name: str) -> None:
        singer = corps.options(env="here").create(Singer, name)
        self.singers[singer] = name
        corps.watch(singer)

    def on_ended(self, event: corps.Ended) -> None:
        name = self.singers.pop(event.name)
        self.lost.append(f"{name}: {event.reason}")
        self.hire(f"another {name}")

    def get(self) -> dict[corps.Name[Singer], str]:
        return dict(self.singers)


with corps.env() as env:
    choir = env.create(Choir)
    anna, bert = choir.get().ret
    watched = corps.watch(bert)
    anna.sing(high=True).exception()
    env.create(Singer, "nobody you know").exit().result()  # not watched
    print(corps.watch(anna).ret.reason, "- it had ended already")
    bert.exit().result()
    print(watched.ret.reason, watched.ret.incarnation)
    print(choir.lost.ret)
    print(sorted(choir.get().ret.values()))
