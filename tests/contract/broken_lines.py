"""The part of the suite for transports whose connections break: nothing is lost by that, or comes twice."""

import itertools
import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from threading import Event
from typing import ClassVar

import pytest

from tests.contract.stations import Station, run_together, station_of
from tests.lines.passages import Side
from tests.lines.proxied_network import ProxiedNetwork

_MIB = 1024 * 1024
_SIZES = (0, 0, 0, 10, 1_000, 70_000, _MIB + 1)


class BrokenLineContract(ABC):
    """What `corps.transport.link` promises while connections break, as tests.

    Attributes:
        cuts: How many there are under load.
    """

    cuts: ClassVar[int] = 20

    @abstractmethod
    def make_network(self) -> ProxiedNetwork:
        """Make a network of the kind under test."""

    @contextmanager
    def broken_line(self) -> Iterator[tuple[ProxiedNetwork, Station, Station]]:
        """Two stations that have admitted each other, and the network between them."""
        made: list[Station] = []
        with self.make_network() as network:
            try:
                made.extend(station_of(env, network.join) for env in (1, 2))
                one, two = made
                one.transport.admit(two.member)
                two.transport.admit(one.member)
                one.start()
                two.start()
                yield network, one, two
            finally:
                for station in made:
                    station.close()

    def test_cuts_under_load_lose_nothing_and_repeat_nothing(self) -> None:
        """While both ends send small and large messages in several lanes."""
        lanes, each = 3, 150
        with self.broken_line() as (network, one, two):

            def send(sender: Station, receiver: Station, lane: int) -> None:
                link = sender.transport.connect(receiver.member)
                sizes = random.Random(lane)
                for number in range(each):
                    link.send([b"%d %d" % (lane, number), bytes(sizes.choice(_SIZES))], lane)

            def cut() -> None:
                for number in range(self.cuts):
                    two.wait_for((number + 1) * lanes * each // (self.cuts + 5))
                    wait_until(lambda: network.cut() > 0)

            ways = [(one, two), (two, one)]
            run_together([cut, *[partial(send, *way, lane) for way in ways for lane in range(lanes)]])
            for station in (one, two):
                self._check_lanes(station, lanes, each)

    @pytest.mark.parametrize("side", ["client", "server"])
    def test_a_connection_that_is_closed_by_half_is_made_again(self, side: Side) -> None:
        """Whoever hears of it."""
        with self.broken_line() as (network, one, two):
            link = one.transport.connect(two.member)
            for number in range(200):
                link.send([b"0 %d" % number, bytes(1_000)], 0)
                if number % 50 == 20:
                    two.wait_for(number - 10)
                    for proxy in network.proxies:
                        proxy.half_close(side)
            self._check_lanes(two, 1, 200)

    def test_what_was_received_and_not_read_when_the_connection_broke_is_not_lost(self) -> None:
        """Whatever becomes of it in the queues of the receiver."""
        with self.broken_line() as (network, one, two):
            is_reading, may_read = Event(), Event()

            def hold() -> None:
                is_reading.set()
                may_read.wait()

            two.before_each = hold
            link = one.transport.connect(two.member)
            link.send([b"0 0"], 0)
            is_reading.wait()
            before = network.proxies[1].statistics()["bytes"]
            for number in range(1, 100):
                link.send([b"0 %d" % number, bytes(100)], 0)
            wait_until(lambda: network.proxies[1].statistics()["bytes"] > before + 50 * 100)
            network.cut()
            link.send([b"0 100"], 0)
            may_read.set()
            self._check_lanes(two, 1, 101)

    def test_the_last_message_is_not_lost_either(self) -> None:
        """Nothing comes after it that would show it."""
        with self.broken_line() as (network, one, two):
            link = one.transport.connect(two.member)
            for number in range(5):
                network.stall()
                link.send([b"0 %d" % number], 0)
                network.cut()
                network.go_on()
                self._check_lanes(two, 1, number + 1)

    def test_silence_loses_nothing(self) -> None:
        """Nothing gets through for a while, and nobody is told; it is used all the same."""
        with self.broken_line() as (network, one, two):
            ways = [(one, two), (two, one)]
            links = [sender.transport.connect(receiver.member) for sender, receiver in ways]
            numbers = itertools.count()
            for _ in range(3):
                silence = Event()
                network.stall()
                for _ in range(30):
                    number = next(numbers)
                    for link in links:
                        link.send([b"0 %d" % number, bytes(20_000)], 0)
                silence.wait(0.3)
                network.go_on()
                for station in (one, two):
                    self._check_lanes(station, 1, number + 1)

    @staticmethod
    def _check_lanes(station: Station, lanes: int, each: int) -> None:
        """Exactly so many messages come in each lane, in order."""
        station.wait_for(lanes * each)
        came: list[list[int]] = [[] for _ in range(lanes)]
        for body in station.bodies():
            lane, number = map(int, body.split())
            came[lane].append(number)
        assert came == [list(range(each))] * lanes


class HalfBrokenLineContract(BrokenLineContract):
    """The same, where a connection can end for one end alone: that is so wherever a network is between them.

    Silence is to be found out after a second.
    """

    @pytest.mark.parametrize("side", ["client", "server"])
    def test_a_cut_that_one_side_does_not_see_loses_nothing(self, side: Side) -> None:
        """The other one finds out."""
        with self.broken_line() as (network, one, two):
            link = one.transport.connect(two.member)
            for number in range(200):
                link.send([b"0 %d" % number], 0)
                if number % 100 == 20:
                    two.wait_for(number - 10)
                    network.cut(side)
            self._check_lanes(two, 1, 200)


def wait_until(is_so: Callable[[], bool]) -> None:
    """Wait until something is so that nobody tells of."""
    never = Event()
    for _ in range(3000):
        if is_so():
            return
        never.wait(0.01)
    pytest.fail("it did not come to be so")
