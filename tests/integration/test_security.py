"""The security properties of a Corps, as an attacker would try them. Each is said in docs/design/security."""

import os
import pickle
import resource
import secrets
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
import zmq
from zmq.utils.monitor import recv_monitor_message

import corps
from corps.addresses import ENV_MGR
from corps.errors import BrokenError, NoSuchMethod
from corps.launchers.local.runtime_dir import make_runtime_dir, remove_runtime_dir, user_dir
from corps.managers.assembly import build_env, env_options
from corps.managers.corps_mgr import CorpsMgr
from corps.managers.env_mgr import EnvMgr
from corps.messages.members import Member
from corps.messages.outcomes import Value
from corps.messages.requests import CALL, GET, PINNED, SET, Kind
from corps.peers.answering import Answering
from corps.runtime.cells.constructing import construct_here
from corps.runtime.cells.records import Record
from corps.runtime.env import Env
from corps.security.keys import KeyPair, new_key_pair
from corps.settings import Settings
from corps.testing.memory_corps import memory_corps
from corps.transport.strangers import MOST
from corps.transport.zeromq import sockets as zmq_sockets
from corps.transport.zeromq.transport import ZmqTransport
from corps.wire.frames import Frame, Hello, RequestHeader
from corps.wire.link_frames import PREFIX
from tests.contract.stations import Station
from tests.unit.wire.writing import written

CORPS = "0123456789abcdef"
MS = 20_000  # milliseconds that anything may take
EVENTS = (
    zmq.EVENT_HANDSHAKE_SUCCEEDED
    | zmq.EVENT_HANDSHAKE_FAILED_AUTH
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
    | zmq.EVENT_DISCONNECTED
)


class Attacker:
    """Raw sockets, which say whatever they like."""

    def __init__(self) -> None:
        self.context = zmq.Context()
        self.sockets: list[tuple[zmq.Socket[bytes], zmq.Socket[bytes] | None]] = []

    def connect(
        self,
        server: Member,
        keys: KeyPair | None = None,
        server_key: str | None = None,
        routing_id: bytes | None = None,
        watch: bool = False,
    ) -> "tuple[zmq.Socket[bytes], zmq.Socket[bytes] | None]":
        dealer = self.context.socket(zmq.DEALER)
        dealer.linger = 0
        if keys is not None:
            dealer.curve_publickey = keys.public.encode()
            dealer.curve_secretkey = keys.secret.encode()
            dealer.curve_serverkey = (server_key or server.public_key).encode()
        if routing_id is not None:
            dealer.setsockopt(zmq.ROUTING_ID, routing_id)
        monitor = dealer.get_monitor_socket(EVENTS) if watch else None
        self.sockets.append((dealer, monitor))
        dealer.connect(server.endpoint)
        return dealer, monitor

    def say(self, dealer: "zmq.Socket[bytes]", hello: Hello, *messages: list[bytes]) -> None:
        for number, message in enumerate(([hello.header()], *messages)):
            self.send(dealer, number, message)

    def send(self, dealer: "zmq.Socket[bytes]", number: int, message: list[bytes]) -> None:
        """Sends it, if libzmq takes it: after a refused handshake it gives up the connection."""
        with suppress(zmq.Again):
            dealer.send_multipart(numbered(number, message), zmq.NOBLOCK)

    def close(self) -> None:
        for dealer, monitor in self.sockets:
            if monitor is not None:
                dealer.disable_monitor()
                monitor.close(linger=0)
            dealer.close(linger=0)
        self.context.term()


@pytest.fixture
def attacker() -> Iterator[Attacker]:
    attacker = Attacker()
    yield attacker
    attacker.close()


def routing_id(incarnation: str, link: int = 1) -> bytes:
    return b"E" + bytes.fromhex(incarnation) + link.to_bytes(4, "big")


def numbered(number: int, message: list[bytes]) -> list[Frame]:
    """A message as it goes over a link: 0 is that of a HELLO."""
    return [PREFIX.pack(number, 1) + message[0], *message[1:]]


