"""Starting a process that boots a Corps, and hearing of it. The side of the process that wants the Corps."""

import os
import socket
import subprocess
import sys
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final

from corps.errors import BrokenError, ClosedError, EnvStartError
from corps.federation.records import ConnectionRecord
from corps.launch.apart.main import ENTRY
from corps.launch.apart.order import BootOrder, Failed, Over, Up, hear, tell
from corps.launch.detached_log import log_since, open_log
from corps.launchers.local.channel import Channel
from corps.launchers.local.starting_python import advice, python_command

_LAST_LINES: Final = 40  # of a log, in the text of an error
_DEPTH: Final = "_CORPS_DEPTH"  # the environment variable with how many Corps have booted each the next one
_DEEPEST: Final = 16


class BootingProcess:
    """A process that boots a Corps, and that of a Corps that is kept until its end.

    One thread calls `wait_up`, and then one calls `wait_over`; any thread calls `end` and `kill`.
    """

    def __init__(self, order: BootOrder) -> None:
        """Start the process, and order the Corps.

        Raises:
            EnvStartError: It could not be started.
            ConfigError: The log file cannot be written.
        """
        self._log_file = order.log_file
        self._began = 0
        self._comes_back = False
        self._is_kept = order.is_kept
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self._channel = Channel(ours)
        try:
            with theirs, ExitStack() as opened:
                log: int | None = None
                if order.log_file:
                    _, log = open_log(order.tag, Path(order.log_file))
                    opened.callback(os.close, log)
                    self._began = os.fstat(log).st_size
                self._process = _started(order, theirs.fileno(), log)
            if not order.is_kept:
                self._process.wait()  # its child goes on
            with suppress(BrokenError):  # it has died: `wait_up` says so
                tell(self._channel, order)
        except BaseException:
            self._channel.close()
            raise

    def wait_up(self) -> ConnectionRecord:
        """Wait until the Corps is up, and return its connection record.

        Raises:
            CorpsError: What the boot has raised, with the end of its log.
        """
        told = hear(self._channel)
        if isinstance(told, Up):
            self._comes_back = told.comes_back
            return ConnectionRecord.from_json(told.record, "what a process says that has booted a Corps")
        log = log_since(self._log_file, self._began) if self._log_file else ""
        failed = Failed(EnvStartError.__name__, "the process that booted the Corps has died", "")
        if isinstance(told, Failed):
            failed = told
        lines = log.splitlines()[-_LAST_LINES:]
        if lines:
            shown = "\n".join(lines)
            text = f"{failed.text}\nThe end of its log, {self._log_file}:\n{shown}"
            failed = Failed(failed.class_name, text, log)
        raise failed.error()

    def wait_over(self) -> Over:
        """Wait until nothing of a Corps that is kept is left, and return how it has ended."""
        told = hear(self._channel)
        status = self._process.wait()
        self._channel.close()
        if isinstance(told, Over):
            return told
        how = f"signal {-status}" if status < 0 else f"exit status {status}"
        return Over("killed", f"the process that booted it has ended ({how})", self._comes_back)

    def end(self) -> None:
        """Have the Corps end in order, or its boot be cut short. Idempotent. It waits for nothing."""
        with suppress(BrokenError, ClosedError):
            self._channel.send(b"")

    def kill(self) -> None:
        """End a Corps that is kept at once: all its processes end with the one that booted it."""
        self._process.kill()

    def give_up(self) -> None:
        """End a Corps that does not come up, or whose Mgr has ended. Wait for that if it is kept."""
        self.end()
        if self._is_kept:
            self.wait_over()
        self._channel.close()

    def let_go(self) -> None:
        """Have no more to do with a Corps that has a life of its own."""
        self._channel.close()


def _started(order: BootOrder, channel_fd: int, log: int | None) -> "subprocess.Popen[bytes]":
    """Start the process, in a session of its own: no Ctrl-C of a terminal comes there."""
    arguments = {
        "entry": ENTRY,
        "path": [os.fspath(item) for item in sys.path],
        "argv": [os.fsdecode(order.source[-1]) or "corps"],
        "channel_fd": channel_fd,
        "detaches": not order.is_kept,
    }
    depth = int(os.environ.get(_DEPTH, "0")) + 1
    if depth > _DEEPEST:
        raise EnvStartError(
            f"{_DEEPEST} Corps have each booted the next one, and the last one wants to boot another: is it "
            "an application that boots itself?"
        )
    try:
        command, environ = python_command(arguments, None)
        environ = {**(os.environ if environ is None else environ), _DEPTH: str(depth)}
        return subprocess.Popen(  # noqa: S603 - the interpreter of this process
            command,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=[channel_fd],
            start_new_session=True,
        )
    except OSError as error:
        raise EnvStartError(
            f"the process that is to boot the Corps could not be started: {error}{advice(None)}"
        ) from error
