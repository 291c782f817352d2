"""What is UNIX sockets' own: descriptors, errors of the system, and signals in the midst of reading."""

import errno
import os
import resource
import secrets
import signal
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any

import pytest

from corps.errors import BrokenError, Overloaded
from corps.launchers.local.runtime_dir import make_runtime_dir, remove_runtime_dir
from corps.messages.members import Member
from corps.transport.shared_memory.segments import map_segment
from corps.transport.unix.link import UnixLink
from corps.transport.unix.stalls import Stalls
from corps.transport.unix.transport import UnixTransport
from corps.transport.zeromq.transport import ZmqTransport
from corps.wire.frames import Frame, Hello
from corps.wire.memory import new_memory
from tests.contract.stations import Station

CORPS = "0123456789abcdef"
SHARED = 128 * 1024


@pytest.fixture
def pair() -> Iterator[tuple[Station, Station]]:
    """Two stations that have admitted each other. Not started."""
    directory = make_runtime_dir()
    made = [station(directory, env) for env in (1, 2)]
    made[0].transport.admit(made[1].member)
    made[1].transport.admit(made[0].member)
    yield made[0], made[1]
    for each in made:
        each.close()
        each.messages.clear()  # they may hold shared memory
    remove_runtime_dir(directory)


def station(directory: str, env: int, handshake_timeout: float = 30.0) -> Station:
    incarnation = secrets.token_hex(16)
    hello = Hello(CORPS, env, incarnation)
    transport = UnixTransport(hello, runtime_dir=directory, handshake_timeout=handshake_timeout)
    return Station(transport, Member(env, incarnation, transport.endpoint))


def unix(station: Station) -> UnixTransport:
    assert isinstance(station.transport, UnixTransport)
    return station.transport


class Raw:
    """A connection that says whatever it likes. Of this user: others do not get so far."""

    def __init__(self, server: Station) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(30)
        self.sock.connect(server.member.endpoint.removeprefix("unix:"))

    def wait_cut_off(self) -> None:
        with suppress(ConnectionResetError):
            assert self.sock.recv(1) == b""
        self.sock.close()


def test_who_says_nothing_is_cut_off_and_others_are_served() -> None:
    directory = make_runtime_dir()
    server = station(directory, 1, handshake_timeout=0.5)
    client = station(directory, 2)
    server.transport.admit(client.member)
    server.start()
    try:
        silent, slow = Raw(server), Raw(server)
        slow.sock.send(b"\x01")
        link = client.transport.connect(server.member)
        silent.wait_cut_off()
        slow.wait_cut_off()
        link.send([b"hello"])
        server.wait_for(1)
        assert server.refused == ["hello", "hello"]
    finally:
        server.close()
        client.close()
        remove_runtime_dir(directory)


@pytest.mark.parametrize(
    "said",
    [
        bytes(4) + b"\x01\0\0\0" + (2**36).to_bytes(8, "little"),
        b"\x01\0\0\0" + (2**36).to_bytes(8, "little"),
        b"\x01\0\0\0" + (2000).to_bytes(8, "little") + bytes(2000),
        b"\xff\xff\xff\xff",
        b"\x01\0\0\0" + (1).to_bytes(8, "little") + b"\xdd" + b"\x02\0\0\0" + bytes(16),
    ],
)
def test_a_stranger_gets_no_memory_by_what_it_says(pair: tuple[Station, Station], said: bytes) -> None:
    server, client = pair
    server.start()
    stranger = Raw(server)
    with memory_limited():
        stranger.sock.sendall(said)
        stranger.wait_cut_off()
        client.transport.connect(server.member).send([b"hello"])
        server.wait_for(1)
    assert server.refused[0] in ("hello", "frames")


