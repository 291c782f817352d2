"""EnvTable: the processes of one ProcessHost, and the threads that wait for their forks."""

import os
import threading

from corps.addresses import env_label
from corps.errors import ClosedError, EnvStartError
from corps.launchers.local.channel import Channel
from corps.launchers.local.env_process import EnvProcess
from corps.launchers.local.output import Lines


class EnvEntry:
    """One process in the table. Only the watcher, or the thread that took it out of the table, may touch it.

    It owns `output_fd`, the read end of the output pipe.
    """

    def __init__(self, process: EnvProcess, output_fd: int) -> None:
        self.process = process
        self.output_fd: int | None = output_fd
        self.lines = Lines()
        self.is_answered = threading.Event()
        self.is_abandoned = False
        self.problem = ""
        self.is_passing = False

    def close_output(self) -> None:
        """Close the read end of the output pipe."""
        if self.output_fd is not None:
            os.close(self.output_fd)
            self.output_fd = None

    def fail(self, problem: str, *, is_passing: bool = False) -> None:
        """Wake the waiting spawn: there will be no process. `is_passing`: another try may succeed."""
        self.close_output()
        self.problem, self.is_passing = problem, is_passing
        self.is_answered.set()


class EnvTable:
    """Processes by Env id, from before their fork to their end. Thread-safe."""

    def __init__(self) -> None:
        # Protects all below, and pid, is_abandoned and is_answered of the entries in it: a fork is either
        # answered or abandoned. No thread blocks while it holds the lock.
        self._lock = threading.Lock()
        self._entries: dict[int, EnvEntry] = {}
        self._channels: list[Channel] = []
        self._is_closed = False

    def add(self, entry: EnvEntry) -> None:
        """Add a process before its fork: a ClosedError after `close`, an EnvStartError if the Env has one."""
        env_id = entry.process.env_id
        with self._lock:
            if self._is_closed:
                raise ClosedError(f"spawn of {env_label(env_id)}: the ProcessHost is not running")
            if env_id in self._entries:
                running = self._entries[env_id].process.pid
                raise EnvStartError(f"{env_label(env_id)} has a process already, with id {running}")
            self._entries[env_id] = entry
            self._channels = [channel for channel in self._channels if not channel.is_closed]
            self._channels.append(entry.process.channel)

    def answer(self, env_id: int, pid: int) -> EnvEntry | None:
        """Note the fork of an Env, and wake its spawn; return its entry if it is in the table."""
        with self._lock:
            entry = self._entries.get(env_id)
            if entry is not None:
                entry.process.pid = pid
                entry.is_answered.set()
            return entry

    def abandon(self, entry: EnvEntry) -> bool:
        """Give up waiting for a fork; return False if the answer came before."""
        with self._lock:
            entry.is_abandoned = not entry.is_answered.is_set()
            return entry.is_abandoned

    def take(self, env_id: int) -> EnvEntry | None:
        """Take the process of an Env out, if there is one; the entry is the caller's alone."""
        with self._lock:
            return self._entries.pop(env_id, None)

    def take_all(self) -> list[EnvEntry]:
        """Take every process out; the entries are the caller's alone."""
        with self._lock:
            entries = list(self._entries.values())
            self._entries.clear()
            return entries

    def close(self) -> list[EnvProcess]:
        """Accept no more processes, and list those that were forked and whose end was not reported."""
        with self._lock:
            self._is_closed = True
            return [entry.process for entry in self._entries.values() if entry.process.pid]

    @property
    def is_closed(self) -> bool:
        """Whether `close` was called."""
        return self._is_closed

    def close_channels(self) -> None:
        """Close every channel that its user has not closed."""
        with self._lock:
            channels, self._channels = self._channels, []
        for channel in channels:
            channel.close()
