"""Claims about Envs whose TCP connections break or fall silent: no request is lost, run twice, or fails."""

from collections.abc import Callable
from functools import partial
from threading import Condition, Event

import pytest

import corps
from corps.testing.memory_corps import MemoryEnv, Network, memory_corps
from tests.contract.broken_lines import wait_until
from tests.contract.stations import run_together
from tests.lines.namespaces import NamespaceNetwork, can_make_namespaces
from tests.lines.proxied_network import ProxiedNetwork

THREADS, AT_ONCE = 4, 4
MIB = 1024 * 1024


class Ledger(corps.Conc):
    """Notes what it was asked for, by whom, and in which order."""

    def __init__(self) -> None:
        self.notes: list[list[int]] = [[] for _ in range(THREADS)]

    def note(self, thread: int, number: int, body: bytes = b"") -> tuple[int, int, int]:
        self.notes[thread].append(number)
        return thread, number, len(body)


class Load:
    """Threads that call workers in another Env, and check every answer."""

    def __init__(self, one: MemoryEnv, two: MemoryEnv) -> None:
        self.asked = one.options(env=two.id).create(Ledger)
        self.told = one.options(env=two.id).create(Ledger)
        self.rounds = [0] * THREADS
        self._changed = Condition()
        self._is_over = False

    def run_during(self, faults: Callable[[], object]) -> None:
        """Call until the faults are over."""

        def make_faults() -> None:
            try:
                faults()
            finally:
                self._is_over = True

        run_together([make_faults, *[partial(self._call, thread) for thread in range(THREADS)]])

    def wait_for_rounds(self, n: int) -> None:
        """Wait until so many more have ended."""
        with self._changed:
            goal = sum(self.rounds) + n
            assert self._changed.wait_for(lambda: sum(self.rounds) >= goal, 40)

    def _call(self, thread: int) -> None:
        while not self._is_over:
            first = self.rounds[thread] * AT_ONCE
            size = 2 * MIB if self.rounds[thread] % 8 == thread else 10
            futures = [self.asked.note(thread, first + each, bytes(size)) for each in range(AT_ONCE)]
            self.told.note.send(thread, self.rounds[thread])
            for each, future in enumerate(futures):
                assert future.result() == (thread, first + each, size)
            with self._changed:
                self.rounds[thread] += 1
                self._changed.notify_all()

    def check(self) -> None:
        """Each request has run once, and those of each thread in order."""
        assert self.asked.notes.ret == [list(range(n * AT_ONCE)) for n in self.rounds]
        assert self.told.notes.ret == [list(range(n)) for n in self.rounds]


def check_load_during(network: Network, faults: Callable[[Load], object]) -> None:
    with memory_corps(2, network=network) as (one, two):
        load = Load(one, two)
        load.run_during(lambda: faults(load))
        load.check()


def for_a_while(seconds: float) -> None:
    Event().wait(seconds)


def test_connections_may_be_cut_again_and_again() -> None:
    with ProxiedNetwork() as network:

        def faults(load: Load) -> None:
            for _ in range(20):
                load.wait_for_rounds(25)
                wait_until(lambda: network.cut() > 0)

        check_load_during(network, faults)


@pytest.mark.parametrize(("seconds", "times"), [(1.0, 2), (8.0, 1)])
def test_connections_may_fall_silent(seconds: float, times: int) -> None:
    with ProxiedNetwork() as network:

        def faults(load: Load) -> None:
            for _ in range(times):
                load.wait_for_rounds(25)
                network.stall()
                for_a_while(seconds)
                network.go_on()
            load.wait_for_rounds(25)

        check_load_during(network, faults)


@pytest.mark.parametrize(
    ("seconds", "times", "is_one_way"), [(1.0, 2, False), (8.0, 1, False), (2.0, 1, True)]
)
def test_hosts_may_be_parted(seconds: float, times: int, is_one_way: bool) -> None:
    if not can_make_namespaces():
        pytest.skip("it takes root, and a machine that has network namespaces")
    with NamespaceNetwork(2) as network:

        def faults(load: Load) -> None:
            for number in range(times):
                load.wait_for_rounds(25)
                if is_one_way:
                    network.part_one_way(1 + number % 2)
                else:
                    network.part()
                for_a_while(seconds)
                network.heal_all()
            load.wait_for_rounds(25)

        check_load_during(network, faults)
