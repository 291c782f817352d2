"""What corps costs: one int argument, the answer awaited."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import corps
from benchmarks.cases import Case, Measure, batches, each


class Counter(corps.Conc):
    """Adds."""

    def __init__(self) -> None:
        self.value = 0

    def add(self, n: int) -> int:
        """Add `n`."""
        self.value += n
        return self.value


class App(corps.Corps):
    """Has counters in its Envs, and calls them from one of them."""

    def __init__(self) -> None:
        self.counters = corps.options().create_per_env(1, Counter)

    def names(self) -> list[corps.Name[Counter]]:
        """The counters, one per Env."""
        return self.counters


@contextmanager
def _in_env() -> Iterator[Any]:
    with corps.env() as env:
        yield env.create(Counter)


@contextmanager
def _between(transport: str) -> Iterator[Any]:
    with corps.boot(App, envs=1, config={"transport": transport}) as app:
        yield app.names().ret[0]


def _calls(subject: Callable[[], Any], in_flight: int = 1) -> Callable[[], Any]:
    @contextmanager
    def opened() -> Iterator[Measure]:
        with subject() as counter:
            if in_flight == 1:
                yield each(lambda: counter.add(1).ret)
            else:
                yield batches(lambda: corps.wait_all([counter.add(1) for _ in range(in_flight)]), in_flight)

    return opened


@contextmanager
def creation() -> Iterator[Measure]:
    """Create Concs in one Env."""
    with corps.env() as env:
        yield each(lambda: env.create(Counter))


@contextmanager
def boot_of_two() -> Iterator[Measure]:
    """Boot two Envs, and wait for the first answer."""

    def once() -> None:
        app = corps.boot(App, envs=2)
        app.names().result()
        ends.append(app)

    ends: list[corps.Name[Any]] = []

    def measure(count: int) -> list[float]:
        samples = each(once)(count)
        while ends:
            ends.pop().exit().result()
        return samples

    yield measure


CASES = [
    Case("call in one Env", "corps", _calls(_in_env)),
    Case("call in one Env, 100 in flight", "corps", _calls(_in_env, 100)),
    Case("call between Envs, ipc", "corps", _calls(lambda: _between("ipc"))),
    Case("call between Envs, ipc, 100 in flight", "corps", _calls(lambda: _between("ipc"), 100)),
    Case("call between Envs, tcp", "corps", _calls(lambda: _between("tcp"))),
    Case("create a Conc", "corps", creation),
    Case("boot of 2 Envs to the first answer", "corps", boot_of_two, operations=1),
]
