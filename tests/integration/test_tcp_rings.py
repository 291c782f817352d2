"""Claims about Corps and scripts of two users over tcp: whose keys count, and what becomes of the others."""

import secrets
import signal
import socket
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from corps.clock import wall_time
from corps.endpoints import TcpEndpoint, read_endpoint
from corps.federation.keyring import KeyRingFiles
from corps.security.key_ring import AllowedKey, KeyRing, new_own_key
from corps.security.keys import new_key_pair
from tests.forks import Forks
from tests.integration.elsewhere import Listening, User

INDEX = """
import os
import corps

class Index(corps.Corps):
    def __init__(self):
        self.asked = 0

    @corps.public
    def search(self, word: str) -> str:
        self.asked += 1
        return f"{word} for {corps.caller().identity}"

    @corps.public
    def pid(self) -> int:
        return os.getpid()

    def secret(self):
        return "secret"

    def front(self):
        return os.getpid()
"""

CLIENT = """
class Index(corps.Corps):
    @corps.public
    def search(self, word: str) -> str: ...
    @corps.public
    def pid(self) -> int: ...
"""

ASK = (
    CLIENT
    + """
import sys
try:
    with corps.connect(sys.argv[1], Index) as app:
        print(app.search("word").ret)
        try:
            app.secret().ret
        except corps.CorpsError as error:
            print("refused")
except corps.CorpsError as error:
    print(type(error).__name__, error)
"""
)

# Calls until it fails, or until it has been told to stop by a line. It says what it has done so far.
LOAD = (
    CLIENT
    + """
import sys, threading
stop = threading.Event()
threading.Thread(target=lambda: (sys.stdin.readline(), stop.set()), daemon=True).start()
done = 0
with corps.connect(sys.argv[1], Index) as app:
    try:
        while not stop.is_set():
            app.search("word").ret
            done += 1
            if done % 100 == 0:
                print(done, flush=True)
        print("stopped", flush=True)
    except corps.CorpsError as error:
        print(type(error).__name__, getattr(error, "executed", None), error, flush=True)
"""
)


@pytest.fixture
def ann(tmp_path: Path, forks: Forks) -> User:
    return User(tmp_path, "ann", forks=forks)


@pytest.fixture
def bob(tmp_path: Path, forks: Forks) -> User:
    return User(tmp_path, "bob", forks=forks)


@pytest.fixture
def index(ann: User) -> Iterator[Listening]:
    with ann.corps(INDEX, "index", "--listen", "127.0.0.1") as listening:
        yield listening


def of_ann(index: Listening) -> str:
    return index.addresses[0].replace("tcp://", "tcp://ann@")


def test_users_that_allow_each_other_call_public_methods(ann: User, bob: User, index: Listening) -> None:
    ann.allow(bob)
    bob.allow(ann)
    said = bob.run(ASK, of_ann(index))
    assert said == "word for bob\nrefused\n", said


def test_the_owner_is_reached_by_their_own_key_and_not_as_another_user(ann: User, index: Listening) -> None:
    assert "word for own\n" in ann.run(ASK, index.addresses[0])
    assert "NoSuchKey the key ring has no key of 'bob'" in ann.run(
        ASK, index.addresses[0].replace("tcp://", "tcp://bob@")
    )


def test_a_key_that_is_not_allowed_is_refused_and_audited(ann: User, bob: User, index: Listening) -> None:
    bob.allow(ann)
    said = bob.run(ASK, of_ann(index))
    assert "\nUnreachable" in said, said
    assert f"does not accept the key {bob.key().public!r}" in said
    index.process.terminate()
    assert index.process.stderr is not None
    assert "is unknown" in index.process.stderr.read()


def test_a_server_without_the_key_that_is_wanted_is_refused(ann: User, bob: User, index: Listening) -> None:
    ann.allow(bob)
    carol = User(bob.config.parents[1], "ann-of-before")
    bob.ring.change(lambda ring: ring)
    bob.allow(carol)
    said = bob.run(ASK, index.addresses[0].replace("tcp://", "tcp://ann-of-before@"))
    assert "has none of the 1 keys that it may have" in said, said


def test_a_script_without_any_key_is_refused(bob: User, index: Listening) -> None:
    said = bob.run(ASK, index.addresses[0])
    assert "has none of the 1 keys that it may have" in said, said
    assert "made the first key of this user" in said


def wait_for_line(lines: Iterator[str], beginning: str) -> str:
    for line in lines:
        if line.startswith(beginning):
            return line
    raise AssertionError(f"no line begins with {beginning!r}")


@pytest.mark.parametrize("by", ["the server", "the client"])
def test_a_key_that_is_revoked_is_cut_off(ann: User, bob: User, index: Listening, by: str) -> None:
    ann.allow(bob)
    bob.allow(ann)
    with bob.script(LOAD, of_ann(index)) as load:
        assert load.stdout is not None
        wait_for_line(load.stdout, "100")
        ring, key = (ann.ring, bob.key()) if by == "the server" else (bob.ring, ann.key())
        ring.change(lambda known: known.with_revoked(key.public, wall_time()))
        said = [line for line in load.stdout if not line[0].isdigit()]
    assert said[0].startswith(("EnvLost", "Unreachable")), said
    assert "Unreachable" in bob.run(ASK, of_ann(index)) or by == "the client"


def test_a_key_that_expires_is_cut_off(ann: User, bob: User, index: Listening) -> None:
    ann.allow(bob)
    bob.allow(ann)
    with bob.script(LOAD, of_ann(index)) as load:
        assert load.stdout is not None
        wait_for_line(load.stdout, "100")
        end = AllowedKey("bob", bob.key().public, 0.0, expires=wall_time() + 0.5)
        ann.ring.change(lambda known: known.with_allowed(end))
        said = [line for line in load.stdout if not line[0].isdigit()]
    assert said[0].startswith(("EnvLost", "Unreachable")), said


