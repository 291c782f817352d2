"""The part of the suite for transports that is about large messages, and about what may overtake them."""

import secrets
from functools import partial
from threading import Barrier
from typing import ClassVar

from corps.testing.leaks import Snapshot
from corps.transport.link import Link
from corps.wire.frames import MarkHeader
from tests.contract.stations import StationMaker, run_together
from tests.unit.wire.writing import written

_MIB = 1024 * 1024


class LargeMessageContract(StationMaker):
    """What `corps.transport.link` promises about large messages, as tests.

    Attributes:
        overtakes: Whether large messages of the transport let others go before them.
    """

    overtakes: ClassVar[bool] = False

    def test_messages_of_one_lane_stay_in_order_around_large_ones(self) -> None:
        """Small ones before, between and after them."""
        sizes = [0, 5 * _MIB, 10, 2 * _MIB, 3 * _MIB, 20, 30]
        with self.stations(2) as (one, two):
            link = one.transport.connect(two.member)
            for number, size in enumerate(sizes * 3):
                link.send([b"%d" % number, bytes(size)], 7)
            messages = two.wait_for(3 * len(sizes))
        assert [int(bytes(frames[0])) for _, frames in messages] == list(range(3 * len(sizes)))
        assert [len(frames[1]) for _, frames in messages] == sizes * 3

    def test_a_mark_stays_in_its_lane_behind_large_messages(self) -> None:
        """In each of three lanes: what came before the MARK was sent before it."""
        with self.stations(2) as (one, two):
            link = one.transport.connect(two.member)
            for lane in (1, 2, 3):
                link.send([b"before", bytes([lane]), bytes(3 * _MIB)], lane)
                link.send([written(MarkHeader(9, lane))], lane)
                link.send([b"after", bytes([lane])], lane)
            messages = [frames for _, frames in two.wait_for(9)]
        for lane in (1, 2, 3):
            mark = written(MarkHeader(9, lane))
            of_lane = [each for each in messages if each[0] == mark or each[1:2] == [bytes([lane])]]
            assert [bytes(frames[0]) for frames in of_lane] == [b"before", mark, b"after"]

    def test_what_waits_for_a_large_message_was_sent_as_it_was(self) -> None:
        """The caller may change it at once, though it goes later."""
        small = [bytearray(b"small"), bytearray(10_000)]
        with self.stations(2) as (one, two):
            link = one.transport.connect(two.member)
            link.send([b"large", bytes(8 * _MIB)], 1)
            link.send([b"small", *small], 1)
            for frame in small:
                frame[:] = b"x" * len(frame)
            _, (_, frames) = two.wait_for(2)
        assert frames == [b"small", b"small", bytes(10_000)]

    def test_messages_of_other_lanes_overtake_a_large_one(self) -> None:
        """The sender does not read yet, so nothing tells it to go on: what comes now has overtaken."""
        sender, receiver = self.station(1), self.station(2)
        try:
            sender.transport.admit(receiver.member)
            receiver.transport.admit(sender.member)
            receiver.start()
            link = sender.transport.connect(receiver.member)
            link.send([b"large", bytes(32 * _MIB)], 1)
            link.send([b"same lane"], 1)
            link.send([b"other lane"], 2)
            link.send([b"no lane"])
            if self.overtakes:
                receiver.wait_for(2)
                assert receiver.bodies() == [b"other lane", b"no lane"]
            sender.start()
            receiver.wait_for(4)
            order = receiver.bodies()
            assert order[2 if self.overtakes else 0 :][:2] == [b"large", b"same lane"]
        finally:
            sender.close()
            receiver.close()

    def test_large_messages_of_many_shapes_arrive_whole(self) -> None:
        """Frames of all lengths, and more of them than there are chunks."""
        shapes = [
            [secrets.token_bytes(size) for size in (3, 0, 700_000, 1, 262_144, 262_143, 2 * _MIB + 1, 0)],
            [secrets.token_bytes(500) for _ in range(5_000)],
            [b"x" * (_MIB + 1)],
            [secrets.token_bytes(_MIB - 10) for _ in range(5)],
        ]
        with self.stations(2) as (one, two):
            link = one.transport.connect(two.member)
            for lane, shape in enumerate(shapes):
                link.send([b"%d" % lane, *shape], lane)
            messages = two.wait_for(len(shapes))
        for _, (lane_name, *frames) in messages:
            assert frames == shapes[int(bytes(lane_name))]

    def test_large_messages_cross_each_other(self) -> None:
        """Both Envs send and receive at once."""
        with self.stations(2) as (one, two):
            links = one.transport.connect(two.member), two.transport.connect(one.member)
            for number in range(6):
                for link in links:
                    link.send([b"%d" % number, bytes(4 * _MIB)], 1)
            for station in (one, two):
                station.wait_for(6)
                assert station.bodies() == [b"%d" % number for number in range(6)]

    def test_threads_that_share_a_link_keep_their_lanes_with_large_messages(self) -> None:
        """Each message is whole, and those of one thread are in order."""
        threads, each = 4, 12
        barrier = Barrier(threads)
        with self.stations(2) as (one, two):
            link = one.transport.connect(two.member)

            def send(thread: int) -> None:
                barrier.wait()
                for number in range(each):
                    size = (0, 1_500_000, 3_000_000)[(number + thread) % 3]
                    link.send([b"%d %d" % (thread, number), bytes([number]) * size, b"end"], thread)

            run_together([partial(send, thread) for thread in range(threads)])
            messages = two.wait_for(threads * each)
            for _, (name, body, end) in messages:
                thread, number = map(int, bytes(name).split())
                assert body == bytes([number]) * (0, 1_500_000, 3_000_000)[(number + thread) % 3]
                assert end == b"end"
            for thread in range(threads):
                mine = [body for body in two.bodies() if body.startswith(b"%d " % thread)]
                assert mine == [b"%d %d" % (thread, number) for number in range(each)]

    def test_more_large_messages_than_may_be_under_way_all_arrive(self) -> None:
        """100 lanes at once, before the receiver reads."""
        one, two = self.station(1), self.station(2)
        try:
            one.transport.admit(two.member)
            two.transport.admit(one.member)
            link = one.transport.connect(two.member)
            for lane in range(100):
                link.send([b"%d" % lane, bytes(_MIB)], lane)
            one.start()
            two.start()
            two.wait_for(100)
            assert sorted(map(int, two.bodies())) == list(range(100))
        finally:
            one.close()
            two.close()

    def test_what_is_sent_before_the_end_of_the_sender_arrives_whole_or_not_at_all(self) -> None:
        """It closes while most of a message is still to be sent."""
        body = secrets.token_bytes(16 * _MIB)
        with self.stations(2) as (one, two):
            link = one.transport.connect(two.member)
            link.send([b"first"], 1)
            two.wait_for(1)
            for _ in range(3):
                link.send([b"large", body], 1)
            one.close()
            two.close()
            assert all(frames == [b"large", body] for _, frames in two.messages[1:])

    def test_the_end_of_the_receiver_holds_up_nobody(self) -> None:
        """It closes while large messages are under way to it."""
        with self.stations(3) as (one, two, three):
            link = one.transport.connect(two.member)
            link.send([b"first"], 1)
            two.wait_for(1)
            for _ in range(3):
                link.send([b"large", bytes(8 * _MIB)], 1)
            two.close()
            link.send([b"small"], 1)
            link.send([b"large", bytes(8 * _MIB)], 1)
            one.transport.connect(three.member).send([b"large", bytes(8 * _MIB)], 1)
            three.wait_for(1)
            assert [frames for _, frames in three.messages] == [[b"large", bytes(8 * _MIB)]]
            one.transport.expel(two.member)
            link.close()

    def test_nothing_is_left_behind_by_large_messages(self) -> None:
        """Neither by those that arrived, nor by those that did not."""
        before = Snapshot.take()
        with self.stations(2) as (one, two):
            link: Link = one.transport.connect(two.member)
            link.send([b"h", bytes(8 * _MIB)])
            two.wait_for(1)
            link.send([b"h", bytes(8 * _MIB)])
        del one, two, link
        assert before.leaks() == []
