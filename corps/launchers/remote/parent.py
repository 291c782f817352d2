"""The parent of the Envs of one host: what a launcher starts there, as a module with ``python -m``.

It owns the processes there, and leads what they and the booting process say to each other over its stdin and
stdout, one stream of bytes each way. It ends with that stream, or when its lease is over, and its Envs with
it: nothing is left behind on a host that the booting process does not reach.
"""

import contextlib
import logging
import os
import platform
import sys
from queue import SimpleQueue
from signal import SIGKILL
from threading import Event, Lock, Thread
from typing import Final, NoReturn

from corps.clock import now
from corps.errors import BrokenError, ClosedError, CorpsError, EnvStartError, WireError
from corps.launchers.local.channel import Channel
from corps.launchers.local.env_process import EnvProcess
from corps.launchers.local.processes import ProcessHost
from corps.launchers.local.runtime_dir import make_runtime_dir, remove_files
from corps.launchers.remote.files import FileCache
from corps.launchers.remote.lease import HeldLease
from corps.launchers.remote.terms import here
from corps.launchers.remote.words import (
    MAGIC,
    Alive,
    Begin,
    Clear,
    Decoder,
    Encoder,
    End,
    Ended,
    Files,
    Granted,
    Hushed,
    Kill,
    Line,
    Message,
    NotStarted,
    Over,
    Printed,
    Problem,
    Said,
    Shut,
    Spawn,
    Started,
    Tell,
    Up,
    Wanted,
)

_log = logging.getLogger("corps.hosting")

_READ_SIZE: Final = 64 * 1024
_LAST_WORDS: Final = 2.0  # seconds for the last messages to leave
_FENCED: Final = 75  # exit status of a parent whose lease is over


class _Child:
    """One Env: its process, and what goes to it, in order."""

    def __init__(self, process: EnvProcess) -> None:
        self.process = process
        self.told: SimpleQueue[bytes | None] = SimpleQueue()
        self.is_over = Event()  # set when its end is on its way to the booting process


