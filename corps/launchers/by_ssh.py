"""A host that is reached by OpenSSH, through asyncssh: `pip install 'corps[ssh]'`.

The file of ssh holds, with its jump hosts; keys come from an agent, or from files. The key of the host has to
be among the known ones. No password is asked for, or used.

Each connection has an event loop of its own, in a thread.
"""

import asyncio
import contextlib
import shlex
import socket
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Event, Thread, current_thread
from typing import Any, Final

import asyncssh

from corps.errors import BrokenError, EnvStartError
from corps.launchers.local.output import OutputTail
from corps.launchers.local.watcher import forward
from corps.launchers.starter import ByteStream

_READ_SIZE: Final = 64 * 1024
_LAST_WORDS: Final = 2.0  # seconds for the program to end whose stream is over, and again for the connection


@dataclass(frozen=True, slots=True)
class SshHost:
    """How to reach a host. What is None is as the file of ssh says, or as OpenSSH does it."""

    name: str  # of the host, for people
    address: str  # or a name of the file of ssh
    port: int | None = None
    user: str | None = None
    config: str | None = None  # the file of ssh
    known_hosts: str | None = None
    key: str | None = None  # the file of a private key

    def arguments(self) -> dict[str, Any]:
        """Return what `asyncssh.connect` needs. It looks up what is not there in the file of ssh."""
        wanted: dict[str, Any] = {
            "port": self.port,
            "username": self.user,
            "config": self.config,
            "known_hosts": self.known_hosts,
            "client_keys": None if self.key is None else [self.key],
        }
        found = {key: value for key, value in wanted.items() if value is not None}
        return {"host": self.address, "password_auth": False, "kbdint_auth": False, **found}


class SshStream:
    """The stream to a program that OpenSSH has started; see `ByteStream`."""

    def __init__(self, host: SshHost, command: str, timeout: float) -> None:
        """Start nothing yet."""
        self._host = host
        self._command = command
        self._timeout = timeout
        self._came: SimpleQueue[bytes] = SimpleQueue()
        self._tail = OutputTail()
        self._started: Future[None] = Future()
        self._ended = Event()  # set with the end of the thread
        self._how: str | None = None  # how the program has ended, written before that
        self._closes: asyncio.Event | None = None  # both are the loop's, and set before `_started`
        self._loop: asyncio.AbstractEventLoop | None = None
        self._process: asyncssh.SSHClientProcess[bytes] | None = None
        self._is_over = False  # nothing more can be written
        self._thread = Thread(target=self._run, name=f"corps-ssh-{host.name}", daemon=True)

    def start(self) -> None:
        """Connect, and start the program. What goes wrong is raised, of any kind."""
        self._thread.start()
        self._started.result()

    def read(self) -> bytes:
        """See `ByteStream.read`."""
        return self._came.get()

    def write(self, data: bytes) -> None:
        """See `ByteStream.write`. It does not wait: what cannot leave is kept."""
        loop, process = self._loop, self._process
        if self._is_over or loop is None or process is None:
            raise BrokenError("the connection of ssh is over")

        def send() -> None:
            with contextlib.suppress(OSError):  # the end of the stream says so
                process.stdin.write(data)

        try:
            loop.call_soon_threadsafe(send)
        except RuntimeError as error:  # the loop has ended
            raise BrokenError("the connection of ssh is over") from error

    def ended(self, timeout: float) -> str | None:
        """See `ByteStream.ended`. The server of ssh has to have said it."""
        return self._how if self._ended.wait(timeout) else None

    def last_lines(self) -> str:
        """See `ByteStream.last_lines`."""
        return self._tail.text()

    def close(self) -> None:
        """See `ByteStream.close`."""
        self._is_over = True
        loop, closes = self._loop, self._closes
        if loop is not None and closes is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(closes.set)
        if self._thread.ident is not None and self._thread is not current_thread():
            self._thread.join(3 * _LAST_WORDS)

    # --- the thread ---

    def _run(self) -> None:
        try:
            asyncio.run(self._live())
        except BaseException as error:  # what waits for the start, or for the end, goes on
            if not self._started.done():
                self._started.set_exception(error)
        finally:
            self._is_over = True
            self._ended.set()
            self._came.put(b"")

    async def _live(self) -> None:
        self._loop, self._closes = asyncio.get_running_loop(), asyncio.Event()
        async with asyncio.timeout(self._timeout):
            connection = await asyncssh.connect(**self._host.arguments())
        try:
            async with asyncio.timeout(self._timeout):
                process = await connection.create_process(self._command, encoding=None)
            self._process = process
            self._started.set_result(None)
            await self._follow(process, self._closes)
        finally:
            connection.close()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LAST_WORDS):
                    await connection.wait_closed()
            connection.abort()

    async def _follow(self, process: "asyncssh.SSHClientProcess[bytes]", closes: asyncio.Event) -> None:
        """Pass on what comes, until the program, its connection, or this side ends."""
        reading = [
            asyncio.ensure_future(self._read(process.stdout, self._came.put)),
            asyncio.ensure_future(self._read(process.stderr, self._show)),
        ]
        ends = asyncio.ensure_future(process.wait_closed())
        closing = asyncio.ensure_future(closes.wait())
        await asyncio.wait([ends, closing], return_when=asyncio.FIRST_COMPLETED)
        if not ends.done():
            with contextlib.suppress(OSError):
                process.stdin.write_eof()
            await asyncio.wait([ends], timeout=_LAST_WORDS)
        await asyncio.wait(reading, timeout=_LAST_WORDS if ends.done() else 0.0)
        closing.cancel()
        signal = process.exit_signal
        if signal is not None:
            self._how = f"was killed by signal {signal[0]}"
        elif process.exit_status is not None:  # None: the connection was lost
            self._how = f"ended with status {process.exit_status}"

    async def _read(self, stream: "asyncssh.SSHReader[bytes]", take: Any) -> None:
        with contextlib.suppress(OSError, asyncssh.Error):
            while data := await stream.read(_READ_SIZE):
                take(data)

    def _show(self, data: bytes) -> None:
        self._tail.append(data)
        forward(data)


class SshStarter:
    """Starts programs by OpenSSH; see `Starter`. Thread-safe."""

    def __init__(self, host: SshHost) -> None:
        """Connect to nothing yet."""
        self._host = host

    @property
    def shown(self) -> str:
        """See `Starter.shown`."""
        host = self._host
        user = "" if host.user is None else f"{host.user}@"
        port = "" if host.port is None else f" port {host.port}"
        return f"ssh to {user}{host.address}{port}"

    def start(self, words: Sequence[str], timeout: float) -> ByteStream:
        """See `Starter.start`."""
        command = shlex.join(words)
        stream = SshStream(self._host, command, timeout)
        try:
            stream.start()
        except (OSError, asyncssh.Error) as error:
            stream.close()
            why = _in_words(error, timeout)
            raise EnvStartError(
                f"host {self._host.name!r}, by {self.shown}: {why}; it was to run {command}"
            ) from error
        return stream


def _in_words(error: Exception, timeout: float) -> str:
    match error:
        case asyncssh.HostKeyNotVerifiable():
            return f"its key is not among the known hosts ({error.reason}): check it, and add it to them"
        case asyncssh.PermissionDenied():
            return f"it takes no key of this user ({error.reason}): neither from the agent nor from the files"
        case TimeoutError():
            return f"no connection within {timeout:.3g} s"
        case socket.gaierror():
            return f"its address is not known: {error.strerror}"
    return f"no connection: {getattr(error, 'reason', None) or error}"
