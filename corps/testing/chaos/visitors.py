"""Clients that ask the workers of any application while it is under faults.

Nobody writes down what such workers do. So the judge looks only at two things: each Future is settled, with a
value or an error of corps; and workers fail only where a fault was.
"""

from collections.abc import Callable, Sequence
from functools import partial
from threading import Event, Thread
from typing import Any, Final

from corps.errors import CorpsError
from corps.runtime.calls.futures import Future
from corps.testing.chaos.ledger import Ledger
from corps.testing.chaos.witness import Kind, Trait
from corps.workers.iterators import RemoteIterator
from corps.workers.names import Name

_PINGER: Final = 1001
_RUNNER: Final = 1002
_FIRST_WORKER: Final = 1001
"""Numbers above those of the built-in load, which may run beside."""
_DEADLINE: Final = 5.0  # seconds for each ping; ``run`` has no limit
_MOST: Final = 200  # workers that are asked in one round


class Visitors:
    """Ping all workers that can be found from the Corps, and call its ``run`` again and again.

    `start`, `stop` and, when the Corps has ended, `join`, by one thread. `run_args` are for ``run``, None if
    it is not to be called; `pause` is in seconds, between two rounds.
    """

    def __init__(
        self, ledger: Ledger, app: Name[Any], run_args: Sequence[Any] | None, *, pause: float = 0.2
    ) -> None:
        self._ledger = ledger
        self._app = app
        self._run_args = run_args
        self._pause = pause
        self._is_over = Event()
        self._numbers: dict[Name[Any], int] = {}
        self._threads = [Thread(target=self._ping, name="chaos-pinger", daemon=True)]
        if run_args is not None:
            self._threads.append(Thread(target=self._run, name="chaos-runner", daemon=True))
        self._rounds = 0  # how often all workers were asked
        self._at_first = self._at_last = 0  # workers in the first whole round, and in the last one
        self._runs = 0  # how often ``run`` gave a value

    @property
    def has_lost_workers(self) -> bool:
        """Whether there were fewer workers in the last whole round than in the first."""
        return self._at_last < self._at_first

    def note(self) -> str:
        """Return what they have done, in words."""
        runs = "" if self._run_args is None else f", its run gave {self._runs} values"
        return f"{len(self._numbers)} workers of the application were asked in {self._rounds} rounds{runs}"

    def start(self) -> None:
        """Begin."""
        self._number(self._app)
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Ask nothing more, and wait for the answers. A ``run`` that takes longer than a ping may goes on."""
        # Else a request that is sent at this moment would meet the end of the Corps, and look like a failure.
        self._is_over.set()
        for thread in self._threads:
            thread.join(_DEADLINE)

    def join(self) -> None:
        """Wait until the threads have ended."""
        for thread in self._threads:
            thread.join()

    def _number(self, name: Name[Any]) -> int:
        number = self._numbers.get(name)
        if number is None:
            number = self._numbers[name] = _FIRST_WORKER + len(self._numbers)
            self._ledger.witness.write(Kind.PLACED, worker=number, sequence=name._addr.env)
        return number

    def _ping(self) -> None:
        sequence = 0
        while not self._is_over.wait(self._pause):
            at, known = 0, [self._app]
            while at < min(len(known), _MOST) and not self._is_over.is_set():
                name = known[at]
                at += 1
                sequence += 1
                ask = name.options(deadline=_DEADLINE).my_children
                children = self._ask(_PINGER, sequence, name, ask, _DEADLINE)
                known += [each for each in children or () if each not in known]
            if at == len(known):
                self._at_first = self._at_first or at
                self._at_last = at
            self._rounds += 1

    def _run(self) -> None:
        sequence = 0
        run = partial(self._app.run, *(self._run_args or ()))
        while not self._is_over.wait(self._pause):
            sequence += 1
            value = self._ask(_RUNNER, sequence, self._app, run)
            if isinstance(value, RemoteIterator):
                try:
                    for _ in value:
                        if self._is_over.is_set():
                            break
                    value.close()
                except CorpsError:
                    continue  # each item is a request of its own, that the iterator sends
            self._runs += value is not None

    def _ask(
        self,
        sender: int,
        sequence: int,
        name: Name[Any],
        call: Callable[[], "Future[Any]"],
        deadline: float | None = None,
    ) -> Any:
        """Return the value; None if there is none."""
        number, traits = self._number(name), Trait.UNWITNESSED
        future = self._ledger.ask(sender, sequence, number, call, deadline=deadline, traits=traits)
        return None if future is None or future.failure() is not None else future.result()