def rotate(ring: KeyRingFiles, overlap: float) -> None:
    (name,) = {key.name for key in ring.read().own}
    ring.change(lambda known: known.rotated(name, new_own_key(name, new_key_pair(), wall_time()), overlap))


def test_a_rotation_with_an_overlap_fails_no_request(ann: User, index: Listening) -> None:
    with ann.script(LOAD, index.addresses[0]) as load:
        assert load.stdout is not None
        assert load.stdin is not None
        wait_for_line(load.stdout, "100")
        for done in (500, 1500):
            rotate(ann.ring, overlap=3600.0)
            assert "word for own\n" in ann.run(ASK, index.addresses[0])
            wait_for_line(load.stdout, f"{done}\n")
        load.stdin.write("stop\n")
        load.stdin.flush()
        assert wait_for_line(load.stdout, "stopped")
    with ann.corps(INDEX, "second", "--listen", "127.0.0.1") as second:  # it listens with the newest key
        assert "word for own\n" in ann.run(ASK, second.addresses[0])


def go_on_until(load: "subprocess.Popen[str]", end: float) -> None:
    """Let a load go on until a time. It says how much it has done all the while, or why it has failed."""
    assert load.stdout is not None
    while wall_time() < end:
        line = load.stdout.readline()
        assert line[:1].isdigit(), line


def stopped(load: "subprocess.Popen[str]") -> bool:
    assert load.stdout is not None
    assert load.stdin is not None
    load.stdin.write("stop\n")
    load.stdin.flush()
    return bool(wait_for_line(load.stdout, "stopped"))


def test_a_key_that_ends_is_replaced_while_all_goes_on(ann: User, bob: User, index: Listening) -> None:
    ann.allow(bob)
    bob.allow(ann)
    with ann.script(LOAD, index.addresses[0]) as own, bob.script(LOAD, of_ann(index)) as other:
        for load in (own, other):
            assert load.stdout is not None
            wait_for_line(load.stdout, "100")
        for _ in range(2):
            rotate(ann.ring, overlap=8.0)
            end = wall_time() + 8.0
            newest = AllowedKey("ann", ann.ring.read().current(wall_time()).public, 0.0)
            bob.ring.change(partial(KeyRing.with_allowed, key=newest))
            go_on_until(own, end + 1.0)
            go_on_until(other, end + 1.0)
        assert stopped(own)
        assert stopped(other)
    assert "word for own\n" in ann.run(ASK, index.addresses[0])
    assert "word for bob\n" in bob.run(ASK, of_ann(index))


def test_a_ring_that_cannot_be_read_lets_nobody_in(ann: User, index: Listening) -> None:
    with ann.script(LOAD, index.addresses[0]) as load:
        assert load.stdout is not None
        wait_for_line(load.stdout, "100")
        ann.ring.path.chmod(0o755)
        said = [line for line in load.stdout if not line[0].isdigit()]
        ann.ring.path.chmod(0o700)
    assert said[0].startswith(("EnvLost", "Unreachable")), said
    assert "word for own\n" in ann.run(ASK, index.addresses[0])


def test_garbage_on_the_port_harms_nobody(ann: User, index: Listening) -> None:
    endpoint = read_endpoint(index.addresses[0])
    assert isinstance(endpoint, TcpEndpoint)
    place = endpoint.host, endpoint.port
    with ann.script(LOAD, index.addresses[0]) as load:
        assert load.stdout is not None
        assert load.stdin is not None
        wait_for_line(load.stdout, "100")
        idle = [socket.create_connection(place) for _ in range(200)]
        for _ in range(200):
            with socket.create_connection(place) as sock:
                try:
                    sock.sendall(secrets.token_bytes(4096))
                except ConnectionError:
                    pass
        wait_for_line(load.stdout, "1000\n")
        assert "word for own\n" in ann.run(ASK, index.addresses[0])
        for sock in idle:
            sock.close()
        load.stdin.write("stop\n")
        load.stdin.flush()
        assert wait_for_line(load.stdout, "stopped")


def test_a_front_that_is_killed_is_found_again(ann: User) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    options = ("--listen", f"127.0.0.1:{port}", "--set", "listen.silence=1")
    source = INDEX + '    restart = corps.Restart("permanent")\n'
    with ann.corps(source, "index", *options):
        said = ann.run(
            """
            import os, signal, sys, time
            with corps.connect(sys.argv[1]) as app:
                before = app.front().ret
                waits = app.search("word")
                waits.ret
                os.kill(before, signal.SIGKILL)
                until = time.monotonic() + 40
                seen = set()
                while time.monotonic() < until:
                    try:
                        after = app.front().ret
                        if after != before:
                            break
                    except corps.EnvLost as error:
                        seen.add(type(error).__name__)
                        time.sleep(0.05)
                print("back" if after != before else "gone", sorted(seen))
            """,
            f"tcp://127.0.0.1:{port}",
        )
        assert said.startswith("back"), said


def test_a_corps_that_is_killed_is_unreachable(ann: User) -> None:
    with ann.corps(INDEX, "index", "--listen", "127.0.0.1") as index:
        with ann.script(
            "import os; os.environ['CORPS_LISTEN__SILENCE'] = '1'\n" + LOAD, index.addresses[0]
        ) as load:
            assert load.stdout is not None
            wait_for_line(load.stdout, "100")
            index.process.send_signal(signal.SIGKILL)
            said = [line for line in load.stdout if not line[0].isdigit()]
        index.process.wait(30)
    assert said[0].startswith(("EnvLost unknown", "Unreachable")), said
    assert "Connection refused" in ann.run(ASK, index.addresses[0])
