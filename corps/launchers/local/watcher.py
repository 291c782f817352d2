"""Watcher: the thread of a booting process that sees what its Envs write and how they end.

It needs no wake-up of its own: it reads reports of the template and output, and ends with the template.
"""

import contextlib
import logging
import os
import select
import selectors
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Sequence

from corps.clock import deadline_after, remaining
from corps.launchers.launcher import Exit
from corps.launchers.local.control import (
    MAX_PACKET,
    Exited,
    Failed,
    Message,
    Ready,
    Spawned,
    SpawnFailed,
    decode,
)
from corps.launchers.local.env_table import EnvEntry, EnvTable
from corps.launchers.local.memory_kills import MemoryKills

_LOST_END = 2.0
_READ_SIZE = 64 * 1024
# More than a pipe holds: all that a process wrote before its end fits, whatever others go on to write.
_MAX_DRAIN = 1024 * 1024
_STDERR_FD = 2

logger = logging.getLogger("corps.hosting")


class Watcher:
    """Reads reports and output until the template has gone.

    `run` is the body of its thread; any thread may wait for `is_ready` and then read `problem`. `on_exit` is
    called in this thread with each end of a process. The control socket is still the ProcessHost's to close.
    """

    def __init__(
        self,
        control: socket.socket,
        template: subprocess.Popen[bytes],
        table: EnvTable,
        on_exit: Callable[[Exit], None],
    ) -> None:
        self._control = control
        self._template = template
        self._table = table
        self._on_exit = on_exit
        self._selector = selectors.DefaultSelector()
        self._memory_kills = MemoryKills()
        self.is_ready = threading.Event()
        self.problem = ""
        self.on_line: Callable[[int, int, str], object] | None = None
        """Called with each line of a process instead of showing it, with the id of its Env and its own."""

    def discard(self) -> None:
        """Close what it has opened, because it will never run."""
        self._selector.close()

    def run(self) -> None:
        """Watch until the template has gone and every process has been reported."""
        # An application may have set SIGPIPE back to its default. It would end the process when the reader of
        # its stderr has gone.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGPIPE})
        try:
            self._serve()
        except BaseException:
            # Without a watcher the membership hears of no end. The kernel ends the Envs with the template.
            logger.exception("the watcher failed; all processes of this Corps end")
            self._template.kill()
        self._selector.close()
        # The end of file comes a moment before the end. After this the kernel has signalled the Envs.
        self._template.wait()
        if not self.is_ready.is_set():
            self.problem = self.problem or f"it ended with status {self._template.returncode}"
            self.is_ready.set()
        self._report_lost()

    def _serve(self) -> None:
        self._selector.register(self._control, selectors.EVENT_READ, None)
        while True:
            for key, _ in self._selector.select():
                if key.data is not None:
                    self._read_output(key.data)
                elif not self._read_report():
                    return

    def _read_report(self) -> bool:
        try:
            packet = self._control.recv(MAX_PACKET)
        except OSError:
            return False
        if packet:
            self._handle(decode(packet))
        return bool(packet)

    def _handle(self, report: Message) -> None:
        match report:
            case Ready():
                self.is_ready.set()
            case Failed(text):
                self.problem = text
            case Spawned(env_id, pid):
                entry = self._table.answer(env_id, pid)
                if entry is not None and entry.output_fd is not None:
                    self._selector.register(entry.output_fd, selectors.EVENT_READ, entry)
            case SpawnFailed(env_id, text, is_passing):
                entry = self._table.take(env_id)
                if entry is not None:
                    entry.fail(text, is_passing=is_passing)
            case Exited(env_id, pid, code):
                entry = self._table.take(env_id)
                if entry is not None:
                    self._drain(entry)
                    self._finish(entry, self._exit(env_id, pid, code))

    def _exit(self, env_id: int, pid: int, returncode: int) -> Exit:
        """Make the end of a process from its exit status, or minus the number of a signal."""
        mark = f"pid {pid}"
        if returncode >= 0:
            return Exit(env_id, mark, returncode, None)
        return Exit(env_id, mark, None, -returncode, by_memory=self._memory_kills.is_new())

    def _read_output(self, entry: EnvEntry) -> int:
        """Read what is there, once; 0 if that is nothing, now or for ever."""
        if entry.output_fd is None:
            # Closed by an earlier event of the same round.
            return 0
        try:
            data = os.read(entry.output_fd, _READ_SIZE)
        except BlockingIOError:
            return 0
        if not data:
            self._close_output(entry)
            return 0
        entry.process.tail.append(data)
        if self.on_line is None:
            forward(data)
        else:
            self._hand_over(entry, entry.lines.feed(data))
        return len(data)

    def _hand_over(self, entry: EnvEntry, lines: Sequence[str]) -> None:
        on_line = self.on_line
        for line in lines:
            if on_line is not None:
                on_line(entry.process.env_id, entry.process.pid, line)

    def _drain(self, entry: EnvEntry) -> None:
        # The process has ended, so all its output is in the pipe. An empty pipe is the end, even if a process
        # that it started still holds the other side.
        left = _MAX_DRAIN
        while left > 0 and (count := self._read_output(entry)):
            left -= count
        self._close_output(entry)

    def _close_output(self, entry: EnvEntry) -> None:
        if entry.output_fd is not None:
            # The selector is closed, and empty, once the template has gone.
            with contextlib.suppress(KeyError, RuntimeError, ValueError):
                self._selector.unregister(entry.output_fd)
            entry.close_output()
            self._hand_over(entry, entry.lines.rest())

    def _finish(self, entry: EnvEntry, how: Exit) -> None:
        entry.process.mark_ended(how)
        if entry.is_abandoned:
            return
        try:
            self._on_exit(how)
        except BaseException:  # the ends of the others must be reported too
            logger.exception("on_exit failed for env %d, which %s", how.env_id, how)

    def _report_lost(self) -> None:
        entries = self._table.take_all()
        deadline = deadline_after(_LOST_END)
        for entry in entries:
            if entry.process.pid:
                end_lost(entry.process.pid, self._template.pid, deadline)
        for entry in entries:
            process = entry.process
            if not process.pid:
                entry.fail("the template process died")
                continue
            self._drain(entry)
            self._finish(entry, Exit(process.env_id, process.mark, None, signal.SIGKILL, "template died"))


def end_lost(pid: int, session: int, deadline: float | None) -> None:
    """Kill what is left of a process whose template has died, and wait until it has ended.

    The kernel has sent SIGKILL to the process itself, so mostly there is only its group to end. Another
    process may have the id by now. That one is of another session than the template's, and is left alone. If
    there is no such process, the number is free, or what is left of the group still holds it.
    """
    pidfd = -1
    with contextlib.suppress(AttributeError, OSError):
        pidfd = os.pidfd_open(pid)
    try:
        with contextlib.suppress(ProcessLookupError):
            if os.getsid(pid) != session:
                return
        with contextlib.suppress(OSError):
            os.killpg(pid, signal.SIGKILL)
        if pidfd >= 0:
            poller = select.poll()
            poller.register(pidfd, select.POLLIN)
            poller.poll(1000 * (remaining(deadline) or 0.0))
    finally:
        if pidfd >= 0:
            os.close(pidfd)


def forward(data: bytes) -> None:
    """Write to this process's stderr, below Python's own stream; drop what it does not take."""
    view = memoryview(data)
    with contextlib.suppress(OSError):
        while view:
            view = view[os.write(_STDERR_FD, view) :]
