"""Claims about Channel: messages keep their borders, and every end of it is noticed."""

import signal
import socket
import struct
import threading
from collections.abc import Iterator

import pytest

from corps.errors import BrokenError, ClosedError, InternalError, WireError
from corps.launchers.local.channel import MAX_MESSAGE, Channel


@pytest.fixture
def ends() -> Iterator[tuple[Channel, Channel]]:
    one, other = (Channel(end) for end in socket.socketpair())
    yield one, other
    one.close()
    other.close()


def test_messages_arrive_whole_and_in_order(ends: tuple[Channel, Channel]) -> None:
    one, other = ends
    for message in (b"a", b"", b"bc" * 1000):
        one.send(message)
    assert [other.recv() for _ in range(3)] == [b"a", b"", b"bc" * 1000]


def test_a_message_longer_than_the_socket_buffer_arrives(ends: tuple[Channel, Channel]) -> None:
    one, other = ends
    message = bytes(3_000_000)
    sender = threading.Thread(target=one.send, args=(message,))
    sender.start()
    received = other.recv()
    sender.join(5)
    assert received == message


def test_messages_of_many_threads_do_not_mix(ends: tuple[Channel, Channel]) -> None:
    one, other = ends

    def send_all(letter: bytes) -> None:
        for length in range(1, 50):
            one.send(letter * length * 100)

    senders = [threading.Thread(target=send_all, args=(bytes([65 + i]),)) for i in range(4)]
    for sender in senders:
        sender.start()
    messages = [other.recv() or b"" for _ in range(4 * 49)]
    for sender in senders:
        sender.join(5)
    assert all(len(set(message)) == 1 for message in messages)


def test_a_message_to_who_has_gone_is_an_error_and_no_signal(ends: tuple[Channel, Channel]) -> None:
    """Was a defect: where SIGPIPE has its default, as in a script for pipes, it ended the process."""
    one, other = ends
    other.close()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGPIPE})
    ignored = signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        for message in (b"short", bytes(100_000)):
            with pytest.raises(BrokenError):
                one.send(message)
        assert signal.SIGPIPE not in signal.sigpending()
    finally:
        signal.signal(signal.SIGPIPE, ignored)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def test_a_channel_whose_process_has_ended_is_at_its_end_though_another_one_holds_it(
    ends: tuple[Channel, Channel],
) -> None:
    """Was a defect: a daemon that the application had started kept it open, and a boot waited for ever."""
    one, other = ends
    other.send(b"last words")
    one.end_reading()
    assert one.recv() == b"last words"
    assert one.recv() is None


def test_what_was_sent_before_a_close_can_still_be_read(ends: tuple[Channel, Channel]) -> None:
    one, other = ends
    one.send(b"last words")
    one.close()
    assert other.recv() == b"last words"
    assert other.recv() is None


def test_unread_messages_at_the_peers_end_do_not_hide_what_it_sent(ends: tuple[Channel, Channel]) -> None:
    one, other = ends
    other.send(b"never read")
    one.send(b"last words")
    one.close()
    assert other.recv() == b"last words"
    assert other.recv() is None


def test_a_message_cut_short_is_the_end_of_file() -> None:
    raw, theirs = socket.socketpair()
    channel = Channel(theirs)
    raw.sendall(struct.pack("!I", 10) + b"half")
    raw.close()
    assert channel.recv() is None
    channel.close()


def test_an_announced_length_over_the_limit_is_refused() -> None:
    raw, theirs = socket.socketpair()
    channel = Channel(theirs)
    raw.sendall(struct.pack("!I", MAX_MESSAGE + 1))
    with pytest.raises(WireError):
        channel.recv()
    raw.close()
    channel.close()


def test_a_message_over_the_limit_is_not_sent(ends: tuple[Channel, Channel]) -> None:
    with pytest.raises(InternalError):
        ends[0].send(bytes(MAX_MESSAGE + 1))


def test_sending_to_a_peer_that_has_gone_raises_broken_error(ends: tuple[Channel, Channel]) -> None:
    one, other = ends
    other.close()
    with pytest.raises(BrokenError):
        one.send(b"anybody?")


def test_sending_after_a_close_raises_closed_error(ends: tuple[Channel, Channel]) -> None:
    one, _ = ends
    one.close()
    one.close()
    assert one.is_closed
    assert one.recv() is None
    with pytest.raises(ClosedError):
        one.send(b"x")


def test_close_wakes_a_thread_that_receives(ends: tuple[Channel, Channel]) -> None:
    one, other = ends
    received: list[bytes | None] = []
    has_one = threading.Event()

    def receive() -> None:
        received.append(one.recv())
        has_one.set()
        received.append(one.recv())

    receiver = threading.Thread(target=receive)
    receiver.start()
    other.send(b"go")
    assert has_one.wait(5)
    one.close()
    receiver.join(5)
    assert received == [b"go", None]


def test_close_wakes_a_thread_that_sends(ends: tuple[Channel, Channel]) -> None:
    one, _ = ends
    errors: list[Exception] = []
    first_is_sent = threading.Event()

    def send_for_ever() -> None:
        try:
            while True:
                one.send(bytes(100_000))
                first_is_sent.set()
        except ClosedError as error:
            errors.append(error)

    sender = threading.Thread(target=send_for_ever)
    sender.start()
    assert first_is_sent.wait(5)
    one.close()
    sender.join(5)
    assert len(errors) == 1


def test_a_wait_says_whether_there_is_something(ends: tuple[Channel, Channel]) -> None:
    one, other = ends
    assert not other.wait(0.001)
    one.send(b"a")
    assert other.wait(20)
    assert other.recv() == b"a"
    assert not other.wait(0.001)
    one.close()
    assert other.wait(20)
    assert other.recv() is None


def test_close_wakes_a_thread_that_waits(ends: tuple[Channel, Channel]) -> None:
    one, _ = ends
    said: list[bool] = []
    waiting = threading.Thread(target=lambda: said.append(one.wait(20)))
    waiting.start()
    one.close()
    waiting.join(20)
    assert said == [True]
    assert one.wait(20)
