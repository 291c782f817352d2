"""Claims about strangers at the port of a Corps: what they say costs little, and nothing of it runs."""

import os
import select
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock, Thread
from typing import Final

import psutil
import pytest

from corps.endpoints import TcpEndpoint, read_endpoint
from tests.forks import Forks
from tests.integration.elsewhere import Listening, User
from tests.integration.other_corps import other_corps

LIMIT: Final = 60.0
MIB: Final = 1024 * 1024
GREETING: Final = b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"CURVE".ljust(20, b"\0") + bytes(32)
CURVE_HELLO: Final = b"\x04\xc8\x05HELLO\x01\x00" + bytes(72 + 32 + 8 + 80)
TWO_GIB: Final = b"\x06" + (2**31).to_bytes(8, "big")

COUNTER = """
import corps

class Counter(corps.Corps):
    def __init__(self):
        self.calls = 0

    def count(self):
        self.calls += 1
        return self.calls

    def seen(self):
        return self.calls
"""


@pytest.fixture
def ann(tmp_path: Path, forks: Forks) -> User:
    return User(tmp_path, "ann", forks=forks)


@pytest.fixture
def counter(ann: User) -> Iterator[Listening]:
    options = ("--listen", "127.0.0.1", "--set", "handshake_timeout=1")
    with ann.corps(COUNTER, "counter", *options) as listening:
        yield listening


def place_of(listening: Listening) -> tuple[str, int]:
    endpoint = read_endpoint(listening.addresses[0])
    assert isinstance(endpoint, TcpEndpoint)
    return endpoint.host, endpoint.port


def asked(ann: User, address: str, method: str = "seen") -> str:
    """Call the Corps once, from elsewhere; return what it has said."""
    return ann.run(
        f"with corps.connect({address!r}) as counter: print(counter.{method}().ret)", timeout=LIMIT
    ).strip()


def envs_of(listening: Listening) -> list[psutil.Process]:
    return psutil.Process(listening.process.pid).children(recursive=True)


def test_connections_that_claim_gigabytes_take_no_memory(ann: User, counter: Listening) -> None:
    assert asked(ann, counter.addresses[0], "count").endswith("1")
    before = {each: each.memory_info().rss for each in envs_of(counter)}
    claims = [socket.create_connection(place_of(counter), LIMIT) for _ in range(100)]
    try:
        for sock in claims:
            sock.settimeout(LIMIT)
            with suppress(ConnectionError):
                sock.sendall(GREETING + TWO_GIB + bytes(65_536))
        assert asked(ann, counter.addresses[0]) == "1"
        grown = {each.pid: (each.memory_info().rss - size) / MIB for each, size in before.items()}
    finally:
        for sock in claims:
            sock.close()
    assert max(grown.values()) <= 16, grown


@pytest.mark.parametrize("start", [b"", GREETING], ids=["from the first byte", "after the greeting"])
def test_a_connection_that_says_one_byte_at_a_time_is_cut_off(
    ann: User, counter: Listening, start: bytes
) -> None:
    slow = [socket.create_connection(place_of(counter), LIMIT) for _ in range(10)]
    left = {sock.fileno(): sock for sock in slow}
    cut = select.poll()
    for sock in slow:
        sock.sendall(start)
        cut.register(sock, select.POLLRDHUP)
    assert asked(ann, counter.addresses[0]) == "0"
    try:
        for byte in GREETING + CURVE_HELLO if not start else CURVE_HELLO:
            for fd, _ in cut.poll(20):
                cut.unregister(fd)
                del left[fd]
            for sock in left.values():
                with suppress(ConnectionError):
                    sock.send(bytes([byte]))
        assert not left
        assert asked(ann, counter.addresses[0]) == "0"
    finally:
        for sock in slow:
            sock.close()