class Server(Station):
    """A station over TCP, with its keys."""

    def __init__(
        self, env: int = 1, max_frame: int = 64 * 1024 * 1024, handshake_timeout: float = 3.0
    ) -> None:
        self.keys = new_key_pair()
        self.hello = Hello(CORPS, env, secrets.token_hex(16))
        transport = ZmqTransport(
            self.hello,
            runtime_dir=None,
            keys=self.keys,
            max_frame=max_frame,
            handshake_timeout=handshake_timeout,
        )
        super().__init__(transport, Member(env, self.hello.incarnation, transport.endpoint, self.keys.public))


@contextmanager
def servers(n: int) -> Iterator[list[Server]]:
    made = [Server(env) for env in range(1, n + 1)]
    try:
        yield made
    finally:
        for each in made:
            each.close()


def outcome_of_handshake(monitor: "zmq.Socket[bytes] | None") -> int:
    assert monitor is not None
    assert monitor.poll(MS), "the connection neither came about nor failed"
    return int(recv_monitor_message(monitor)["event"])


# Who gets in over TCP


@pytest.mark.parametrize("case", ["no key", "unknown key", "wrong server key", "expelled"])
def test_over_tcp_only_the_right_key_gets_a_message_through(attacker: Attacker, case: str) -> None:
    with servers(2) as (server, honest):
        server.transport.admit(honest.member)
        server.start()
        keys: KeyPair | None = new_key_pair()
        incarnation = secrets.token_hex(16)
        intruder = Member(3, incarnation, "", keys.public if keys is not None else "")
        server_key = None
        if case == "no key":
            server.transport.admit(intruder)
            keys = None
        elif case == "wrong server key":
            server.transport.admit(intruder)
            server_key = new_key_pair().public
        elif case == "expelled":
            server.transport.admit(intruder)
            server.transport.expel(intruder)
        dealer, monitor = attacker.connect(
            server.member, keys, server_key, routing_id(incarnation), watch=True
        )
        attacker.say(dealer, Hello(CORPS, 3, incarnation), [b"let me in"])
        assert outcome_of_handshake(monitor) != zmq.EVENT_HANDSHAKE_SUCCEEDED
        honest.transport.connect(server.member).send([b"hello"])
        server.wait_for(1)
        assert server.bodies() == [b"hello"]


def test_over_tcp_nobody_gets_in_before_somebody_judges(attacker: Attacker) -> None:
    with servers(2) as (server, honest):
        server.transport.admit(honest.member)
        honest.transport.connect(server.member).send([b"hello"])
        incarnation = secrets.token_hex(16)
        dealer, monitor = attacker.connect(
            server.member, new_key_pair(), routing_id=routing_id(incarnation), watch=True
        )
        attacker.say(dealer, Hello(CORPS, 2, incarnation), [b"let me in"])
        assert monitor is not None
        assert not monitor.poll(0)
        server.start()
        assert outcome_of_handshake(monitor) != zmq.EVENT_HANDSHAKE_SUCCEEDED
        server.wait_for(1)
        assert server.bodies() == [b"hello"]


def test_over_tcp_nobody_gets_in_when_the_one_that_judged_has_gone(attacker: Attacker) -> None:
    server = Server()
    transport = server.transport
    assert isinstance(transport, ZmqTransport)
    keys, incarnation = new_key_pair(), secrets.token_hex(16)
    transport.admit(Member(2, incarnation, "", keys.public))
    transport._zap.socket.close()
    try:
        for right in (keys, new_key_pair()):
            dealer, monitor = attacker.connect(
                server.member, right, routing_id=routing_id(incarnation), watch=True
            )
            attacker.say(dealer, Hello(CORPS, 2, incarnation), [b"let me in"])
            assert outcome_of_handshake(monitor) != zmq.EVENT_HANDSHAKE_SUCCEEDED
        assert transport._router.poll(0) == 0
    finally:
        server.close()


def test_an_expelled_peer_that_is_still_connected_gets_nothing_through(attacker: Attacker) -> None:
    with servers(2) as (server, honest):
        server.transport.admit(honest.member)
        server.start()
        keys, incarnation = new_key_pair(), secrets.token_hex(16)
        member = Member(3, incarnation, "", keys.public)
        server.transport.admit(member)
        dealer, _ = attacker.connect(server.member, keys, routing_id=routing_id(incarnation))
        attacker.say(dealer, Hello(CORPS, 3, incarnation), [b"before"])
        server.wait_for(1)
        server.transport.expel(member)
        attacker.send(dealer, 2, [b"after"])
        server.wait_refused()
        honest.transport.connect(server.member).send([b"hello"])
        server.wait_for(2)
        assert server.bodies() == [b"before", b"hello"]


