"""The suite that every transport passes.

    class TestMyTransport(TransportContract):
        def make_transport(self, hello: Hello) -> tuple[Transport, str]:
            return MyTransport(hello), ""

A class of tests for pytest. Load the plugin `corps.testing.plugin` too: it looks for what is left behind.
"""

import gc
import secrets
from contextlib import suppress
from functools import partial
from threading import Barrier

import pytest

from corps.errors import BrokenError
from corps.testing.leaks import Snapshot
from corps.wire.frames import Frame
from tests.contract.large_messages import LargeMessageContract
from tests.contract.stations import Station, run_together


class TransportContract(LargeMessageContract):
    """What `corps.transport.link` promises, as tests. Subclass it for each transport."""

    # --- what arrives ---

    def test_messages_of_one_link_arrive_in_order(self) -> None:
        """10 000 of them, none lost."""
        with self.stations(2) as (one, two):
            link = one.transport.connect(two.member)
            for number in range(10_000):
                link.send([b"%d" % number, b"body"])
            two.wait_for(10_000)
            assert two.bodies() == [b"%d" % number for number in range(10_000)]

    def test_a_message_names_the_env_that_sent_it(self) -> None:
        """In both directions, each on a link of its own."""
        with self.stations(3) as (one, two, three):
            one.transport.connect(three.member).send([b"from one"])
            two.transport.connect(three.member).send([b"from two"])
            three.transport.connect(one.member).send([b"from three"])
            arrived = {env: bytes(frames[0]) for env, frames in three.wait_for(2)}
            assert arrived == {1: b"from one", 2: b"from two"}
            assert one.wait_for(1) == [(3, [b"from three"])]

    def test_threads_that_share_a_link_do_not_mix_their_messages(self) -> None:
        """Each message is whole, and those of one thread are in order."""
        threads, each = 4, 500
        barrier = Barrier(threads)
        with self.stations(2) as (one, two):
            link = one.transport.connect(two.member)

            def send(thread: int) -> None:
                barrier.wait()
                for number in range(each):
                    link.send([b"%d %d" % (thread, number)] * 3)

            run_together([partial(send, thread) for thread in range(threads)])
            messages = two.wait_for(threads * each)
            assert all(frames[0] == frames[1] == frames[2] and len(frames) == 3 for _, frames in messages)
            for thread in range(threads):
                mine = [body for body in two.bodies() if body.startswith(b"%d " % thread)]
                assert mine == [b"%d %d" % (thread, number) for number in range(each)]

    def test_threads_that_connect_at_once_all_get_through(self) -> None:
        """To one peer that they all see for the first time."""
        threads = 4
        barrier = Barrier(threads)
        with self.stations(threads + 1) as (target, *senders):

            def send(sender: Station) -> None:
                barrier.wait()
                sender.transport.connect(target.member).send([b"%d" % sender.member.env])

            run_together([partial(send, sender) for sender in senders])
            assert sorted(env for env, _ in target.wait_for(threads)) == [2, 3, 4, 5]

    def test_frames_of_every_size_arrive_whole(self) -> None:
        """Empty ones, one byte, around 64 KiB where copying begins to cost, and some MiB."""
        sizes = [0, 1, 255, 256, 65_535, 65_536, 65_537, 3 * 1024 * 1024 + 1]
        frames: list[Frame] = [b"header", *(secrets.token_bytes(size) for size in sizes), b""]
        with self.stations(2) as (one, two):
            one.transport.connect(two.member).send(frames)
            assert two.wait_for(1) == [(1, frames)]

    def test_buffers_of_every_kind_can_be_sent(self) -> None:
        """Bytes, bytearrays and views."""
        large = bytearray(secrets.token_bytes(200_000))
        with self.stations(2) as (one, two):
            one.transport.connect(two.member).send([b"h", memoryview(large)[1:], large, bytearray(b"x")])
            ((_, frames),) = two.wait_for(1)
            assert [bytes(frame) for frame in frames] == [b"h", large[1:], large, b"x"]

    def test_what_is_changed_after_sending_was_sent_unchanged(self) -> None:
        """The caller of a method may go on with its array at once."""
        large = bytearray(secrets.token_bytes(3_000_000))
        expected = bytes(large)
        with self.stations(2) as (one, two):
            one.transport.connect(two.member).send([b"h", b"b", memoryview(large)])
            large[:] = bytes(len(large))
            assert two.wait_for(1) == [(1, [b"h", b"b", expected])]

    def test_a_message_of_many_frames_arrives_whole(self) -> None:
        """2 000 of them, small."""
        frames: list[Frame] = [b"%d" % number for number in range(2_000)]
        with self.stations(2) as (one, two):
            one.transport.connect(two.member).send(frames)
            assert two.wait_for(1) == [(1, frames)]

    def test_frames_stay_as_they_are_when_more_is_received(self) -> None:
        """Whoever keeps a frame keeps its memory."""
        kept = [secrets.token_bytes(100_000) for _ in range(5)]
        with self.stations(2) as (one, two):
            link = one.transport.connect(two.member)
            for buffer in kept:
                link.send([b"h", b"b", buffer])
            for _ in range(50):
                link.send([b"h", b"b", bytes(100_000)])
            messages = two.wait_for(55)
        del one, two, link
        gc.collect()
        assert [frames[2] for _, frames in messages[:5]] == kept

    # --- when it is not yet there, or not any more ---

    def test_what_is_sent_before_the_peer_reads_waits_for_it(self) -> None:
        """The sender neither blocks nor fails."""
        one, two = self.station(1), self.station(2)
        try:
            one.start()
            two.transport.admit(one.member)
            link = one.transport.connect(two.member)
            for number in range(100):
                link.send([b"%d" % number])
            two.start()
            two.wait_for(100)
            assert two.bodies() == [b"%d" % number for number in range(100)]
        finally:
            one.close()
            two.close()

    def test_a_peer_that_is_started_again_is_reached_as_a_new_member(self) -> None:
        """The old link leads nowhere, the new one to the new incarnation."""
        with self.stations(2) as (one, two):
            old = one.transport.connect(two.member)
            old.send([b"to the old one"])
            two.wait_for(1)
            two.close()
            one.transport.expel(two.member)
            again = self.station(2)
            try:
                again.transport.admit(one.member)
                one.transport.admit(again.member)
                again.start()
                old.close()
                one.transport.connect(again.member).send([b"to the new one"])
                again.transport.connect(one.member).send([b"from the new one"])
                assert again.wait_for(1) == [(1, [b"to the new one"])]
                assert one.wait_for(1) == [(2, [b"from the new one"])]
            finally:
                again.close()

    def test_an_exception_of_the_receiver_does_not_end_the_reading(self) -> None:
        """Not even one that would end the thread."""
        with self.stations(2) as (one, two):
            errors = iter([ValueError("planted"), SystemExit("planted")])

            def fail() -> None:
                for error in errors:
                    raise error

            two.before_each = fail
            link = one.transport.connect(two.member)
            for body in (b"first", b"second", b"third"):
                link.send([body])
            two.wait_for(1)
            assert two.bodies() == [b"third"]

    # --- who may speak ---

    def test_nothing_of_a_stranger_is_received(self) -> None:
        """Of an Env that was never admitted; members are not disturbed."""
        with self.stations(2) as (one, two):
            stranger = self.station(3)
            try:
                stranger.start()
                with suppress(BrokenError):  # it may hear of the refusal
                    stranger.transport.connect(two.member).send([b"let me in"])
                two.wait_refused()
                one.transport.connect(two.member).send([b"hello"])
                assert two.wait_for(1) == [(1, [b"hello"])]
            finally:
                stranger.close()
            assert two.bodies() == [b"hello"]

    def test_nothing_of_another_corps_is_received(self) -> None:
        """Even if the Env was admitted by mistake."""
        with self.stations(2) as (one, two):
            other = self.station(3, corps="fedcba9876543210")
            try:
                two.transport.admit(other.member)
                other.start()
                other.transport.connect(two.member).send([b"let me in"])
                two.wait_refused()
                one.transport.connect(two.member).send([b"hello"])
                assert two.wait_for(1) == [(1, [b"hello"])]
            finally:
                other.close()
            assert two.bodies() == [b"hello"]

    def test_nothing_of_an_expelled_peer_is_received(self) -> None:
        """On a connection that it had when it was expelled."""
        with self.stations(3) as (one, two, three):
            link = one.transport.connect(two.member)
            link.send([b"before"])
            two.wait_for(1)
            two.transport.expel(one.member)
            link.send([b"after"])
            two.wait_refused()
            three.transport.connect(two.member).send([b"from three"])
            two.wait_for(2)
            assert two.bodies() == [b"before", b"from three"]

    # --- the end ---

    def test_sending_on_a_closed_link_is_an_error(self) -> None:
        """Closing it again is none."""
        with self.stations(2) as (one, two):
            link = one.transport.connect(two.member)
            link.send([b"last"])
            link.close()
            link.close()
            with pytest.raises(BrokenError):
                link.send([b"too late"])
            two.wait_for(1)
            assert two.bodies() == [b"last"]

    def test_nothing_can_be_sent_after_the_transport_has_closed(self) -> None:
        """Neither on the links it had, nor on new ones."""
        with self.stations(2) as (one, two):
            link = one.transport.connect(two.member)
            one.close()
            one.close()
            with pytest.raises(BrokenError):
                link.send([b"too late"])
            with pytest.raises(BrokenError):
                one.transport.connect(two.member)

    def test_closing_does_not_wait_for_peers_that_have_gone(self) -> None:
        """Whatever is still to be sent to them."""
        with self.stations(2) as (one, two):
            link = one.transport.connect(two.member)
            link.send([b"first"])
            two.wait_for(1)
            two.close()
            for _ in range(100):
                link.send([bytes(10_000)])
            one.close()
            with pytest.raises(BrokenError):
                link.send([b"too late"])
            assert two.bodies() == [b"first"]

    def test_closing_while_others_send_breaks_their_links_and_nothing_else(self) -> None:
        """Each sender ends with BrokenError."""
        threads = 3
        started = Barrier(threads + 1)
        broken: list[BrokenError] = []
        with self.stations(2) as (one, two):
            link = one.transport.connect(two.member)

            def send() -> None:
                started.wait()
                try:
                    while True:
                        link.send([bytes(100)])
                except BrokenError as error:
                    broken.append(error)

            def close() -> None:
                started.wait()
                two.wait_for(1)
                one.close()

            run_together([*[send] * threads, close])
        assert len(broken) == threads

    def test_nothing_is_left_behind(self) -> None:
        """No thread, no descriptor, no file; started or not."""
        before = Snapshot.take()
        with self.stations(2) as (one, two):
            one.transport.connect(two.member).send([b"h", b"b", bytes(200_000)])
            two.wait_for(1)
        self.station(3).close()
        del one, two
        assert before.leaks() == []