@contextmanager
def memory_limited() -> Iterator[None]:
    """No more than a GiB of address space may be added."""
    with open("/proc/self/statm") as file:
        used = int(file.read().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + 2**30, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


class Failing:
    """Stands before a socket, and fails a method of it some times."""

    def __init__(self, behind: Any, method: str, error: int, times: int) -> None:
        self._behind = behind
        self._method = method
        self._error = error
        self._times = times

    def __getattr__(self, name: str) -> Any:
        if name == self._method and self._times:
            self._times -= 1
            raise OSError(self._error, "planted")
        return getattr(self._behind, name)


def test_a_peer_that_has_gone_is_no_signal(pair: tuple[Station, Station]) -> None:
    """Was a defect: where SIGPIPE has its default, the death of an Env ended the script without a word."""
    one, two = pair
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGPIPE})
    ignored = signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        links = [one.transport.connect(two.member) for _ in range(2)]
        two.transport.close()
        links[0].send([b"one piece"])
        links[1].send([b"with a descriptor", bytes(SHARED)])
        assert signal.SIGPIPE not in signal.sigpending()
    finally:
        signal.signal(signal.SIGPIPE, ignored)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@pytest.mark.parametrize("name", ["x" * 200, os.fsdecode(b"\xff\xfe")])
@pytest.mark.parametrize("kind", [UnixTransport, ZmqTransport])
def test_the_directory_may_have_any_name(
    tmp_path: Path, name: str, kind: "type[UnixTransport | ZmqTransport]"
) -> None:
    directory = tmp_path / name
    directory.mkdir()
    stations = []
    for env in (1, 2):
        hello = Hello(CORPS, env, secrets.token_hex(16))
        transport = kind(hello, runtime_dir=str(directory))
        stations.append(Station(transport, Member(env, hello.incarnation, transport.endpoint)))
    one, two = stations
    two.transport.admit(one.member)
    two.start()
    one.transport.connect(two.member).send([b"header", b"body"])
    assert [list(frames) for _, frames in two.wait_for(1)] == [[b"header", b"body"]]
    for each in stations:
        each.close()
    assert os.listdir(directory) == []


