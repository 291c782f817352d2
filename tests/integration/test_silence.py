"""Claims about peers behind a network: the silent are given up, no others, and a short cut costs nothing."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from threading import Condition, Event

import pytest

from corps.supervision.beats import Beats, Looked
from tests.contract.stations import Station, station_of
from tests.lines.namespaces import NamespaceNetwork, can_make_namespaces
from tests.lines.proxied_network import ProxiedNetwork

_LIMIT = 60.0  # seconds; nothing waits for them to pass
_SOON = 1.0  # seconds of silence, where it is to be found out
_LATE = 6.0  # seconds of silence, where nobody is to be given up


class Looks:
    """How often some Env has looked for signs of life since it was last asked. Any thread may use it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._changed = Condition()
        self._n = 0
        real = Beats.look

        def look(
            beats: Beats[tuple[str, int]],
            at: float,
            there: Collection[tuple[str, int]],
            heard: Collection[tuple[str, int]],
        ) -> Looked[tuple[str, int]]:
            with self._changed:
                self._n += 1
                self._changed.notify_all()
            return real(beats, at, there, heard)

        monkeypatch.setattr(Beats, "look", look)

    def wait_for(self, more: int) -> None:
        """Wait until there were so many more."""
        with self._changed:
            wanted = self._n + more
            if not self._changed.wait_for(lambda: self._n >= wanted, _LIMIT):
                pytest.fail("nobody looks for signs of life")


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Looks:
    return Looks(monkeypatch)


@contextmanager
def two_on(network: ProxiedNetwork | NamespaceNetwork) -> Iterator[tuple[Station, Station]]:
    """Two stations that have admitted each other, and have talked."""
    made: list[Station] = []
    try:
        made.extend(station_of(env, network.join) for env in (1, 2))
        one, two = made
        one.transport.admit(two.member)
        two.transport.admit(one.member)
        for each in made:
            each.start()
        one.transport.connect(two.member).send([b"hello"])
        two.wait_for(1)
        yield one, two
    finally:
        for station in made:
            station.close()


def test_an_idle_peer_that_lives_is_not_given_up(looks: Looks) -> None:
    """Though it has nothing to say: it is asked, and answers."""
    with ProxiedNetwork(silence=_LATE) as network, two_on(network) as (one, two):
        looks.wait_for(12)  # of both: six of each
        assert one.broken == two.broken == []


def test_a_peer_of_whom_nothing_comes_any_more_is_given_up_by_both() -> None:
    with ProxiedNetwork(silence=_SOON) as network, two_on(network) as (one, two):
        two.transport.connect(one.member).send([b"hello"])
        one.wait_for(1)
        network.stall()
        one.wait_broken()
        two.wait_broken()
        assert (one.broken, two.broken) == ([two.member], [one.member])
        network.go_on()


def test_a_peer_whose_process_hangs_is_given_up_though_its_connections_live() -> None:
    """libzmq's own thread goes on answering for it."""
    goes_on = Event()
    with ProxiedNetwork(silence=_SOON) as network, two_on(network) as (one, two):
        two.before_each = lambda: goes_on.wait(_LIMIT) and None
        one.transport.connect(two.member).send([b"this hangs"])
        try:
            one.wait_broken()
            assert one.broken == [two.member]
        finally:
            goes_on.set()


def test_a_peer_that_was_given_up_may_come_again() -> None:
    with ProxiedNetwork(silence=_SOON) as network, two_on(network) as (one, two):
        two.transport.connect(one.member).send([b"hello"])
        one.wait_for(1)
        network.stall()
        one.wait_broken()
        two.wait_broken()
        network.go_on()
        for here, there in ((one, two), (two, one)):
            here.transport.expel(there.member)
        for here, there in ((one, two), (two, one)):
            here.transport.admit(there.member)
        one.transport.connect(two.member).send([b"again"])
        two.wait_for(2)
        assert two.bodies() == [b"hello", b"again"]


def check_short_cut(network: ProxiedNetwork | NamespaceNetwork, looks: Looks) -> None:
    """While nothing gets through, both send; all of it arrives, once and in order."""
    part, heal = (
        (network.stall, network.go_on)
        if isinstance(network, ProxiedNetwork)
        else (network.part, network.heal_all)
    )
    with two_on(network) as (one, two):
        part()
        for here, there in ((one, two), (two, one)):
            link = here.transport.connect(there.member)
            for number in range(50):
                link.send([b"%d" % number, bytes(10_000)], 0)
        looks.wait_for(2)  # it has been noticed that nothing comes
        heal()
        wanted = [b"%d" % number for number in range(50)]
        two.wait_for(51)
        one.wait_for(50)
        assert two.bodies() == [b"hello", *wanted]
        assert one.bodies() == wanted
        assert one.broken == two.broken == []


def test_a_cut_shorter_than_that_loses_nothing(looks: Looks) -> None:
    with ProxiedNetwork(silence=_LATE) as network:
        check_short_cut(network, looks)


@pytest.mark.skipif(not can_make_namespaces(), reason="needs root, ip and network namespaces")
@pytest.mark.parametrize("ipv6", [False, True])
def test_hosts_that_are_parted_for_a_shorter_time_lose_nothing(looks: Looks, ipv6: bool) -> None:
    network = NamespaceNetwork(2, silence=2 * _LATE, ipv6=ipv6)
    try:
        check_short_cut(network, looks)
    finally:
        network.close()
