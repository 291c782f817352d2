"""One Env that a test drives by hand, step by step: its peer is a pair of plain sockets, and no thread runs.

``python -m tests.unit.core_side`` does the same in a process of its own. With the environment variable
`corps.core.PURE` that runs on the Python code, which defines what the native core does.
"""

import os
import pickle
import select
import socket
import subprocess
import sys
import tempfile
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from threading import RLock
from types import SimpleNamespace
from typing import Any, Final, cast

from corps import core
from corps.addresses import ConcAddr
from corps.errors import CorpsError
from corps.launch.default_options import DEFAULTS
from corps.messages.interfaces import Interface
from corps.messages.members import Member
from corps.messages.promises import Promise, Sent
from corps.messages.requests import CALL, Kind, Request
from corps.packing.identities import Identities
from corps.packing.packer import Packer
from corps.peers.journal import journal_path
from corps.peers.members import Peers
from corps.runtime.calls.futures import Future
from corps.runtime.cells.cell import Cell
from corps.runtime.env import Env
from corps.runtime.options import EnvOptions, WorkerOptions
from corps.runtime.threads.gates import Gate
from corps.transport.unix.transport import UnixTransport
from corps.wire.frames import CancelHeader, CreditHeader, Hello, frame_of, outcome_frame, request_frame
from corps.wire.stream import head
from tests.unit.transport.sides import CORPS, HandAlarms

ENV, PEER = 1, 2
OWN, ITS = "a" * 32, "b" * 32  # incarnations
CONC: Final = 70_000
WINDOW = (6, 6000)
METHODS = frozenset({"echo", "boom", "large", "odd", "missing"})
SMALL_BUFFER = 4608  # bytes that a socket has for what the peer has not read
SLOTS = 64
TURNS = 100  # of reading after one step, at most

Event = tuple[Any, ...]
Trace = list[Any]


class Worker:
    """What an author has written.

    All errors come from its own lines: without a frame of an author, the traceback of an error has the last
    frame of corps, which differs.
    """

    def __init__(self) -> None:
        self.ran: list[str] = []

    def __getattr__(self, name: str) -> Any:
        # Such as `missing`, which is known of the class.
        raise AttributeError(f"a Worker has no {name}")

    def echo(self, *args: Any, **kwargs: Any) -> Any:
        self.ran.append(f"echo {args!r:.60} {kwargs!r:.60}")
        return args[0] if args else kwargs

    def boom(self, *args: Any, **_: Any) -> None:
        self.ran.append("boom")
        raise KeyError(*args)

    def large(self, *_: Any, **__: Any) -> bytes:
        return b"x" * 3000

    def odd(self, *_: Any, **__: Any) -> set[int]:
        return {1}


