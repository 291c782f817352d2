"""Dirs: finding a worker among many, and registering one in all Envs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any, Final

import corps
from benchmarks.cases import DIRS, FIND, FIND_CLASS, REGISTER, Subject
from benchmarks.timing import Measure, Works, each, shared
from benchmarks.workers import App, Worker
from corps.workers.names import Name

BATCH: Final = 1000
N_ENTRIES: Final = 10_000
N_ENVS: Final = 4

LOOK_UPS: Final = "three look-ups in a dict, and a Name made"


def _many(operation: Callable[[], Any]) -> Measure:
    """Time an operation that is too short to be timed alone."""

    def batch() -> None:
        for _ in range(BATCH):
            operation()

    return shared(each(batch), BATCH)


@contextmanager
def plain(share: float) -> Iterator[Works]:
    """What a look-up may cost."""
    with corps.env() as env:
        name = env.create(Worker)
        addr, interface, engine = name._addr, name._interface, env._env
        names = {f"tag {number}": name for number in range(max(100, int(N_ENTRIES * share)))}

        def look_up() -> Any:
            _ = names["tag 7"], names["tag 8"], names["tag 9"]
            return Name(addr, interface, engine)

        yield {FIND: _many(look_up), FIND_CLASS: _many(look_up)}


@contextmanager
def ours(share: float) -> Iterator[Works]:
    """Workers that are registered in a Corps of four Envs, found in the booting process."""
    with corps.boot(App, envs=N_ENVS):
        workers = corps.options().create_many(100, Worker)
        tags = [f"tag {number}" for number in range(max(100, int(N_ENTRIES * share)))]
        corps.gather(*[corps.aregister(workers[at % 100], tag=tag) for at, tag in enumerate(tags)]).result()
        numbers = count()
        yield {
            FIND: _many(lambda: corps.find("tag 7")),
            FIND_CLASS: _many(lambda: corps.find(Worker)),
            REGISTER: each(lambda: corps.register(workers[0], tag="again", number=next(numbers))),
        }


SUBJECTS: Final = (
    Subject(DIRS, LOOK_UPS, "floor", plain),
    Subject(DIRS, "corps", "corps", ours, floors=(LOOK_UPS,)),
)
