"""Every transport keeps the contract; and what is ZeroMQ's own."""

import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import ClassVar

import pytest

import corps.transport.zeromq.link as zmq_link
import corps.transport.zeromq.sockets as zmq_sockets
from corps.endpoints import Listening, TcpEndpoint, read_endpoint, read_listening
from corps.errors import BrokenError, EnvStartError
from corps.launchers.local.runtime_dir import make_runtime_dir, remove_runtime_dir
from corps.messages.members import Member
from corps.security.border_keys import BorderKeys
from corps.security.key_ring import KeyRing
from corps.security.keys import new_key_pair
from corps.testing.network import MemoryNetwork
from corps.transport.bordered import BorderedTransport
from corps.transport.link import Transport
from corps.transport.unix.transport import UnixTransport
from corps.transport.zeromq.transport import ZmqTransport
from corps.wire.chunks import Incoming
from corps.wire.frames import CreditHeader, Hello
from corps.wire.link_frames import ArrivedHeader, ChunkHeader, MissedHeader, OpenHeader, TakenHeader
from tests.contract.broken_lines import BrokenLineContract, HalfBrokenLineContract, wait_until
from tests.contract.contract import TransportContract
from tests.contract.stations import Station
from tests.lines.proxied_network import ProxiedNetwork
from tests.unit.wire.writing import written


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


class TestMemory(TransportContract):
    @pytest.fixture(autouse=True)
    def network(self) -> None:
        self._network = MemoryNetwork()

    def make_transport(self, hello: Hello) -> tuple[Transport, str]:
        return self._network.join(hello)[0], ""


class TestUnix(TransportContract):
    @pytest.fixture(autouse=True)
    def directory(self) -> Iterator[None]:
        self._directory = make_runtime_dir()
        yield
        remove_runtime_dir(self._directory)

    def make_transport(self, hello: Hello) -> tuple[Transport, str]:
        return UnixTransport(hello, runtime_dir=self._directory), ""

    def test_a_link_whose_peer_has_gone_is_said_to_be_broken(self) -> None:
        with self.stations(2) as (one, two):
            link = one.transport.connect(two.member)
            link.send([b"first"])
            two.wait_for(1)
            two.close()
            one.wait_broken()
            link.send([b"into the void"])
            assert one.broken == [two.member]

    def test_what_a_slow_reader_leaves_in_the_socket_comes_later(self) -> None:
        one, two = self.station(1), self.station(2)
        try:
            one.start()
            two.transport.admit(one.member)
            link = one.transport.connect(two.member)
            sent = [b"%d" % number + bytes(1_000) for number in range(2_000)]
            for body in sent:
                link.send([body])
            two.start()
            two.wait_for(len(sent))
            assert two.bodies() == sent
        finally:
            one.close()
            two.close()

    def test_without_shared_memory_a_message_goes_through_the_socket(self) -> None:
        """Was a defect: results that had been computed were lost, and replaced by an error."""
        small = UnixTransport(Hello("c" * 16, 1, "1" * 32), runtime_dir=self._directory, shared=2**20)
        one, two = Station(small, Member(1, "1" * 32, small.endpoint)), self.station(2, "c" * 16)
        try:
            two.transport.admit(one.member)
            one.start()
            two.start()
            link = one.transport.connect(two.member)
            bodies = [secrets.token_bytes(800_000) for _ in range(4)]
            for body in bodies:
                link.send([b"h", bytes(500_000), body])
            link.send([b"small"])
            messages = [frames for _, frames in two.wait_for(5)]
            assert [bytes(frames[-1]) for frames in messages] == [*bodies, b"small"]
        finally:
            one.close()
            two.close()

    def test_received_memory_outlives_both_ends(self) -> None:
        body = secrets.token_bytes(300_000)
        with self.stations(2) as (one, two):
            one.transport.connect(two.member).send([b"h", b"b", body])
            ((_, frames),) = two.wait_for(1)
        assert frames[2] == body
        frames[2][0:3] = b"new"  # type: ignore[index]
        assert bytes(frames[2][:3]) == b"new"

    def test_it_can_listen_only_where_there_is_a_directory(self) -> None:
        with pytest.raises(EnvStartError, match="cannot listen on"):
            UnixTransport(Hello("c" * 16, 1, "1" * 32), runtime_dir="/nowhere")


class BorderedContract(TransportContract):
    """Both kinds of links of one Env. Members are reached at the end that `endpoint_of` says."""

    @pytest.fixture(autouse=True)
    def directory(self) -> Iterator[None]:
        self._directory = make_runtime_dir()
        yield
        remove_runtime_dir(self._directory)

    def make_transport(self, hello: Hello) -> tuple[Transport, str]:
        return bordered(hello, self._directory)


