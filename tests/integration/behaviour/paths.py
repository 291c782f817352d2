"""One small face for all the paths that a request can take, so that each test runs over all of them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Barrier
from typing import Any, ParamSpec, TypeVar

import corps
from corps.runtime.context import Activity, current
from corps.runtime.env import Env
from tests.integration.behaviour.app import Stage
from tests.integration.behaviour.workers import Counter, Holder, Latch

T = TypeVar("T")
P = ParamSpec("P")

APP = Path(__file__).with_name("app.py")
QUICK_END: dict[str, Any] = {"exit_timeout": 0.2, "grace": 2.0}
"""A worker that is stuck is given up soon: some tests wait for exactly that."""


@dataclass(frozen=True)
class Way:
    """How the test's thread reaches workers: `create` makes one, `create_far` one in yet another Env."""

    name: str
    engine: Env
    near: int
    far: int

    @property
    def is_local(self) -> bool:
        return self.near == self.engine.id

    def options(self, **given: Any) -> corps.Options:
        given.setdefault("env", self.near)
        return corps.options(**given)

    def create(self, cls: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> corps.Name[T]:
        return self.options().create(cls, *args, **kwargs)

    def create_far(self, cls: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> corps.Name[T]:
        return self.options(env=self.far).create(cls, *args, **kwargs)

    def busy(self, latch: corps.Name[Latch], *, far: bool = False) -> tuple[corps.Name[Holder], Any]:
        """A worker that runs a request until the latch is opened, and the Future of that request."""
        holder = self.create_far(Holder) if far else self.create(Holder)
        future = holder.hold(latch)
        latch.arrived().result()
        return holder, future

    @contextmanager
    def entered(self) -> Iterator["Way"]:
        """This thread is inside the Env, as in its ``with`` block."""
        token = current.set(Activity(self.engine))
        try:
            yield self
        finally:
            current.reset(token)


@contextmanager
def local(config: dict[str, Any] | None = None) -> Iterator[Way]:
    with corps.env(config={**QUICK_END, **(config or {})}, travels=Stage.travels) as env:
        yield Way("env", env._env, 0, 0)


@contextmanager
def booted(transport: str, config: dict[str, Any] | None = None) -> Iterator[Way]:
    """A Corps of two Envs. What it starts on demand in this process is started before it is given."""
    settings = {"threads.min": 4, **QUICK_END, **(config or {})}
    if transport == "hosts":  # each of this machine
        host = {"launcher": "subprocess", "command": ["{command}"], "address": "127.0.0.1"}
        hosts = {"host": [{"name": "a", **host}, {"name": "b", **host}]}
        app = corps.boot(APP, hosts=hosts, config=settings)
    else:
        app = corps.boot(APP, envs=2, config={"transport": transport, **settings})
    try:
        way = Way(transport, app._bound(), 1, 2)
        with way.entered():
            _warm_up(way)
        yield way
    finally:
        app.exit().result()


class _Gathering(corps.Conc):
    """Only in the test's own process: takes one thread of its pool."""

    def __init__(self, barrier: Barrier) -> None:
        self._barrier = barrier

    def items(self) -> Iterator[int]:
        yield 1

    def come(self) -> None:
        self._barrier.wait()


def _warm_up(way: Way) -> None:
    barrier = Barrier(4)
    here = corps.options(env="here").create_many(4, _Gathering, barrier)
    for future in [worker.come() for worker in here]:
        future.result(timeout=20)  # with a time limit, so that this thread does not run it itself
    latch = corps.options(env="here").create(Latch)
    latch.open().result()
    latch.wait().result()
    counters = [way.create(Counter), way.create_far(Counter)]
    for counter in counters:
        counter.options(deadline=20).add().result()
    assert list(here[0].items().ret) == [1]  # whose end is watched by a thread
    everybody: list[corps.Name[Any]] = [*here, latch, *counters]
    for name in everybody:
        name.exit().result()