class Parent:
    """The life of a parent. `serve` is for the main thread."""

    def __init__(self, stdin: int, stdout: int) -> None:
        """Use these descriptors as the stream."""
        self._in, self._out = stdin, stdout
        self._encoder = Encoder()
        self._messages: SimpleQueue[Message | None] = SimpleQueue()
        self._lock = Lock()  # protects _children, _unwanted and _lease; nothing blocks under it
        self._children: dict[int, _Child] = {}  # by ticket
        self._unwanted: set[int] = set()  # tickets of those that are to end as soon as they have started
        self._lease: HeldLease | None = None
        self._host: ProcessHost | None = None
        self._ends = Event()  # set when the parent ends
        self._begin: Begin | None = None
        self._writer = Thread(target=self._write, name="corps-parent-out", daemon=True)

    def serve(self) -> int:
        """Follow the booting process until the end of the stream; return the exit status."""
        self._writer.start()
        reached_at = os.environ.get("SSH_CONNECTION", "").split()
        self._send(here(platform.node(), reached_at[2] if len(reached_at) == 4 else ""))
        decoder = Decoder(has_magic=False)
        status = 0
        try:
            while data := os.read(self._in, _READ_SIZE):
                for message in decoder.feed(data):
                    if isinstance(message, End):
                        return 0
                    self._follow(message)
        except WireError as error:
            _log.error("what has come is no word of a booting process: %s", error)
            status = 1
        except OSError:
            pass  # the end of the stream
        finally:
            self._close()
        return status

    # --- what the booting process says ---

    def _follow(self, message: Message) -> None:
        match message:
            case Begin():
                self._begin = message
                self._try_to_begin(None)
            case Files(archive):
                self._try_to_begin(archive)
            case Spawn(ticket, env_id):
                name = f"corps-spawn-{env_id}"
                Thread(target=self._spawn, args=(ticket, env_id), name=name, daemon=True).start()
            case Tell(ticket, body):
                if (child := self._child(ticket)) is not None:
                    child.told.put(body)
            case Shut(ticket):
                if (child := self._child(ticket)) is not None:
                    child.told.put(None)
            case Kill(ticket, with_stacks):
                self._end_child(ticket, with_stacks=with_stacks)
            case Clear(env_id, incarnation):
                if self._host is not None:
                    journals = (f"{incarnation[:12]}-*.journal",) if incarnation else ()
                    remove_files(self._host.runtime_dir, f"{env_id}-*.sock", *journals)
            case Granted(number):
                with self._lock:
                    if self._lease is not None:
                        self._lease.granted(number)
            case _:
                raise WireError(f"{message.word!r} is for a booting process")

    def _end_child(self, ticket: int, *, with_stacks: bool) -> None:
        with self._lock:
            child = self._children.get(ticket)
            if child is None:
                self._unwanted.add(ticket)  # it may be on its way; one that has ended does not come again
        if child is None:
            return
        if with_stacks:
            child.process.end_with_stacks()
        else:
            child.process.kill(SIGKILL)

    def _child(self, ticket: int) -> _Child | None:
        with self._lock:
            return self._children.get(ticket)

    def _try_to_begin(self, archive: bytes | None) -> None:
        begin = self._begin
        if begin is None or self._host is not None:
            raise WireError("a start that was not asked for")
        try:
            root = ""
            if begin.digest:
                cache = FileCache()
                found = cache.find(begin.digest) if archive is None else cache.keep(begin.digest, archive)
                if found is None:
                    self._send(Wanted())
                    return
                root = str(found)
                sys.path.insert(0, root)
            sys.argv[:] = begin.argv
            self._host = ProcessHost(make_runtime_dir(), preload=begin.preload, on_exit=lambda _: None)
            self._host.start_timeout = begin.start_timeout
            self._host.launch()
            self._host.wait_ready(begin.start_timeout)
            if begin.as_lines:
                self._host.hand_over_lines(self._hand_over)
        except CorpsError as error:
            self._send(Problem(str(error)))
            return
        with self._lock:
            self._lease = HeldLease(begin.lease, now())
        self._send(Up(os.fsencode(self._host.runtime_dir), os.fsencode(root)))
        Thread(target=self._keep, args=(begin.beat,), name="corps-parent-lease", daemon=True).start()

    # --- one Env: three threads, the first of which ends early ---

    def _spawn(self, ticket: int, env_id: int) -> None:
        if self._host is None or self._begin is None:
            self._send(NotStarted(ticket, "the parent has not begun", False, ""))
            return
        try:
            process = self._host.spawn(env_id, self._begin.entry)
        except EnvStartError as error:
            self._send(NotStarted(ticket, str(error), error.is_passing, error.output))
            return
        except CorpsError as error:
            self._send(NotStarted(ticket, str(error), False, ""))
            return
        child = _Child(process)
        with self._lock:
            self._children[ticket] = child
            is_unwanted = ticket in self._unwanted
        if is_unwanted:
            process.kill(SIGKILL)
        self._send(Started(ticket, process.pid))
        for what, target in (("hear", self._hear), ("tell", self._tell)):
            name = f"corps-{what}-{env_id}"
            Thread(target=target, args=(ticket, child), name=name, daemon=True).start()

    def _hear(self, ticket: int, child: _Child) -> None:
        """Pass on what an Env says, and then its end."""
        process = child.process
        with contextlib.suppress(WireError):
            while (body := process.channel.recv()) is not None:
                self._send(Said(ticket, body))
        self._send(Hushed(ticket))
        how = process.wait()
        with self._lock:
            self._children.pop(ticket, None)
        child.told.put(None)
        if how is not None:
            self._send(Ended(ticket, how.code, how.signal, how.reason, how.by_memory, process.output()))
        child.is_over.set()

    def _tell(self, _: int, child: _Child) -> None:
        """Pass on what is for an Env, until its channel is closed. It may stand still: so in a thread."""
        channel: Channel = child.process.channel
        with contextlib.suppress(BrokenError, ClosedError):
            while (body := child.told.get()) is not None:
                channel.send(body)
        channel.close()

    # --- the lease ---

    def _keep(self, beat: float) -> None:
        """Ask for the lease again and again; end everything when it is over."""
        while not self._ends.wait(beat):
            at = now()
            with self._lock:
                assert self._lease is not None
                if self._lease.is_over(at):
                    break
                number = self._lease.ask(at)
                children = list(self._children.items())
            signs = [
                [ticket, [*each.process.signs()], each.process.is_stopped()] for ticket, each in children
            ]
            self._send(Alive(number, signs))
        else:
            return
        _log.critical("the booting process was not heard of for too long: all Envs of this host end")
        self._end_now(_FENCED)

    def _end_now(self, status: int) -> NoReturn:
        if self._host is not None:
            with contextlib.suppress(Exception):
                self._host.close(0.0)
        os._exit(status)

    # --- the stream ---

    def _send(self, message: Message) -> None:
        self._messages.put(message)

    def _write(self) -> None:
        """Write all messages in order. In a thread: the other side may not read."""
        with contextlib.suppress(OSError):
            _write_all(self._out, MAGIC)
            while (message := self._messages.get()) is not None:
                _write_all(self._out, self._encoder.frame(message))

    def _hand_over(self, env_id: int, pid: int, line: str) -> None:
        self._send(Line(env_id, pid, line.encode(errors="surrogateescape")))

    def show(self, fd: int) -> None:
        """Pass on what the Envs print, until the end of that. For a thread of its own."""
        while data := os.read(fd, _READ_SIZE):
            self._send(Printed(data))

    def _close(self) -> None:
        self._ends.set()
        with self._lock:
            children = list(self._children.values())
        if self._host is not None:
            self._host.close(0.0)
        until = now() + _LAST_WORDS
        for child in children:
            child.is_over.wait(max(0.0, until - now()))
        self._send(Over())
        self._messages.put(None)
        self._writer.join(_LAST_WORDS)


def main() -> int:
    """Be a parent over stdin and stdout, until the end of the stream; return the exit status."""
    logging.basicConfig(
        level=logging.WARNING, format=f"%(asctime)s {platform.node()} %(levelname)s %(name)s: %(message)s"
    )
    stdin, stdout = os.dup(0), os.dup(1)
    with open(os.devnull) as nothing:
        os.dup2(nothing.fileno(), 0)
    printed, theirs = os.pipe()
    os.dup2(theirs, 1)
    os.close(theirs)
    parent = Parent(stdin, stdout)
    Thread(target=parent.show, args=(printed,), name="corps-parent-printed", daemon=True).start()
    return parent.serve()


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


if __name__ == "__main__":
    status = main()
    sys.stderr.flush()
    os._exit(status)  # threads may wait for descriptors for good
