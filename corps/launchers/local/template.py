"""The template process: imports everything once, and is forked into Envs.

A fork of a process that has imported all an Env needs is ready in milliseconds; importing takes a fifth of a
second. A fork is safe only from a process with one thread that has opened nothing, so this one does nothing
else: it makes no thread and no ZeroMQ context. But a debugger, or an agent that comes with every Python of a
machine, can have made threads in it. Then each Env is an interpreter of its own, which takes longer.

The template also keeps Envs from being orphans:

* It ends when the booting process does: the end of file of the control socket says so, and the booting
  process's pidfd too, because a process that the user forked can hold a copy of the socket. Then it kills
  and reaps its Envs, removes the runtime directory and goes.
* The kernel kills each Env when the thread that forked it ends. The template's only thread ends with the
  process.
* Each Env leads a process group. When an Env has ended, the template kills the rest of the group, and then
  reaps the Env: until then no other process can have its id, which is that of the group.

Each end of file comes when it should because the ends are held so. The booting process alone holds its ends
of the control socket, the channels and the output pipes, all close-on-exec. The template holds an Env's ends
from the packet that brings them until its fork, never while it forks another Env. An Env closes all that is
the template's before any other code runs.
"""

import contextlib
import faulthandler
import gc
import importlib
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
import traceback
from array import array
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any, Final, NoReturn

from corps.addresses import env_label
from corps.launchers.local.channel import Channel
from corps.launchers.local.child import ChildSide, flush_output, run_entry
from corps.launchers.local.control import (
    MAX_PACKET,
    EnvConfig,
    Exited,
    Failed,
    Import,
    Kill,
    Message,
    Ready,
    Spawn,
    Spawned,
    SpawnFailed,
    TemplateConfig,
    decode,
    encode,
    shortened,
)
from corps.launchers.local.core_files import turn_off_core_files
from corps.launchers.local.prctl import die_with_parent, set_process_name
from corps.launchers.local.pulse import Pulse
from corps.launchers.local.runtime_dir import remove_runtime_dir
from corps.launchers.local.stacks import dump_stacks_at_signal
from corps.launchers.local.starting_python import python_command
from corps.reserve import may_pass

# SIGTERM and SIGHUP too: a service manager sends them to every process at once, and only the booting process
# can stop in order.
_IGNORED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_EXIT_IN_FORK = 70
_FDS_OF_SPAWN = 3
_RIGHTS = socket.CMSG_SPACE(4 * _FDS_OF_SPAWN)
_DEBUGGERS: Final = frozenset({"pydevd", "debugpy"})
"""They have threads, or make them in each fork, and follow a program that is started just as well."""