@pytest.mark.parametrize("claim", ["incarnation", "env", "corps", "routing id", "nothing"])
def test_nobody_speaks_for_another_env(attacker: Attacker, claim: str) -> None:
    with servers(3) as (server, victim, other):
        server.transport.admit(victim.member)
        server.start()
        keys, incarnation = new_key_pair(), secrets.token_hex(16)
        server.transport.admit(Member(3, incarnation, "", keys.public))
        speaks_as = victim.member.incarnation if claim == "incarnation" else incarnation
        own_id = victim.member.incarnation if claim in {"incarnation", "routing id"} else incarnation
        env = {"incarnation": 2, "env": 2}.get(claim, 3)
        corps_id = "f" * 16 if claim == "corps" else CORPS
        dealer, _ = attacker.connect(server.member, keys, routing_id=routing_id(own_id))
        if claim == "nothing":
            attacker.send(dealer, 1, [b"no hello"])
        else:
            attacker.say(dealer, Hello(corps_id, env, speaks_as), [b"believe me"])
        server.wait_refused()
        server.transport.admit(other.member)
        other.transport.connect(server.member).send([b"hello"])
        server.wait_for(1)
        assert server.bodies() == [b"hello"]
        assert server.transport.audit.counts["hello"] >= 1


def test_a_member_that_takes_the_place_of_another_gets_nothing_through_and_the_other_does(
    attacker: Attacker, monkeypatch: pytest.MonkeyPatch
) -> None:
    soon = zmq_sockets._TIMES._replace(heartbeat=200, silence=1_000)  # so that the other one notices
    monkeypatch.setattr(zmq_sockets, "_TIMES", soon)
    with servers(2) as (server, victim):
        server.transport.admit(victim.member)
        victim.transport.admit(server.member)
        victim.start()
        server.start()
        link = victim.transport.connect(server.member)
        link.send([b"0"])
        server.wait_for(1)
        keys = new_key_pair()
        server.transport.admit(Member(3, secrets.token_hex(16), "", keys.public))
        dealer, _ = attacker.connect(server.member, keys, routing_id=routing_id(victim.member.incarnation))
        attacker.say(dealer, Hello(CORPS, 2, victim.member.incarnation), *[[b"believe me"]] * 100)
        server.wait_refused()
        for number in range(1, 100):
            link.send([b"%d" % number])
        server.wait_for(100)
        assert server.bodies() == [b"%d" % number for number in range(100)]
        assert set(server.refused) <= {"hello", "identity"}


@pytest.mark.parametrize("user", [None, "somebody else"])
def test_a_key_is_compared_for_every_message(user: str | None) -> None:
    with servers(2) as (server, victim):
        server.transport.admit(victim.member)
        transport = server.transport
        assert isinstance(transport, ZmqTransport)
        own = routing_id(victim.member.incarnation)
        transport._take(own, victim.member.incarnation, numbered(0, [victim.hello.header()]))
        transport._take(own, user, numbered(1, [b"believe me"]))
        assert transport.audit.counts == {"identity": 1}


# What costs little to send must cost little to refuse


def push(raw: socket.socket, start: bytes) -> None:
    """Send half a GiB, as long as somebody takes it."""
    raw.sendall(start)
    for _ in range(8 * 1024):
        raw.sendall(bytes(65_536))


GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"CURVE".ljust(20, b"\0") + bytes(32)