class TestBorderedInside(BorderedContract):
    """Among members of its own Corps."""


class TestBorderedOutside(BorderedContract):
    """Among members behind the border."""

    overtakes: ClassVar = True

    def endpoint_of(self, transport: Transport) -> str:
        assert isinstance(transport, BorderedTransport)
        return transport.open().endpoint


def bordered(hello: Hello, directory: str) -> tuple[BorderedTransport, str]:
    keys = new_key_pair()
    inner = UnixTransport(hello, runtime_dir=directory)
    try:
        outer = ZmqTransport(hello, runtime_dir=None, keys=keys, audit=inner.audit, silence=30.0)
    except BaseException:
        inner.close()
        raise
    transport = BorderedTransport(inner, BorderKeys(KeyRing), lambda _: outer)
    transport.open()
    return transport, keys.public


class TestBorder:
    """One Env that has both kinds of peers at once."""

    @pytest.fixture
    def three(self) -> Iterator[tuple[Station, Station, Station]]:
        """An Env with a border, one of its own Corps, and one behind the border."""
        directory = make_runtime_dir()
        middle_hello, inside_hello, outside_hello = (
            Hello("c" * 16, env, secrets.token_hex(16)) for env in (1, 2, 3)
        )
        keys = new_key_pair()
        middle, public = bordered(middle_hello, directory)
        inside = UnixTransport(inside_hello, runtime_dir=directory)
        outside = ZmqTransport(outside_hello, runtime_dir=None, keys=keys)
        stations = (
            Station(middle, Member(1, middle_hello.incarnation, middle.endpoint, public)),
            Station(inside, Member(2, inside_hello.incarnation, inside.endpoint)),
            Station(outside, Member(3, outside_hello.incarnation, outside.endpoint, keys.public)),
        )
        middle.admit(stations[1].member)
        middle.admit(stations[2].member)
        inside.admit(stations[0].member)
        outside.admit(Member(1, middle_hello.incarnation, middle.open().endpoint, public))
        for each in stations:
            each.start()
        yield stations
        for each in stations:
            each.close()
            each.messages.clear()  # they may hold shared memory
        remove_runtime_dir(directory)

    def test_both_talk_with_it_at_once(self, three: tuple[Station, Station, Station]) -> None:
        middle, inside, outside = three
        to_middle = [
            inside.transport.connect(middle.member),
            outside.transport.connect(outer_member(middle)),
        ]
        from_middle = [middle.transport.connect(each.member) for each in (inside, outside)]
        sizes = (10, 200_000, 2_000_000)
        for number in range(60):
            for link in (*to_middle, *from_middle):
                link.send([b"%d" % number, bytes(sizes[number % 3])], 1)
        messages = middle.wait_for(120)
        for env in (2, 3):
            assert [frames[0] for sender, frames in messages if sender == env] == [
                b"%d" % number for number in range(60)
            ]
        for station in (inside, outside):
            assert [frames[0] for _, frames in station.wait_for(60)] == [b"%d" % n for n in range(60)]

    def test_each_peer_takes_frames_as_long_as_its_link_lets_it(
        self, three: tuple[Station, Station, Station]
    ) -> None:
        middle, inside, outside = three
        assert middle.transport.max_frame_to(inside.member) is None
        assert middle.transport.max_frame_to(outside.member) == outside.transport.max_frame

    def test_an_expelled_peer_of_one_kind_leaves_the_other_alone(
        self, three: tuple[Station, Station, Station]
    ) -> None:
        middle, inside, outside = three
        link = outside.transport.connect(outer_member(middle))
        link.send([b"before"])
        middle.wait_for(1)
        middle.transport.expel(outside.member)
        link.send([b"after"])
        middle.wait_refused()
        inside.transport.connect(middle.member).send([b"from inside"])
        middle.wait_for(2)
        assert middle.bodies() == [b"before", b"from inside"]

    def test_what_both_refuse_is_in_one_audit(self, three: tuple[Station, Station, Station]) -> None:
        middle, inside, outside = three
        middle.transport.expel(inside.member)
        middle.transport.expel(outside.member)
        with suppress(BrokenError):
            inside.transport.connect(middle.member).send([b"x"])
        outside.transport.connect(outer_member(middle)).send([b"x"])
        wait_until(lambda: len(middle.refused) >= 2)
        assert middle.bodies() == []


def outer_member(station: Station) -> Member:
    assert isinstance(station.transport, BorderedTransport)
    return replace(station.member, endpoint=station.transport.open().endpoint)