class Template:
    """The template process. One thread: the only one of that process."""

    def __init__(self, config: TemplateConfig) -> None:
        self._config = config
        self._pid = os.getpid()
        self._pids: dict[int, int] = {}
        self._control = socket.socket(fileno=config.control_fd)
        self._control.set_inheritable(False)
        self._wake_read, self._wake_write = socket.socketpair()
        self._wake_read.setblocking(False)
        self._wake_write.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._parent_fd = _open_pidfd(config.parent_pid)
        self._is_wanted = True

    def run(self) -> None:
        """Serve until the booting process has gone, then leave nothing behind."""
        self._take_signals()
        if self._import_everything():
            self._watch(self._control, self._read_request)
            self._watch(self._wake_read, self._reap)
            if self._parent_fd is not None:
                self._watch(self._parent_fd, self._stop)
            # Only now, with the pidfd open, is the number certainly that of our parent.
            self._is_wanted = os.getppid() == self._config.parent_pid
            self._send(Ready())
            self._serve()
        self._end_all()
        remove_runtime_dir(self._config.runtime_dir)

    def _take_signals(self) -> None:
        for ignored in _IGNORED:
            signal.signal(ignored, signal.SIG_IGN)
        # A Python handler must exist for the wake-up socket to be written to.
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.set_wakeup_fd(self._wake_write.fileno(), warn_on_full_buffer=False)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())

    def _import_everything(self) -> bool:
        try:
            preload(self._config.preload)
        except BaseException:
            self._send(Failed(shortened(traceback.format_exc())))
            return False
        return True

    def _watch(self, file: Any, callback: Callable[[], None]) -> None:
        self._selector.register(file, selectors.EVENT_READ, callback)

    def _serve(self) -> None:
        while self._is_wanted:
            for key, _ in self._selector.select():
                key.data()

    def _stop(self) -> None:
        self._is_wanted = False

    def _send(self, message: Message) -> None:
        # If the booting process has gone, the control socket is at its end and says so in the next round.
        with contextlib.suppress(OSError):
            self._control.send(encode(message), socket.MSG_NOSIGNAL)

    def _read_request(self) -> None:
        # Not socket.recv_fds, which ignores its flags (CPython 3.11 to 3.13). A program that an application
        # starts would inherit an Env's end of the channel, could read it, and would keep it open.
        try:
            packet, rights, _, _ = self._control.recvmsg(MAX_PACKET, _RIGHTS, socket.MSG_CMSG_CLOEXEC)
        except OSError:
            packet, rights = b"", []
        fds = array("i")
        for _, _, data in rights:
            fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
        if not packet:
            self._stop()
            return
        try:
            match decode(packet):
                case Import(modules):
                    # An Env that needs what cannot be imported says so itself.
                    with contextlib.suppress(Exception):
                        preload(modules)
                case Spawn() as request:
                    self._spawn(request, fds)
                case Kill(env_id, number, pid) if env_id in self._pids and pid in {0, self._pids[env_id]}:
                    # It is not reaped yet, so this id is certainly its own.
                    os.kill(self._pids[env_id], number)
        finally:
            for fd in fds:
                os.close(fd)

    def _spawn(self, request: Spawn, fds: Sequence[int]) -> None:
        if len(fds) != _FDS_OF_SPAWN:
            # The kernel drops what would exceed the limit of open files.
            problem = "its descriptors did not arrive: too many open files"
            self._send(SpawnFailed(request.env_id, problem, is_passing=True))
            return
        config = self._config
        env = EnvConfig(
            request.env_id,
            request.entry,
            list(fds),
            self._pid,
            config.stdin_env,
            config.path,
            config.argv,
        )
        flush_output()
        # A signal that comes before the Env has set its handlers waits. Otherwise the Env would ignore it, or
        # it would wake the template.
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            pid = os.fork() if may_fork() else self._start_env(env)
            if pid == 0:
                self._become_env(env)
        except OSError as error:
            self._send(SpawnFailed(request.env_id, str(error), is_passing=may_pass(error)))
            return
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, ())
        # Both sides do it, so the group is there when either goes on.
        with contextlib.suppress(OSError):
            os.setpgid(pid, pid)
        self._pids[request.env_id] = pid
        self._send(Spawned(request.env_id, pid))

    def _start_env(self, env: EnvConfig) -> int:
        """Start an Env that is no fork, and return its process id."""
        command, environ = python_command(asdict(env), self._config.executable)
        started = subprocess.Popen(command, env=environ, pass_fds=env.fds, process_group=0)
        started.returncode = 0  # only `_bury` may wait for it: later its id could be another's
        return started.pid

    def _become_env(self, env: EnvConfig) -> NoReturn:
        try:
            is_wanted = die_with_parent(self._pid)
            self._forget_template()
        except BaseException:
            traceback.print_exc()
            os._exit(_EXIT_IN_FORK)
        be_env(env, is_wanted=is_wanted)

    def _forget_template(self) -> None:
        signal.set_wakeup_fd(-1)
        self._selector.close()
        self._control.close()
        self._wake_read.close()
        self._wake_write.close()
        if self._parent_fd is not None:
            os.close(self._parent_fd)

    def _reap(self) -> None:
        # Empty it before looking at the processes: one that ends later wakes the template again.
        with contextlib.suppress(BlockingIOError):
            while self._wake_read.recv(4096):
                pass
        for env_id, pid in list(self._pids.items()):
            if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
                self._bury(env_id, pid)

    def _bury(self, env_id: int, pid: int) -> None:
        with contextlib.suppress(OSError):
            os.killpg(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        del self._pids[env_id]
        self._send(Exited(env_id, pid, os.waitstatus_to_exitcode(status)))

    def _end_all(self) -> None:
        for pid in self._pids.values():
            os.kill(pid, signal.SIGKILL)
        for env_id, pid in list(self._pids.items()):
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
            self._bury(env_id, pid)


def preload(modules: Sequence[str]) -> None:
    """Import modules by their names, and make what they hold cheap to share with forks."""
    # Objects made now stay out of every later collection. Otherwise a collection in an Env would write to the
    # pages that it shares with the others, and so copy them.
    gc.disable()
    for name in modules:
        importlib.import_module(name)
    gc.freeze()


def may_fork() -> bool:
    """Return whether a fork of this process can go on: it has one thread, and no debugger."""
    return _count_threads() == 1 and _DEBUGGERS.isdisjoint(sys.modules)


def be_env(env: EnvConfig, *, is_wanted: bool) -> NoReturn:
    """Be an Env, in a process that was made for that, until its end. `is_wanted`: the template lives."""
    channel_fd, output_fd, pulse_fd = env.fds
    has_stdin = env.env_id == env.stdin_env
    code = _EXIT_IN_FORK
    try:
        if is_wanted:
            for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
                signal.signal(number, signal.SIG_DFL)
            if not has_stdin:
                with open(os.devnull) as nothing:
                    os.dup2(nothing.fileno(), 0)
            saved = capture_output(output_fd)
            become_env(env.env_id)
            pulse = Pulse(pulse_fd)
            os.close(pulse_fd)
            channel = Channel(socket.socket(fileno=channel_fd))
            child = ChildSide(env.env_id, channel, pulse, *saved, has_stdin=has_stdin)
            code = run_entry(env.entry, child)
    except BaseException:
        traceback.print_exc()
    finally:
        flush_output()
        os._exit(code)


def capture_output(output_fd: int) -> tuple[int, int]:
    """Lead stdout and stderr into a pipe, and close its descriptor; return duplicates of what they were."""
    saved = os.dup(1), os.dup(2)
    os.dup2(output_fd, 1)
    os.dup2(output_fd, 2)
    os.close(output_fd)
    for stream in (sys.stdout, sys.stderr):
        # Whole lines, at once: a kill loses no buffer, and the lines of several Envs do not mix. Without this
        # PYTHONUNBUFFERED would write line ends on their own.
        stream.reconfigure(line_buffering=True, write_through=False)  # type: ignore[union-attr]  # they are text files here
    return saved


def become_env(env_id: int) -> None:
    """Make a fresh fork a process of its own. Signals come through from here on.

    The `random` module reseeds itself in every fork; `secrets` and `uuid` ask the kernel.
    """
    with contextlib.suppress(OSError):
        os.setpgid(0, 0)
    set_process_name(f"corps-{env_label(env_id)}")
    turn_off_core_files()
    # On fd 2, whatever that is at the time of a crash.
    faulthandler.enable(file=2)
    dump_stacks_at_signal()
    gc.enable()
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def become(arguments: dict[str, Any]) -> NoReturn:
    """Be a template process, or an Env that is no fork. The arguments are the fields of its config.

    Or be what a function makes of this process: ``entry`` names it, as ``"module:function"``, and the
    other arguments are for it, but for ``path`` and ``argv``. It returns the exit status.
    """
    if "entry" in arguments and "env_id" not in arguments:
        be_other(**arguments)
    if "env_id" in arguments:
        env = EnvConfig(**arguments)
        sys.argv[:] = env.argv
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        for fd in env.fds:
            os.set_inheritable(fd, False)
        be_env(env, is_wanted=die_with_parent(env.template_pid))
    config = TemplateConfig(**arguments)
    sys.argv[:] = config.argv
    set_process_name("corps-template")
    Template(config).run()
    # Not sys.exit: modules have registered work for the end of an interpreter that is not for this process.
    os._exit(0)


def be_other(entry: str, path: list[str], argv: list[str], **arguments: Any) -> NoReturn:
    """Have a function be the life of this process. The interpreter does not end in its own way after it."""
    del path  # `python_command` has taken it
    gc.enable()
    sys.argv[:] = argv
    set_process_name("corps-boot")
    module_name, _, function_name = entry.partition(":")
    status = _EXIT_IN_FORK
    try:
        status = getattr(importlib.import_module(module_name), function_name)(**arguments)
    except BaseException:
        traceback.print_exc()
    finally:
        flush_output()
        os._exit(status)


def _count_threads() -> int:
    try:
        return len(os.listdir("/proc/self/task"))
    except OSError:
        return threading.active_count()


def _open_pidfd(pid: int) -> int | None:
    """Open a descriptor that is readable when the process ends; None where the kernel has none."""
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return None