def test_whoever_waits_for_room_goes_on_when_the_peer_has_taken_enough(pair: tuple[Station, Station]) -> None:
    one, two = pair
    one.start()
    link = one.transport.connect(two.member)
    for _ in range(100):
        link.send([b"h", bytes(100_000)])
    before = link.unsent
    assert 100 * 100_000 > before > 80 * 100_000
    link.wait_for_room(before, 0.0)  # the time is over
    two.start()
    link.wait_for_room(before // 2, None)
    assert link.unsent < before // 2
    two.wait_for(100)
    link.wait_for_room(1, None)
    assert link.unsent == 0


def test_whoever_waits_for_room_goes_on_when_the_link_is_over(pair: tuple[Station, Station]) -> None:
    one, two = pair
    for _ in range(100):
        (link := one.transport.connect(two.member)).send([b"h", bytes(1_000_000)])
    waiting = Thread(target=link.wait_for_room, args=(1, None))
    waiting.start()
    link.close()
    waiting.join(30)
    assert not waiting.is_alive()


def test_small_buffers_of_a_large_message_share_its_segment(pair: tuple[Station, Station]) -> None:
    one, two = pair
    one.start()
    two.start()
    frames: list[Frame] = [b"h", b"body", *(secrets.token_bytes(20_000 + n) for n in range(100)), b"short"]
    one.transport.connect(two.member).send(frames)
    ((_, came),) = two.wait_for(1)
    assert [bytes(frame) for frame in came] == frames
    assert unix(one)._arenas.statistics()["segments"] == 1


def test_a_segment_that_there_is_no_descriptor_for_is_mapped_later(pair: tuple[Station, Station]) -> None:
    """Was a defect: the kernel dropped its descriptor, and the connection was closed for it."""
    one, two = pair
    one.start()
    two.start()
    link = one.transport.connect(two.member)
    link.send([b"before"])
    two.wait_for(1)
    (inbound,) = unix(two)._inbound.values()
    scarce = Scarce(lambda: True, MemoryError("planted"), 3)
    inbound._reserve = SimpleNamespace(make_room=lambda most: scarce())  # type: ignore[assignment]
    sent: list[list[Frame]] = [[b"first", bytes(SHARED)], [b"second", bytes(3 * SHARED)], [b"after"]]
    for message in sent:
        link.send(message)
    assert [[bytes(frame) for frame in frames] for _, frames in two.wait_for(4)[1:]] == sent
    assert scarce.times == 0
    assert one.broken == two.broken == []


def test_without_room_for_a_descriptor_a_message_goes_through_the_socket(
    pair: tuple[Station, Station],
) -> None:
    one, two = pair
    one.start()
    two.start()
    link = one.transport.connect(two.member)
    assert isinstance(link, UnixLink)
    link._descriptors = Failing(link._descriptors, "sendmsg", errno.ETOOMANYREFS, 1)  # type: ignore[assignment]
    for number in range(3):
        link.send([b"%d" % number, bytes(SHARED)])
    assert [bytes(frames[0]) for _, frames in two.wait_for(3)] == [b"0", b"1", b"2"]


class Scarce:
    """Stands for a function that the system lets fail some times."""

    def __init__(self, real: Any, error: Exception, times: int) -> None:
        self._real = real
        self._error = error
        self.times = times

    def __call__(self, *args: Any) -> Any:
        if self.times:
            self.times -= 1
            raise self._error
        return self._real(*args)


@pytest.mark.parametrize("times", [1, 3])
def test_a_message_that_there_is_no_memory_for_is_taken_later_and_in_its_turn(
    pair: tuple[Station, Station], monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    """Was a defect: the connection was closed for it, and one of two Envs that lived was killed."""
    one, two = pair
    one.start()
    link = one.transport.connect(two.member)
    unmapped = Scarce(map_segment, OSError(errno.ENOMEM, "planted"), times)
    monkeypatch.setattr("corps.transport.shared_memory.mappings.map_segment", unmapped)
    unread = Scarce(new_memory, MemoryError("planted"), times)
    monkeypatch.setattr("corps.wire.stream.new_memory", unread)
    sent: list[list[Frame]] = [
        [b"before"],
        [b"mapped", bytes(SHARED)],
        [b"between"],
        [b"read", *[bytes(15_000)] * 8],
        [b"after"],
    ]
    for message in sent:
        link.send(message)
    two.start()
    assert [[bytes(frame) for frame in frames] for _, frames in two.wait_for(5)] == sent
    assert (unmapped.times, unread.times) == (0, 0)
    assert one.broken == two.broken == []


def test_a_message_that_there_is_never_memory_for_breaks_the_connection_in_the_end(
    pair: tuple[Station, Station], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = pair
    one.start()
    monkeypatch.setattr(
        "corps.transport.shared_memory.mappings.map_segment",
        Scarce(None, OSError(errno.ENOMEM, "planted"), 10**9),
    )
    unix(two)._stalls = Stalls(0.05)
    link = one.transport.connect(two.member)
    link.send([b"mapped", bytes(SHARED)])
    link.send([b"after"])
    two.start()
    two.wait_refused()
    one.wait_broken()
    assert two.messages == []


def test_messages_with_many_new_segments_may_be_read_in_pieces(pair: tuple[Station, Station]) -> None:
    one, two = pair
    one.start()
    link = one.transport.connect(two.member)
    first: list[Frame] = [b"first", bytes(100_000), *(bytes(SHARED + n) for n in range(40))]
    second: list[Frame] = [b"second", *(bytes(SHARED + n) for n in range(40))]
    link.send(first)
    link.send(second)
    two.start()
    (_, one_frames), (_, other_frames) = two.wait_for(2)
    assert [len(frame) for frame in one_frames] == [len(frame) for frame in first]
    assert [len(frame) for frame in other_frames] == [len(frame) for frame in second]


def test_without_a_descriptor_there_is_no_link_and_a_typed_error(
    pair: tuple[Station, Station], monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_left(*_: object) -> None:
        raise OSError(errno.EMFILE, "planted")

    one, two = pair
    monkeypatch.setattr(socket, "socket", none_left)
    with pytest.raises(Overloaded, match="planted"):
        one.transport.connect(two.member)


@pytest.mark.parametrize("times", [1, 2, 4])
def test_who_cannot_be_taken_for_want_of_descriptors_is_taken_later(
    pair: tuple[Station, Station], times: int
) -> None:
    """Was a defect: he was cut off, and one of two Envs that lived was killed for it."""
    one, two = pair
    one.start()
    listener = unix(two)._listener
    unix(two)._listener = Failing(listener, "accept", errno.EMFILE, times)  # type: ignore[assignment]
    one.transport.connect(two.member).send([b"patient"])
    two.start()
    assert two.wait_for(1) == [(1, [b"patient"])]
    assert one.broken == []


@pytest.mark.parametrize("error", [errno.ENOBUFS, errno.ETOOMANYREFS, errno.ENOMEM])
def test_a_message_that_the_system_does_not_take_breaks_the_link_on_both_sides(
    pair: tuple[Station, Station], error: int
) -> None:
    one, two = pair
    one.start()
    two.start()
    link = one.transport.connect(two.member)
    assert isinstance(link, UnixLink)
    link.send([b"first"])
    two.wait_for(1)
    link._sock = Failing(link._sock, "send", error, 1)  # type: ignore[assignment]
    link.send([b"lost"])
    link.send([b"lost too: nothing comes after a gap"])
    one.wait_broken()
    two.wait_broken()
    assert two.bodies() == [b"first"]


def test_a_wait_may_be_longer_than_the_kernel_takes(pair: tuple[Station, Station]) -> None:
    one, _ = pair
    one.transport.start(lambda *_: None, lambda *_: None)
    one.transport.interrupt()
    assert one.transport.await_ready(1e12)


def test_what_was_placed_for_a_link_that_is_closed_is_free_again(pair: tuple[Station, Station]) -> None:
    one, two = pair
    one.start()
    link = one.transport.connect(two.member)
    link.close()
    for _ in range(5):
        with pytest.raises(BrokenError):
            link.send([b"h", bytes(SHARED)])
    statistics = unix(one)._arenas.statistics()
    assert statistics["segments"] == statistics["free_segments"]


def test_a_signal_in_the_midst_of_a_message_costs_no_other_one(pair: tuple[Station, Station]) -> None:
    one, two = pair
    one.start()
    link = one.transport.connect(two.member)
    for number in range(5):
        link.send([b"%d" % number])
    seen: list[bytes] = []

    def on_message(_: int, frames: Sequence[Frame]) -> None:
        seen.append(bytes(frames[0]))
        if len(seen) == 2:
            raise KeyboardInterrupt

    transport = two.transport
    transport.start(on_message, lambda *_: None)
    transport.hand_on(transport.await_ready(20))  # the connection
    transport.hand_on(transport.await_ready(20))  # HELLO, which comes with a descriptor, and so alone
    with pytest.raises(KeyboardInterrupt):
        transport.hand_on(transport.await_ready(20))
    assert seen == [b"0", b"1"]
    transport.hand_on(transport.await_ready(20))
    assert seen == [b"0", b"1", b"2", b"3", b"4"]


def test_a_stale_report_does_not_break_a_link(pair: tuple[Station, Station]) -> None:
    one, two = pair
    one.transport.start(lambda *_: None, one._break)
    link = one.transport.connect(two.member)
    assert isinstance(link, UnixLink)
    hung_up = 0x10
    one.transport.hand_on([(link.fd, hung_up)])  # of a socket that had this number before
    assert one.broken == []
    assert isinstance(link._sock, socket.socket)