class ZmqContract(TransportContract):
    """What is half done is let go of: looked for where it would be."""

    overtakes: ClassVar = True

    @contextmanager
    def half_done(self) -> Iterator[tuple[Station, Station]]:
        """Two stations with a message between them that cannot go on, since its sender does not read."""
        sender, receiver = self.station(1), self.station(2)
        try:
            sender.transport.admit(receiver.member)
            receiver.transport.admit(sender.member)
            receiver.start()
            link = sender.transport.connect(receiver.member)
            link.send([b"large", bytes(16 * 1024 * 1024)], 1)
            link.send([b"small"])
            receiver.wait_for(1)
            assert [len(each) for each in streams_at(receiver)] == [1]
            yield sender, receiver
        finally:
            sender.close()
            receiver.close()

    def test_an_expelled_peer_leaves_no_half_message(self) -> None:
        with self.half_done() as (sender, receiver):
            receiver.transport.expel(sender.member)
            assert streams_at(receiver) == []
            sender.start()
            sender.transport.connect(receiver.member).send([b"after"])
            receiver.wait_refused()
            assert streams_at(receiver) == []
            assert receiver.bodies() == [b"small"]

    def test_a_closed_receiver_keeps_no_half_message(self) -> None:
        with self.half_done() as (_, receiver):
            receiver.close()
            assert streams_at(receiver) == []

    def test_nothing_waits_for_a_peer_that_was_expelled_by_the_sender(self) -> None:
        with self.half_done() as (sender, receiver):
            link = sender.transport.connect(receiver.member)
            sender.transport.expel(receiver.member)
            link.send([b"lost"])
            link.send([b"lost", bytes(2 * 1024 * 1024)], 1)
            link.close()
            with pytest.raises(BrokenError):
                link.send([b"too late", bytes(2 * 1024 * 1024)], 1)

    @pytest.mark.parametrize(
        "frames",
        [
            [written(OpenHeader(5)), b"no lengths"],
            [written(OpenHeader(5)), (2**62).to_bytes(8, "little")],
            [written(ChunkHeader(5, 0)), b"of nothing"],
            [written(TakenHeader(1))],
            [written(OpenHeader(5))],
            [b"\x92\x07\xc0", b""],
        ],
    )
    def test_a_member_that_breaks_the_rules_of_streams_is_told_and_counted(self, frames: list[bytes]) -> None:
        with self.stations(2) as (one, two):
            two.transport.connect(one.member).send([b"from two"])
            link = one.transport.connect(two.member)
            link.send(frames)
            two.wait_refused()
            assert two.transport.audit.counts["protocol"] == 1
            link.send([b"large", bytes(2_000_000)])
            two.wait_for(1)
            assert two.bodies() == [b"large"]

    def test_a_message_that_cannot_be_copied_does_not_hold_up_its_lane(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def interrupted(frames: object, size: int) -> Iterator[bytes]:
            yield b"a beginning"
            raise KeyboardInterrupt

        with self.stations(2) as (one, two):
            link = one.transport.connect(two.member)
            with monkeypatch.context() as patch:
                patch.setattr(zmq_link, "cut", interrupted)
                with pytest.raises(KeyboardInterrupt):
                    link.send([b"large", bytes(2_000_000)], 1)
            link.send([b"next"], 1)
            two.wait_for(1)
            assert two.bodies() == [b"next"]

    def test_what_has_arrived_is_not_kept(self) -> None:
        with self.stations(2) as (one, two):
            link = one.transport.connect(two.member)
            assert isinstance(link, zmq_link.ZmqLink)
            for number in range(1000):
                link.send([b"%d" % number, bytes(2_000_000 if number % 500 == 0 else 10)])
            two.wait_for(1000)
            wait_until(lambda: not link._unconfirmed)
            wait_until(lambda: not link._is_watched)

    @pytest.mark.parametrize(
        "header",
        [
            written(ArrivedHeader(1, 1000)),
            written(MissedHeader(1, 1000, 1)),
            written(OpenHeader(1)),
            written(CreditHeader(1, 1)),
            b"",
        ],
    )
    def test_what_cannot_be_true_about_the_connection_is_counted(self, header: bytes) -> None:
        with self.stations(2) as (one, two):
            two.transport.connect(one.member).send([b"from two"])
            link = one.transport.connect(two.member)
            assert isinstance(link, zmq_link.ZmqLink)
            link.say(header)
            two.wait_refused()
            assert two.transport.audit.counts["protocol"] == 1
            link.send([b"large", bytes(2_000_000)])
            two.wait_for(1)

    def test_a_link_that_is_opened_again_begins_anew(self) -> None:
        with self.stations(2) as (one, two):
            for number in range(3):
                link = one.transport.connect(two.member)
                for _ in range(10):
                    link.send([b"%d" % number])
                two.wait_for(10 * (number + 1))
                link.close()
            assert two.bodies() == [b"%d" % number for number in range(3) for _ in range(10)]


def streams_at(station: Station) -> list[Incoming]:
    assert isinstance(station.transport, ZmqTransport)
    return list(station.transport._incoming.values())


class TestZmqIpc(ZmqContract):
    @pytest.fixture(autouse=True)
    def directory(self) -> Iterator[None]:
        self._directory = make_runtime_dir()
        yield
        remove_runtime_dir(self._directory)

    def make_transport(self, hello: Hello) -> tuple[Transport, str]:
        return ZmqTransport(hello, runtime_dir=self._directory), ""


class TestZmqTcp(ZmqContract):
    host: ClassVar = "127.0.0.1"

    def make_transport(self, hello: Hello) -> tuple[Transport, str]:
        keys = new_key_pair()
        transport = ZmqTransport(hello, runtime_dir=None, listening=self.listening(), keys=keys)
        return transport, keys.public

    def listening(self) -> Listening:
        return Listening(self.host)


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no ::1")
class TestZmqTcpOverIpv6(TestZmqTcp):
    host: ClassVar = "::1"


class TestZmqTcpOnEveryInterface(TestZmqTcp):
    """It listens on all, and one address is said to others."""

    def listening(self) -> Listening:
        return read_listening("*", advertise="127.0.0.1", allow_wildcard=True, where="tcp")


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no ::1")
def test_the_wildcard_listens_for_both_families() -> None:
    listening = read_listening("*", advertise="localhost", allow_wildcard=True, where="tcp")
    with listener(listening) as endpoint:
        assert str(endpoint) == f"tcp://localhost:{endpoint.port}"
        for host in ("127.0.0.1", "::1"):
            socket.create_connection((host, endpoint.port)).close()


def test_one_address_listens_for_no_other() -> None:
    with listener(Listening("127.0.0.1")) as endpoint, pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", endpoint.port))


def test_the_first_free_port_of_a_range_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        first = taken.getsockname()[1]
        with listener(Listening("127.0.0.1", range(first, first + 10))) as endpoint:
            assert first < endpoint.port < first + 10
        with pytest.raises(EnvStartError, match=f"port {first} is taken; free one, or widen"):
            make_listener(Listening("127.0.0.1", range(first, first + 1)))


def test_a_forwarded_port_is_said_to_others() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with listener(read_listening("127.0.0.1", str(port), "[2001:db8::7]:7000", where="tcp")) as endpoint:
        assert str(endpoint) == "tcp://[2001:db8::7]:7000"
        socket.create_connection(("127.0.0.1", port)).close()


def test_what_is_no_address_of_this_machine_is_named() -> None:
    with pytest.raises(EnvStartError, match=r"env1 cannot listen on \[2001:db8::7\]:5000: "):
        make_listener(Listening("2001:db8::7", range(5000, 5001)))


def make_listener(listening: Listening) -> ZmqTransport:
    hello = Hello("c" * 16, 1, "1" * 32)
    return ZmqTransport(hello, runtime_dir=None, listening=listening, keys=new_key_pair())


@contextmanager
def listener(listening: Listening) -> Iterator[TcpEndpoint]:
    """What others are to connect to, where a transport listens."""
    transport = make_listener(listening)
    try:
        endpoint = read_endpoint(transport.endpoint)
        assert isinstance(endpoint, TcpEndpoint)
        yield endpoint
    finally:
        transport.close()


class TestBrokenTcp(HalfBrokenLineContract):
    host: ClassVar = "127.0.0.1"

    @pytest.fixture(autouse=True)
    def impatience(self, monkeypatch: pytest.MonkeyPatch) -> None:
        soon = zmq_sockets._TIMES._replace(heartbeat=200, silence=1_000)
        monkeypatch.setattr(zmq_sockets, "_TIMES", soon)

    def make_network(self) -> ProxiedNetwork:
        return ProxiedNetwork(host=self.host)


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no ::1")
class TestBrokenTcpOverIpv6(TestBrokenTcp):
    host: ClassVar = "::1"


class TestBrokenIpc(BrokenLineContract):
    cuts: ClassVar = 5

    @pytest.fixture(autouse=True)
    def directory(self) -> Iterator[None]:
        self._directory = make_runtime_dir()
        yield
        remove_runtime_dir(self._directory)

    def make_network(self) -> ProxiedNetwork:
        return ProxiedNetwork(self._directory)
