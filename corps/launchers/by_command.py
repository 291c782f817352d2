"""A host that is reached by a command, as of a container, of another user, or of a batch system.

The command runs in a process of this one. What it reads and writes is the stream to what it starts there.
"""

import contextlib
import os
import shlex
import subprocess
from collections.abc import Sequence
from threading import Event, Lock, Thread
from typing import Final

from corps.errors import BrokenError, EnvStartError
from corps.launchers.local.output import OutputTail
from corps.launchers.local.watcher import forward
from corps.launchers.starter import ByteStream

COMMAND: Final = "{command}"
"""What stands for the program in the words of a command: the file of hosts has it, too."""

_READ_SIZE: Final = 64 * 1024
_LAST_WORDS: Final = 2.0  # seconds until the command is killed whose stream is closed


class CommandStream:
    """The stream to a command; see `ByteStream`. It owns the process."""

    def __init__(self, process: "subprocess.Popen[bytes]", name: str, *, is_itself: bool) -> None:
        """Take a process with three pipes. `is_itself`: it is the program, and no other starts that.

        The name is for its thread.
        """
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        self._process = process
        self._in, self._out, self._err = process.stdin, process.stdout, process.stderr
        self._is_itself = is_itself
        self._tail = OutputTail()
        self._is_read = Event()  # set when its stderr is at its end
        self._lock = Lock()  # keeps what is written whole, and stdin open meanwhile
        thread = Thread(target=self._read_stderr, name=f"corps-stderr-{name}", daemon=True)
        thread.start()

    def read(self) -> bytes:
        """See `ByteStream.read`."""
        if self._out.closed:
            return b""
        data = os.read(self._out.fileno(), _READ_SIZE)
        if not data:
            self._out.close()
        return data

    def write(self, data: bytes) -> None:
        """See `ByteStream.write`."""
        with self._lock:
            try:
                view = memoryview(data)
                while view:
                    view = view[os.write(self._in.fileno(), view) :]
            except (OSError, ValueError) as error:
                raise BrokenError(f"the command does not read any more: {error}") from error

    def ended(self, timeout: float) -> str | None:
        """See `ByteStream.ended`."""
        try:
            code = self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            return None
        self._is_read.wait(timeout)
        if not self._is_itself:  # as `ssh`: it ends when its connection does
            return None
        return f"ended with status {code}" if code >= 0 else f"was killed by signal {-code}"

    def last_lines(self) -> str:
        """See `ByteStream.last_lines`."""
        return self._tail.text()

    def close(self) -> None:
        """See `ByteStream.close`."""
        # A thread that writes may hold the lock: then the end of the command comes first.
        if self._lock.acquire(timeout=_LAST_WORDS):
            with contextlib.suppress(OSError):
                self._in.close()
            self._lock.release()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_LAST_WORDS)
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        with self._lock, contextlib.suppress(OSError):
            self._in.close()

    def _read_stderr(self) -> None:
        with self._err:
            while data := os.read(self._err.fileno(), _READ_SIZE):
                self._tail.append(data)
                forward(data)
        self._is_read.set()


class CommandStarter:
    """Starts programs by a command; see `Starter`. Thread-safe."""

    def __init__(self, name: str, words: Sequence[str]) -> None:
        """Use these words, of which one is, or contains, ``{command}``. The name is that of the host."""
        self._name = name
        self._words = words

    @property
    def shown(self) -> str:
        """See `Starter.shown`."""
        return f"the command {shlex.join(self._words)}"

    def start(self, words: Sequence[str], timeout: float) -> ByteStream:
        """See `Starter.start`."""
        command: list[str] = []
        for each in self._words:
            if each == COMMAND:
                command += words
            else:
                command.append(each.replace(COMMAND, shlex.join(words)))
        pipe = subprocess.PIPE
        try:
            # A session of its own: Ctrl-C is for the booting process, which ends the others in order.
            process = subprocess.Popen(
                command, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True, bufsize=0
            )
        except OSError as error:
            raise EnvStartError(
                f"host {self._name!r}: {shlex.join(command)} cannot be started: {error}"
            ) from error
        return CommandStream(process, self._name, is_itself=[*self._words] == [COMMAND])