@pytest.mark.parametrize(
    "start",
    [
        pytest.param(GREETING + b"\x06" + (2**31).to_bytes(8, "big"), id="a command of 2 GiB"),
        pytest.param(GREETING + b"\x02" + (2**62).to_bytes(8, "big"), id="a message of 4 EiB"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", id="no ZeroMQ at all"),
    ],
)
def test_who_pushes_bytes_before_it_has_proved_who_it_is_gets_cut(start: bytes) -> None:
    with servers(2) as (server, honest):
        server.transport.admit(honest.member)
        server.start()
        host, port = server.member.endpoint.removeprefix("tcp://").split(":")
        before = psutil.Process().memory_info().rss
        with socket.create_connection((host, int(port)), MS / 1000) as raw, pytest.raises(ConnectionError):
            push(raw, start)
        assert psutil.Process().memory_info().rss - before < 32 * 1024 * 1024
        honest.transport.connect(server.member).send([b"hello"])
        assert server.wait_for(1) == [(2, [b"hello"])]


class Idle:
    """So many connections over TCP that say nothing."""

    def __init__(self, endpoint: str, count: int) -> None:
        host, port = endpoint.removeprefix("tcp://").split(":")
        self.poll = select.poll()
        self.open: dict[int, socket.socket] = {}
        for _ in range(count):
            sock = socket.create_connection((host, int(port)), MS / 1000)
            self.open[sock.fileno()] = sock
            self.poll.register(sock, select.POLLRDHUP)

    def wait_until_left(self, most: int) -> None:
        """Wait until at most so many of them have not been cut off."""
        while len(self.open) > most:
            cut = self.poll.poll(MS)
            assert cut, f"{len(self.open)} connections are left"
            for fd, _ in cut:
                self.poll.unregister(fd)
                self.open.pop(fd).close()

    def close(self) -> None:
        for sock in self.open.values():
            sock.close()


@pytest.fixture
def many_descriptors() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("many_descriptors")
def test_over_tcp_few_connections_may_be_silent_at_once_and_members_get_in() -> None:
    # Far more time than the test has: it is their number that cuts them off.
    server = Server(1, handshake_timeout=600)
    old, new = Server(2), Server(3)
    try:
        for each in (old, new):
            server.transport.admit(each.member)
            each.transport.admit(server.member)
        server.start()
        link = old.transport.connect(server.member)
        link.send([b"before"])
        server.wait_for(1)
        idle = Idle(server.member.endpoint, 500)
        try:
            idle.wait_until_left(MOST + 2)  # as many more as have proved who they are
            link.send([b"as ever"])
            new.transport.connect(server.member).send([b"hello"])
            server.wait_for(3)
            assert sorted(server.bodies()) == [b"as ever", b"before", b"hello"]
            assert set(server.refused) == {"connection"}
            assert len(idle.open) >= MOST - 2
        finally:
            idle.close()
    finally:
        for each in (server, old, new):
            each.close()


# Who gets in over ipc

OTHER_USER = """
import os, sys, zmq
endpoint, routing_id, hello = sys.argv[1], bytes.fromhex(sys.argv[2]), bytes.fromhex(sys.argv[3])
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
context = zmq.Context()
dealer = context.socket(zmq.DEALER)
dealer.linger = 0
dealer.setsockopt(zmq.ROUTING_ID, routing_id)
dealer.connect(endpoint)
dealer.send(hello)
dealer.send(bytes((1, *bytes(7), 1, *bytes(3))) + b"let me in")
sys.stdin.read()
"""


@pytest.fixture
def directory() -> Iterator[str]:
    path = make_runtime_dir()
    yield path
    os.chmod(path, 0o700)
    remove_runtime_dir(path)


def ipc_station(directory: str, env: int) -> tuple[Station, Hello]:
    hello = Hello(CORPS, env, secrets.token_hex(16))
    transport = ZmqTransport(hello, runtime_dir=directory)
    return Station(transport, Member(env, hello.incarnation, transport.endpoint)), hello


PLANTED = """
import os, sys, zmq
os.setuid(65534)
router = zmq.Context().socket(zmq.ROUTER)
router.bind(sys.argv[1])
print("bound", flush=True)
sys.stdin.read()
print("got a message" if router.poll(0) else "got nothing", flush=True)
os._exit(0)
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can start a process of another user")
def test_over_ipc_nothing_is_sent_to_a_socket_of_another_user(directory: str) -> None:
    os.chown(directory, 65534, -1)
    endpoint = f"ipc://{directory}/1-planted.sock"
    command = [sys.executable, "-c", PLANTED, endpoint]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as planted:
        assert planted.stdout is not None
        assert planted.stdout.readline() == "bound\n"
        os.chown(directory, os.getuid(), -1)
        victim, _ = ipc_station(directory, 2)
        try:
            member = Member(1, secrets.token_hex(16), endpoint)
            victim.transport.admit(member)
            with pytest.raises(BrokenError, match="belongs to user 65534, not to 0"):
                victim.transport.connect(member)
            assert planted.communicate("")[0] == "got nothing\n"
        finally:
            victim.close()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can start a process of another user")
def test_over_ipc_another_user_is_refused_even_where_the_directory_is_open(directory: str) -> None:
    server, _ = ipc_station(directory, 1)
    honest, _ = ipc_station(directory, 2)
    victim = Hello(CORPS, 3, secrets.token_hex(16))
    try:
        server.transport.admit(honest.member)
        server.transport.admit(Member(3, victim.incarnation, ""))
        server.start()
        os.chmod(directory, 0o755)
        os.chmod(server.member.endpoint.removeprefix("ipc://"), 0o777)
        arguments = [
            server.member.endpoint,
            routing_id(victim.incarnation).hex(),
            numbered(0, [victim.header()])[0].hex(),
        ]
        with subprocess.Popen(
            [sys.executable, "-c", OTHER_USER, *arguments], stdin=subprocess.PIPE
        ) as process:
            server.wait_refused()
            honest.transport.connect(server.member).send([b"hello"])
            server.wait_for(1)
            process.communicate()
        assert process.returncode == 0
        assert server.refused[0] == "connection"
        assert server.bodies() == [b"hello"]
    finally:
        honest.close()
        server.close()


# Nothing is unpickled for strangers


class Canary:
    """Unpickling it makes a directory."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self._path),)


def deadly_request(path: Path) -> list[bytes]:
    header = RequestHeader(1, CALL, ENV_MGR, "statistics", None, None, 1)
    return [written(header), pickle.dumps(((), {"x": Canary(path)}))]


def env_over(transport: ZmqTransport) -> Env:
    env = build_env(CORPS, 1, env_options(Settings()), transport)
    assert env.peers is not None
    env.start_reading()
    return env


@pytest.mark.parametrize("who", ["no key", "unknown key", "expelled", "no hello", "a member"])
def test_bytes_of_a_stranger_are_never_unpickled(
    attacker: Attacker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, who: str
) -> None:
    answered: corps.Future[None] = corps.Future()
    monkeypatch.setattr(Answering, "answer", lambda *_: answered.settle(Value(None)))
    server = Server()
    transport = server.transport
    assert isinstance(transport, ZmqTransport)
    env = env_over(transport)
    transport.audit.watch = server._refuse  # instead of the Env, which has no listeners
    canary = tmp_path / "canary"
    keys, incarnation = new_key_pair(), secrets.token_hex(16)
    other = Member(2, incarnation, "tcp://127.0.0.1:1", keys.public)
    try:
        assert env.peers is not None
        if who in {"expelled", "no hello", "a member"}:
            env.peers.learn(other)
        if who == "expelled":
            env.peers.lose(2, "planted")
        dealer, monitor = attacker.connect(
            server.member,
            None if who == "no key" else keys,
            routing_id=routing_id(incarnation),
            watch=True,
        )
        if who != "no hello":
            attacker.say(dealer, Hello(CORPS, 2, incarnation))
        attacker.send(dealer, 1, deadly_request(canary))
        if who == "no hello":
            server.wait_refused()
        elif who == "a member":  # the canary does sing, where it may
            answered.result(MS / 1000)
        else:
            assert outcome_of_handshake(monitor) != zmq.EVENT_HANDSHAKE_SUCCEEDED
        env.ask(CALL, env.manager_of(env.id), "statistics", (), {}).result()
    finally:
        env.exit(env.manager_of(env.id)).result()
        env.close(5.0)
    assert canary.exists() == (who == "a member")


@pytest.mark.parametrize("name", ["_env", "__class__", "no_such_method"])
@pytest.mark.parametrize("kind", [CALL, GET, PINNED])
def test_nothing_is_unpacked_for_what_may_not_be_called(kind: Kind, name: str, tmp_path: Path) -> None:
    """Was a defect: what is for one incarnation of a worker was unpacked before the name was looked at."""
    canary = Canary(tmp_path / "canary")
    arguments = (1, int(CALL), canary) if kind == PINNED else (canary,)
    with memory_corps(2) as (near, far):
        error = near.env.ask(kind, far.env.manager_of(far.id), name, arguments, {}).exception()
    assert isinstance(error, NoSuchMethod)
    # A name without an underscore may be one of a data attribute, until its worker has none.
    may_be_there = name == "no_such_method" and kind != CALL
    assert (tmp_path / "canary").exists() == may_be_there


# What can be reached from afar


def every_attribute(worker: object) -> set[str]:
    """All there is, on the object, its class and the class of that, and what looks like a way in."""
    names = {*dir(worker), *dir(type(worker)), *dir(type), *vars(worker)}
    return names | {"a.b", "_env.close", "__class__.__init__", "", " ", "\u0661", "my_name ", "create\0"}


OFFERED = {"my_name", "my_self", "my_mgr", "my_corps", "my_tag", "my_class", "my_host", "my_children"}
HOOKS = {
    "main",
    "receive",
    "handle",
    "before",
    "process",
    "after",
    "reply",
    "cleanup",
    "my_env",
    "interleave",
}


@pytest.mark.parametrize("cls", [corps.Conc, corps.Corps, EnvMgr, CorpsMgr])
def test_of_the_systems_own_workers_only_marked_methods_can_be_reached(cls: type[Any]) -> None:
    interface = cls._corps_interface
    assert interface.methods >= OFFERED
    assert not HOOKS & interface.methods
    assert not [name for name in interface.methods if name.startswith("_")]
    with memory_corps(2) as (near, far):
        if cls is EnvMgr:
            manager = far.env.registry.find(ENV_MGR)
            assert manager is not None
            cell = manager
        else:
            record = Record(cls, (far.env, None) if cls is CorpsMgr else (), {})
            cell = far.env.lives.new_cell(record)
            construct_here(cell, record).result()
        worker = cell.performer.worker
        before = dict(vars(worker))
        reached = []
        for name in every_attribute(worker):
            asked: list[tuple[Kind, tuple[Any, ...]]] = [(CALL, ()), (GET, ()), (SET, (None,))]
            if name in interface.methods:
                asked.remove((CALL, ()))
            for kind, arguments in asked:
                error = near.env.ask(kind, cell.addr, name, arguments, {}).exception()
                if not isinstance(error, NoSuchMethod) and not (kind == SET and name.strip(" \0") == ""):
                    reached.append((kind, name, error))
        changed = {name for name in vars(worker) if vars(worker)[name] is not before.get(name, worker)}
    assert [entry for entry in reached if entry[0] != SET] == []
    # A new public data attribute can be set, as on every worker; nothing that was there can be changed.
    assert {name for _, name, _ in reached} <= {
        "a.b",
        "__class__.__init__",
        "\u0661",
        "my_name ",
        "create\0",
        "mro",
    }
    assert not changed & before.keys()


# A whole Corps


APPLICATION = """
import os
import corps

class Other(corps.Conc):
    restart = corps.Restart()

    def pid(self):
        return os.getpid()

    def secret(self):
        transport = self._corps_cell.env.peers._transport
        return transport._keys.secret if transport._keys is not None else ""

class App(corps.Corps):
    def __init__(self):
        self.others = corps.options().create_per_env(1, Other)

    def pids(self):
        return [other.pid().ret for other in self.others]

    def secrets(self):
        return [other.secret().ret for other in self.others]
"""


@contextmanager
def running(tmp_path: Path, **config: Any) -> Iterator[Any]:
    path = tmp_path / "application.py"
    path.write_text(APPLICATION)
    with corps.boot(path, envs=2, config=config) as app:
        yield app


def family() -> list[psutil.Process]:
    me = psutil.Process()
    return [me, *me.children(recursive=True)]


def listeners(before: frozenset[str] = frozenset()) -> set[str]:
    """Addresses on which processes of this family listen over TCP."""
    own = set()
    for process in family():
        for fd in Path(f"/proc/{process.pid}/fd").iterdir():
            try:
                own.add(os.readlink(fd))
            except OSError:
                continue  # closed meanwhile
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        if os.path.exists(table):
            for line in Path(table).read_text().splitlines()[1:]:
                local, state, inode = (line.split()[index] for index in (1, 3, 9))
                if state == "0A" and f"socket:[{inode}]" in own:
                    found.add(local)
    return found - before


def runtime_dirs() -> list[Path]:
    places = [Path(tempfile.gettempdir()), *([Path(own)] if (own := user_dir()) else [])]
    return [path for place in places for path in place.glob(f"corps-{os.getpid()}-*")]


def test_a_default_corps_listens_on_no_tcp_port(tmp_path: Path) -> None:
    before = frozenset(listeners())
    with running(tmp_path):
        assert listeners(before) == set()


def test_over_tcp_a_corps_listens_on_loopback_only_and_on_the_ports_it_was_told(tmp_path: Path) -> None:
    before = frozenset(listeners())
    first = 23_000 + os.getpid() % 20_000
    ports = range(first, first + 20)
    with running(tmp_path, transport="tcp", tcp={"ports": f"{ports[0]}-{ports[-1]}"}):
        found = listeners(before)
    assert len(found) == 4  # this process, the front, and two Envs
    assert {address.partition(":")[0] for address in found} == {"0100007F"}
    assert {int(address.partition(":")[2], 16) for address in found} <= set(ports)


@pytest.mark.usefixtures("many_descriptors")
def test_over_tcp_a_corps_heals_though_many_connections_are_silent(tmp_path: Path) -> None:
    before = frozenset(listeners())
    with running(tmp_path, transport="tcp", handshake_timeout=600) as app:
        pids = app.pids().ret
        ports = [int(address.partition(":")[2], 16) for address in listeners(before)]
        silent = [Idle(f"tcp://127.0.0.1:{port}", 500) for port in ports]
        try:
            for each in silent:
                each.wait_until_left(MOST + 20)
            os.kill(pids[0], signal.SIGKILL)
            while (found := app.pids()).exception() is not None or found.ret == pids:
                time.sleep(0.01)
            assert found.ret[1] == pids[1]
        finally:
            for each in silent:
                each.close()


def test_the_runtime_directory_is_closed_to_others(tmp_path: Path) -> None:
    before = set(runtime_dirs())  # other tests share a Corps for the whole session
    with running(tmp_path):
        (directory,) = set(runtime_dirs()) - before
        found = directory.stat()
        assert found.st_mode & 0o7777 == 0o700
        assert found.st_uid == os.getuid()
        assert len([path for path in directory.iterdir() if path.suffix == ".sock"]) == 4
    assert set(runtime_dirs()) == before


def test_no_secret_key_stands_where_others_could_read_it(tmp_path: Path) -> None:
    with running(tmp_path, transport="tcp") as app:
        keys = [key.encode() for key in app.secrets().ret]
        keys.append(app._env.peers._transport._keys.secret.encode())
        assert {len(key) for key in keys} == {40}
        for process in family():
            for where in ("cmdline", "environ", "comm"):
                text = Path(f"/proc/{process.pid}/{where}").read_bytes()
                assert not any(key in text for key in keys)
        for directory in runtime_dirs():
            for path in directory.rglob("*"):
                assert path.is_socket() or not any(key in path.read_bytes() for key in keys)


HERE = "tests/integration/test_security.py"
ACROSS = ("tests/integration/test_two_owners.py", "tests/integration/test_border_security.py")
QUICK = ("-m", "not hypothesis")
RULES = (
    "tests/unit/security",
    "tests/unit/peers/test_foreign.py",
    "tests/unit/peers/test_other_owners.py",
    "tests/unit/wire/test_frames.py",
    "tests/unit/packing/test_data.py",
    "tests/unit/packing/test_unpickler.py",
    "tests/unit/federation/test_private_dir.py",
    "tests/unit/launchers/local/test_runtime_dir.py",
)


@pytest.mark.skipif(not __debug__, reason="this is what runs with -O")
@pytest.mark.timeout(200)
@pytest.mark.parametrize(
    ("options", "tests"),
    [
        pytest.param(["-O"], [HERE], id="without assertions"),
        pytest.param(["-O"], ACROSS, id="without assertions, at the border"),
        pytest.param(["-OO"], [*RULES, *QUICK], id="without docstrings too"),
        pytest.param(["-X", "dev"], [*RULES, *QUICK], id="in the development mode"),
    ],
)
def test_all_of_this_holds_however_python_is_run(options: list[str], tests: list[str]) -> None:
    run = subprocess.run(
        [
            *(sys.executable, *options, "-m", "pytest", *tests, "-q", "-n0", "-p", "no:cacheprovider"),
            *("-W", "ignore::pytest.PytestConfigWarning"),  # it says that assertions are off
        ],
        cwd=Path(corps.__file__).parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
