"""A storm of two Corps: workers and clients on either side ask those on the other, and both are hit."""

import os
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, Final, Self

import psutil

import corps
from corps.addresses import FRONT
from corps.testing.chaos.census import Household
from corps.testing.chaos.ledger import Ledger
from corps.testing.chaos.storm import StormOptions
from corps.workers.names import Name
from tests.integration.other_corps import OtherCorps, other_corps
from tests.storm.executions import Executions
from tests.storm.load import Load, LoadOptions, PlacedWorker, lasting
from tests.storm.witnessed import LoadCorps, Relay, Witnessed
from tests.storm.worker_faults import worker_faults

BEYOND: Final = 100
"""What is added to the id of an Env of the other Corps, so that no Env of the own one has the same."""

_HOUSE: Final = "beyond-"
_SOURCE: Final = """
from tests.storm.border import Beyond

class Other(Beyond):
    pass
"""
_KINDS: Final = ("kill", "stop", "signal", "stop-script")  # that need no saboteur in the Env


class Beyond(LoadCorps):
    """The other Corps: it creates workers for who asks."""

    def new_worker(self, directory: str, number: int, env: int) -> Name[Witnessed]:
        """Create a witnessed worker in an Env, and give its Name."""
        return lasting(env).create(Witnessed, directory, number, _HOUSE)

    def new_relay(self, directory: str, number: int, env: int, others: Any) -> Name[Relay]:
        """Create a worker that asks others, here and beyond the border, and give its Name."""
        return lasting(env).create(Relay, directory, number, others, _HOUSE)


class Neighbours:
    """The processes of the other Corps, while there is one. One thread."""

    def __init__(self) -> None:
        self.household: Household | None = None

    def living(self) -> Mapping[int, psutil.Process]:
        """Return those of its Envs that live, but for the front, by `BEYOND` and their ids."""
        envs = {} if self.household is None else self.household.envs()
        return {BEYOND + env: process for env, process in envs.items() if env != FRONT}


class BorderLoad(Load):
    """The built-in load, half of whose workers live in another Corps. By one thread."""

    def __init__(
        self,
        ledger: Ledger,
        directory: Path,
        envs: Sequence[int],
        rng: Random,
        options: LoadOptions,
        workers: list[PlacedWorker],
        neighbours: Neighbours,
    ) -> None:
        super().__init__(ledger, directory, envs, rng, options, workers)
        self._neighbours = neighbours
        self._open = ExitStack()
        self._beyond: Any = None

    def _other_corps(self, envs: int) -> AbstractContextManager[OtherCorps]:
        """Start the other Corps."""
        settings: Any = {"env_restart": {"max": 1_000_000}}
        return other_corps(self._directory, _SOURCE, envs=envs, **settings)

    def __enter__(self) -> Self:
        own = len([env for env in self._envs if env != FRONT])
        with ExitStack() as opened:
            other = opened.enter_context(self._other_corps(own))
            self._neighbours.household = Household(psutil.Process(other.booting.pid))
            self._beyond = opened.enter_context(corps.connect(other.record))
            self._envs = [*self._envs, *self._neighbours.living()]
            self.start()
            opened.callback(self.stop)
            self._open = opened.pop_all()
        return self

    def __exit__(self, *exc: object) -> None:
        with self._open:
            pass
        self._neighbours.household = None

    def _new_worker(self, number: int, env: int) -> PlacedWorker:
        if env < BEYOND:
            return super()._new_worker(number, env)
        made = self._beyond.new_worker(str(self._directory), number, env - BEYOND)
        return self._placed(number, env, made.result())

    def _new_relay(self, number: int, env: int, others: Sequence[tuple[int, Name[Any]]]) -> PlacedWorker:
        if env < BEYOND:
            return super()._new_relay(number, env, others)
        made = self._beyond.new_relay(str(self._directory), number, env - BEYOND, others)
        return self._placed(number, env, made.result())


def over_a_border(options: StormOptions, load: LoadOptions) -> StormOptions:
    """Put two Corps that do nothing in place of the application, whose workers ask each other."""
    workers: list[PlacedWorker] = []
    neighbours = Neighbours()
    faults = {name: fault for name, fault in options.faults.items() if name in _KINDS}
    return replace(
        options,
        source=LoadCorps,
        visits=False,
        config={"external": True, "tag": f"storm-{os.getpid()}"},
        checker=Executions,
        load=partial(BorderLoad, options=load, workers=workers, neighbours=neighbours),
        others=neighbours.living,
        faults={**faults, **worker_faults(workers)},
    )