class Recorder:
    """Passes connections on to an address, and keeps what their clients have sent. Each has two threads."""

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lock = Lock()  # protects what follows
        self._streams: list[bytearray] = []
        self._open: list[socket.socket] = [self._listener]
        self.threads = [Thread(target=self._accept, daemon=True)]
        self.threads[0].start()

    @property
    def address(self) -> str:
        return f"tcp://127.0.0.1:{self._listener.getsockname()[1]}"

    def streams(self) -> list[bytes]:
        with self._lock:
            return [bytes(stream) for stream in self._streams]

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._target)
                stream = bytearray()
                with self._lock:
                    self._streams.append(stream)
                    self._open += [client, server]
                for source, sink, kept in ((client, server, stream), (server, client, None)):
                    thread = Thread(target=self._pass_on, args=(source, sink, kept), daemon=True)
                    self.threads.append(thread)
                    thread.start()

    def _pass_on(self, source: socket.socket, sink: socket.socket, kept: bytearray | None) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                if kept is not None:
                    with self._lock:
                        kept += data
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        with self._lock:
            for sock in self._open:
                with suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
                sock.close()
        for thread in self.threads:
            thread.join(LIMIT)


@contextmanager
def recorder(target: tuple[str, int]) -> Iterator[Recorder]:
    made = Recorder(target)
    try:
        yield made
    finally:
        made.close()


def test_a_session_that_was_recorded_on_the_way_runs_nothing_when_it_is_sent_again(
    ann: User, counter: Listening
) -> None:
    with recorder(place_of(counter)) as between:
        calls = ann.run(
            f"""
            with corps.connect({between.address!r}) as counter:
                print([counter.count().ret for _ in range(20)][-1])
            """
        )
        assert calls.endswith("20\n"), calls
        streams = between.streams()
    assert max(map(len, streams)) > 20 * 50  # the calls are there
    for stream in streams * 3:
        with socket.create_connection(place_of(counter), LIMIT) as again, suppress(ConnectionError):
            again.sendall(stream)
            again.shutdown(socket.SHUT_WR)
            while again.recv(65_536):
                pass
    assert asked(ann, counter.addresses[0]) == "20"


# Another user of this host

INTRUDER = """
import os, socket, sys
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
record, place, *pids = sys.argv[1:]

def tried(what, how):
    try:
        how()
    except OSError as error:
        return
    print("succeeded:", what)

def speak(path):
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(30)
        sock.connect(path)
        sock.sendall(bytes(100))
        if not sock.recv(1):
            raise OSError("it was cut off")

tried("the connection file", lambda: open(record).close())
tried("the directory", lambda: os.listdir(place))
for name in sys.stdin.read().split():
    tried("a socket", lambda: speak(f"{place}/{name}"))
for pid in pids:
    tried("the environment", lambda: open(f"/proc/{pid}/environ").read())
    tried("the memory", lambda: open(f"/proc/{pid}/mem", "rb").close())
    tried("the descriptors", lambda: os.listdir(f"/proc/{pid}/fd"))
    tried("a signal", lambda: os.kill(int(pid), 0))
print("done")
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can start a process of another user")
@pytest.mark.parametrize("is_open", [False, True], ids=["as it is", "with the directory open to all"])
def test_another_user_of_the_host_gets_at_nothing(tmp_path: Path, is_open: bool) -> None:
    with other_corps(tmp_path, COUNTER) as other:
        pids = [str(each) for each in (other.booting.pid, *other.pids.values())]
        sockets = [
            Path(str(connection.laddr))
            for pid in pids
            for connection in psutil.Process(int(pid)).net_connections("unix")
            if str(connection.laddr).startswith("/")
        ]
        place = sockets[0].parent
        if is_open:
            place.chmod(0o755)
            for path in place.glob("*.sock"):
                path.chmod(0o777)
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(INTRUDER), str(other.record), str(place), *pids],
            input="\n".join(path.name for path in place.glob("*.sock")),
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )
        place.chmod(0o700)
        found = set(done.stdout.splitlines())
        assert done.returncode == 0, done.stderr
        assert found - ({"succeeded: the directory"} if is_open else set()) == {"done"}
        for pid in pids:
            os.kill(int(pid), 0)  # all live
