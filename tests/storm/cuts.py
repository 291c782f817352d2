"""A storm of two Corps that reach each other over tcp, by proxies that cut all connections at once.

Each Env listens on one address of the loopback, and says that it is reached at another one. There a proxy
listens at the same port. A cut is no reason for any request to fail.
"""

import os
import random
import socket
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack, closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any, Final, Self

from corps.federation import border
from corps.testing.chaos.census import environment
from corps.testing.chaos.faults import Fault, Injury, by_name
from corps.testing.chaos.ledger import Ledger
from corps.testing.chaos.storm import StormOptions
from corps.testing.chaos.target import Missed, Target
from tests.integration.other_corps import OtherCorps, other_corps
from tests.lines.proxy import Proxy
from tests.storm.border import BorderLoad, Neighbours
from tests.storm.executions import Executions
from tests.storm.load import LoadOptions, PlacedWorker
from tests.storm.witnessed import LoadCorps

_BOUND: Final = "127.0.0.1"
_SAID: Final = "127.0.0.2"
_LOWEST: Final = 20_000  # ports, below those that the system gives to connections
_HIGHEST: Final = 30_000
_DEADLINE: Final = 60.0  # seconds of a request, because a cut must make none fail
_SOURCE: Final = """
from tests.storm.border import Beyond
from tests.storm.cuts import be_elsewhere

be_elsewhere()

class Other(Beyond):
    pass
"""


def be_elsewhere() -> None:
    """Have this process reach Envs of other Corps over tcp, as if they were not on its host."""
    border.is_far = lambda member, judge: bool(member.outside)


class FarLoadCorps(LoadCorps):
    """The Corps of the booting process, for which the other one is elsewhere."""


be_elsewhere()  # in each process that has this class


class Crossing:
    """The ports of one Corps, and the proxies in front of them. One thread."""

    def __init__(self, envs: int) -> None:
        """Choose ports: for the front, for so many Envs, and for the process that boots."""
        self._ports = _free_ports(envs + 2)
        self._proxies: list[Proxy] = []

    def settings(self) -> dict[str, Any]:
        """Return the settings of the Corps."""
        first, last = self._ports[1], self._ports[-1]
        listen = {
            "hosts": [_BOUND],
            "port": str(self._ports[0]),
            "ports": f"{first}-{last}",
            "advertise": _SAID,
        }
        return {"listen": listen}

    def cut(self) -> int:
        """Cut all connections to this Corps; return how many there were."""
        return sum(proxy.cut() for proxy in self._proxies)

    def __enter__(self) -> Self:
        with ExitStack() as opened:
            for port in self._ports:
                proxy = Proxy(f"tcp://{_BOUND}:{port}", (_SAID, port))
                self._proxies.append(opened.enter_context(proxy))
            self._opened = opened.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()


def _free_ports(count: int) -> range:
    """Return so many ports in a row that are free."""
    while True:
        first = random.randrange(_LOWEST, _HIGHEST)
        ports = range(first, first + count)
        with ExitStack() as probes:
            try:
                for port in ports:
                    for host in (_BOUND, _SAID):
                        probe = probes.enter_context(closing(socket.socket()))
                        probe.bind((host, port))
            except OSError:
                continue
        return ports


class CutLoad(BorderLoad):
    """The load over a border, with proxies on both sides. By one thread."""

    def __init__(
        self,
        ledger: Ledger,
        directory: Path,
        envs: Sequence[int],
        rng: Random,
        options: LoadOptions,
        workers: list[PlacedWorker],
        neighbours: Neighbours,
        sides: tuple[Crossing, Crossing],
    ) -> None:
        super().__init__(ledger, directory, envs, rng, options, workers, neighbours)
        self._sides = sides
        self._proxied = ExitStack()

    def _other_corps(self, envs: int) -> AbstractContextManager[OtherCorps]:
        return other_corps(self._directory, _SOURCE, envs=envs, **self._sides[1].settings())

    def __enter__(self) -> Self:
        with ExitStack() as opened:
            for side in self._sides:
                opened.enter_context(side)
            super().__enter__()
            self._proxied = opened.pop_all()
        return self

    def __exit__(self, *exc: object) -> None:
        with self._proxied:
            super().__exit__(*exc)


def with_cuts(options: StormOptions, load: LoadOptions) -> StormOptions:
    """Put two Corps in place of the application, all of whose connections are cut.

    Their user has a key ring of its own, which the system removes with its other temporary files.
    """
    envs = options.envs or 1
    sides = Crossing(envs), Crossing(envs)

    def cut(rng: Random, corps: Target) -> Injury:
        """All connections between the two Corps are cut. No request may notice, so nothing is announced."""
        count = sum(side.cut() for side in sides)
        if not count:
            raise Missed("there was no connection")
        return Injury(f"{count} connections are cut")

    return replace(
        options,
        source=FarLoadCorps,
        visits=False,
        config={"external": True, "tag": f"storm-{os.getpid()}", **sides[0].settings()},
        checker=Executions,
        load=partial(
            CutLoad,
            options=replace(load, deadline=_DEADLINE),
            workers=[],
            neighbours=Neighbours(),
            sides=sides,
        ),
        faults=by_name(Fault("cut", cut)),
    )


def own_ring() -> ExitStack:
    """Have this process and its children use a key ring that is thrown away."""
    with ExitStack() as opened:
        place = opened.enter_context(TemporaryDirectory(prefix="corps-ring-"))
        opened.enter_context(environment("XDG_CONFIG_HOME", place))
        return opened.pop_all()