class HandSide:
    """The Env, and its peer."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self.env = env = Env(
            CORPS, ENV, EnvOptions(**{**DEFAULTS, "send_timeout": 0.0}, shared_memory_bytes=1 << 20)
        )
        env.alarms = self.alarms = cast(Any, HandAlarms())
        env.upper = cast(Any, SimpleNamespace(make_name=lambda *_: "name"))
        env.pool.start_no_more()
        self.worker = Worker()
        self._enter(self.worker)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(f"{directory}/peer")
        self._listener.listen()
        self.transport = UnixTransport(Hello(CORPS, ENV, OWN), runtime_dir=directory)
        peers = Peers(
            env,
            self.transport,
            Packer(identities=Identities(RLock())),
            window=WINDOW,
            patience=0.0,
            journals=directory,
            incarnation=OWN,
        )
        self.peers = peers
        env.connect(peers, self.transport)
        assert env.readers is not None
        self._readers: Any = env.readers
        self._readers._is_closed = False  # no standby: the test reads
        self.journal = Path(journal_path(directory, ITS, OWN))
        self.journal.write_bytes(bytes(8 * SLOTS))
        self.words = self.journal.open("rb")
        peers.start()
        peers.learn(Member(PEER, ITS, f"unix:{directory}/peer"))
        self.peer: Any = peers._peers[PEER]
        self.asked: list[Request] = []
        self.outbound: socket.socket | None = None  # the peer's end of the link to it
        self.got = b""
        self._given = 0  # numbers of requests of the peer
        self._taken: set[int] = set()  # numbers that a message of now has
        self.inbound = self._connect()

    def _enter(self, worker: Worker) -> None:
        record: Any = SimpleNamespace(options=WorkerOptions(""), corps_name="corps", cls=Worker)
        interface = Interface("m:Worker", METHODS)
        cell = Cell(self.env, ConcAddr(CORPS, ENV, CONC), record, interface, None, None)
        performer: Any = cell.performer
        performer.cls, performer.worker = Worker, worker
        self.env.registry.add(CONC, cell)

    def _connect(self) -> socket.socket:
        """Have the peer connect, and say who it is."""
        assert self.transport._directory is not None
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(self.transport._directory.reach(self.transport.endpoint.removeprefix("unix:")))
        mine, theirs = socket.socketpair(socket.AF_UNIX)
        hello = Hello(CORPS, PEER, ITS).header()
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", [theirs.fileno()]))]
        sock.sendmsg([head([hello]), hello], rights)
        mine.close()
        theirs.close()
        self._read()
        return sock

    # --- what happens ---

    def do(self, event: Event) -> object:
        """Have something happen; return what the one that did it saw."""
        what, *how = event
        return getattr(self, f"_on_{what}")(*how)

    def _on_ask(self, method: str, args: Any, kwargs: dict[str, Any], sender: int, wants: bool) -> object:
        """Have the Env ask the peer. `wants`: an answer."""
        target = ConcAddr(CORPS, PEER, 1)
        origin = None if sender < 0 else ConcAddr(CORPS, ENV, sender)
        promise: Promise = Future() if wants else Sent(self.env.letters, origin, target, method)
        request = Request(CALL, target, method, args, kwargs, promise, origin)
        if wants:
            cast(Any, promise).request = request
        try:
            self.peers.send(request)
        except CorpsError as error:
            return type(error).__name__, self._said(error)
        self.asked.append(request)
        self._accept()
        return request.number, request.args, request.kwargs

    def _on_withdraw(self, n: int) -> None:
        if self.asked:
            self.peer.asking.withdraw(self.asked[n % len(self.asked)])

    def _on_come(self, messages: Sequence[Event], cuts: Sequence[int], damage: Event) -> None:
        """Have messages come, cut at these places; and read in between. `damage` is what of them is not."""
        self._taken.clear()
        made = [getattr(self, f"_made_{what}")(*how) for what, *how in messages]
        stream: bytes = b"".join(head(frames) + b"".join(frames) for frames in made if frames)
        for at, size, instead in damage:
            at %= len(stream) + 1
            stream = stream[:at] + instead + stream[at + size :]
        places = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
        for begin, end in pairwise(places):
            if end > begin:
                with suppress(OSError):  # the Env has hung up
                    self.inbound.sendall(stream[begin:end])
                self._read()

    def _made_request(
        self, how: str, kind: int, conc: int, method: str, sender: Any, rest: Any, codec: int, body: bytes
    ) -> list[bytes]:
        """Return the frames of a request of the peer: a "new" one, one that is "told", or one "again"."""
        self._given += how == "new"
        number = 0 if how == "told" else self._given << 16 | self._given % SLOTS
        return [
            request_frame(number, Kind(kind), ConcAddr(CORPS, ENV, conc), method, sender, rest, codec),
            body,
        ]

    def _made_outcome(self, n: int, status: int, codec: int, *frames: bytes) -> list[bytes]:
        """Return those of an answer to one of the requests that wait for one; none if none does."""
        number = self._nth(self.peer.asking._pending, n)
        return [outcome_frame(number, status, codec), *frames] if number else []

    def _made_cancel(self, n: int) -> list[bytes]:
        """Return those that withdraw one of the requests of the peer."""
        number = self._nth(self.peer.answering._incoming, n)
        return [frame_of(CancelHeader(number))] if number else []

    def _made_credit(self, more: int) -> list[bytes]:
        """Return those that give back the room of all requests that wanted no answer, or of more."""
        asking = self.peer.asking
        window, pending = asking.room.window, asking._pending
        size = window.size - sum(size for _, size, _ in pending.values())
        return [frame_of(CreditHeader(window.requests - len(pending) + more, size))]

    def _made_frames(self, *frames: bytes) -> list[bytes]:
        return list(frames)

    def _nth(self, known: dict[int, Any], n: int) -> int:
        """Return one number of these that no other message of the same time has; 0 if there is none."""
        free = sorted(known.keys() - self._taken)
        if not free:
            return 0
        self._taken.add(free[n % len(free)])
        return free[n % len(free)]

    def _on_run(self) -> None:
        """Have the worker do what is in its mailbox."""
        pool: Any = self.env.pool
        while pool._ready:
            pool._ready.popleft().run()

    def _on_ring(self) -> None:
        self.alarms.ring_all()

    def _on_receive(self) -> bytes:
        """Have the peer read all that was sent."""
        before = len(self.got)
        while self.outbound is not None:
            with suppress(BlockingIOError):
                came = self.outbound.recv(1 << 16)
                self.got += came
                if came:
                    self._read()
                    continue
            break
        return self.got[before:]

    def _on_hang_up(self, whole: str) -> None:
        """Have the peer close one of its ends."""
        sock = self.inbound if whole == "inbound" else self.outbound
        if sock is not None:
            sock.close()
            if whole == "outbound":
                self.outbound = None
        self._read()

    def _on_die(self) -> None:
        self.peers.lose(PEER, "it has died", has_died=True)
        self._read()

    def _accept(self) -> None:
        """Have the peer take the connection that was made to it, and make it a narrow one."""
        if self.outbound is None and select.select([self._listener], [], [], 0)[0]:
            self.outbound, _ = self._listener.accept()
            self.outbound.setblocking(False)
            link = self.peer.way._link
            if link is not None:
                link._sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL_BUFFER)

    def _read(self) -> None:
        for _ in range(TURNS):
            if not select.select([self.transport.fileno()], [], [], 0)[0]:
                return
            self._readers.wait(Gate(), 0.0)
        raise AssertionError("there is always something more to be read")

    # --- what is seen ---

    def seen(self) -> Trace:
        """Return all that can be seen from outside, and the counts within."""
        asking, answering = self.peer.asking, self.peer.answering
        window = asking.room.window
        words = asking._journal._words
        audits = [sorted(audit.counts.items()) for audit in (self.transport.audit, *self.peers.audits)]
        self.words.seek(0)
        return [
            self.worker.ran[:],
            [self._outcome_of(request) for request in self.asked],
            [(request.stage, request.number) for request in self.asked],
            (window.requests, window.size, sorted(asking._pending), sorted(asking._withdrawn)),
            (sorted(answering._incoming), answering._returns._requests, answering._returns._bytes),
            (answering._is_credit_due, len(self.alarms.rings), len(cast(Any, self.env.pool)._ready)),
            None if words is None else list(words[:8]),
            self.words.read()[:64],
            audits,
            sorted(self.env.letters.counts().items()),
            (PEER in self.peers._peers, self.peer.way.unsent, len(self.transport._inbound)),
            (len(self.transport._links), self._readers._reader is None, self._readers._reading),
        ]

    def _outcome_of(self, request: Request) -> object:
        promise = request.promise
        if not isinstance(promise, Future):
            return promise.done()
        if not promise.done():
            return None
        error = promise.failure()
        return repr(promise.ret) if error is None else (type(error).__name__, self._said(error))

    def _said(self, error: BaseException | None) -> str:
        return str(error).replace(self._directory, "DIR")

    def close(self) -> None:
        """Let go of everything."""
        self._readers._is_closed = True
        self.peers.close()
        self.asked.clear()
        self.env.dropped.close()
        for each in (self.inbound, self._listener, self.words, self.outbound):
            if each is not None:
                each.close()


def traced(events: Sequence[Event]) -> Trace:
    """Have events happen to a new Env; return what was seen after each."""
    with tempfile.TemporaryDirectory() as directory:
        side = HandSide(directory)
        try:
            return [(event[0], side.do(event), side.seen()) for event in events]
        finally:
            side.close()


@contextmanager
def twin() -> Iterator["Twin"]:
    """Have a process beside this one that runs on the Python code, and see what it does."""
    environ = {**os.environ, core.PURE: "1"}
    command = [sys.executable, "-m", __name__]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environ, cwd=Path(__file__).parents[2]
    ) as process:
        yield Twin(process)
        assert process.stdin is not None
        process.stdin.close()  # so that it ends


class Twin:
    """The other process."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process

    def traced(self, events: Sequence[Event]) -> Trace:
        """Have the same events happen there; return what was seen."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        pickle.dump(events, self._process.stdin)
        self._process.stdin.flush()
        trace: Trace = pickle.load(self._process.stdout)
        return trace


def main() -> None:
    """Answer what comes on the standard input until that ends."""
    assert core.name == "pure"
    while True:
        try:
            events = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        pickle.dump(traced(events), sys.stdout.buffer)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
