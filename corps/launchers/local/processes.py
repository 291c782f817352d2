"""ProcessHost: starts, watches and ends the processes of one Corps on this host, and leaves no orphans.

The booting process starts one template process, which forks the Envs (see `template`); a thread watches
them (see `watcher`). If this process dies, however it does, the template ends everything. If the template
dies, the kernel kills the Envs, and the watcher reports each.

Two things are not guaranteed. A process that an Env started with a session of its own outlives it. If SIGKILL
ends both the template and the booting process, the runtime directory stays, and what Envs have started too.
"""

import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from array import array
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from corps.addresses import env_label
from corps.clock import deadline_after, remaining
from corps.errors import ClosedError, EnvStartError, InternalError
from corps.launchers.launcher import Exit
from corps.launchers.local.channel import Channel
from corps.launchers.local.control import Import, Kill, Spawn, TemplateConfig, encode
from corps.launchers.local.core_files import turn_off_core_files
from corps.launchers.local.env_process import EnvProcess, is_stopped
from corps.launchers.local.env_table import EnvEntry, EnvTable
from corps.launchers.local.pulse import Pulse, open_pulse
from corps.launchers.local.runtime_dir import remove_runtime_dir
from corps.launchers.local.starting_python import advice, python_command
from corps.launchers.local.watcher import Watcher
from corps.reserve import Reserve, may_pass

_TEMPLATE_END = 2.0
_FDS_OF_ENV = 8  # of `open_ends`, with one that is open for a moment only
_RESERVE = 4 * _FDS_OF_ENV

_log = logging.getLogger("corps.hosting")


@dataclass(frozen=True, slots=True)
class _Launched:
    """What `launch` has made."""

    control: socket.socket
    template: subprocess.Popen[bytes]
    watcher: Watcher
    thread: threading.Thread


class ProcessHost:
    """The processes of one Corps on this host. Linux only.

    Call `launch` and `wait_ready` first and once. Any thread may call `close` at any time, and `spawn` after
    the start, except inside `on_exit`: both wait for what only the watcher's thread can see. A host that is
    not closed ends with its process. `runtime_dir`, of `make_runtime_dir`, is removed then.

    If a module in `preload` starts a thread, no Env is a fork. `on_exit` is called with the end of each
    process that `spawn` returned, in the watcher's thread, when its output is complete. `stdin_env` has this
    process's stdin, and the other Envs an empty one.
    """

    def __init__(
        self,
        runtime_dir: str,
        *,
        preload: Sequence[str],
        on_exit: Callable[[Exit], None],
        executable: str | None = None,
        stdin_env: int | None = None,
    ) -> None:
        self.runtime_dir = runtime_dir
        self._preload = list(preload)
        self._on_exit = on_exit
        self.start_timeout = 30.0  # seconds that `spawn` waits for the template
        self._executable = executable
        self._stdin_env = stdin_env
        self._table = EnvTable()
        self._reserve = Reserve(0)
        self._launched: _Launched | None = None
        # Protects the control socket against being closed under a send. The sends do not block.
        self._control_lock = threading.Lock()
        # Makes closing one sequence. A second caller waits for it, or goes on with it after an interrupt.
        # Held while the processes end.
        self._closing_lock = threading.Lock()
        self._is_finished = False

    @property
    def template_pid(self) -> int | None:
        """The template process; None before `launch`."""
        return None if self._launched is None else self._launched.template.pid

    def launch(self) -> None:
        """Start the template process, which takes a while to import everything. Call `wait_ready` next.

        If the system gives no process, thread or descriptor, the host is closed, and an EnvStartError raised.
        """
        # A close from another thread sees nothing or all of it.
        with self._closing_lock:
            if self._launched is not None or self._table.is_closed:
                raise ClosedError("a ProcessHost starts once, and not after close")
            try:
                turn_off_core_files()  # they would hold keys
                open_standard_fds()
                self._reserve = Reserve(_RESERVE)
                self._launched = self._start_template()
                return
            except (OSError, RuntimeError) as error:  # it is a RuntimeError that there is no further thread
                problem = error
        self.close(0.0)
        raise EnvStartError(f"the template process could not be started: {problem}") from problem

    def wait_ready(self, timeout: float) -> None:
        """Wait until the template has imported everything.

        If a module to preload cannot be used, `output` has the traceback. After an EnvStartError the host is
        closed.
        """
        if self._launched is None:
            raise ClosedError("a ProcessHost that was not launched never gets ready")
        watcher = self._launched.watcher
        is_answered = watcher.is_ready.wait(timeout)
        if is_answered and not watcher.problem:
            return
        self.close(0.0)
        late = f"it was not ready in {timeout:.3g} s (setting boot_timeout)"
        problem = watcher.problem if is_answered else late
        raise EnvStartError(
            f"the template process, started as {self._executable or sys.executable}, did not start: {problem}"
            f"{advice(self._executable)}",
            output=problem,
        )

    def also_import(self, *modules: str) -> None:
        """Have the template import more, by names, before it forks the next Env."""
        with contextlib.suppress(OSError):  # if the template has gone, `spawn` says so
            self._send(encode(Import([*modules])), [])

    def hand_over_lines(self, on_line: Callable[[int, int, str], object]) -> None:
        """Call `on_line` with each line that a process writes, instead of showing it.

        It gets the ids of the Env and of the process, in the watcher's thread, and must not block.
        """
        if self._launched is not None:
            self._launched.watcher.on_line = on_line

    def _start_template(self) -> _Launched:
        control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with contextlib.ExitStack() as undo, theirs:
            undo.callback(control.close)
            config = TemplateConfig(
                control_fd=theirs.fileno(),
                parent_pid=os.getpid(),
                runtime_dir=self.runtime_dir,
                preload=self._preload,
                stdin_env=self._stdin_env,
                executable=self._executable,
                path=[os.fspath(item) for item in sys.path],
                argv=list(sys.argv),
            )
            command, environ = python_command(asdict(config), self._executable)
            template = subprocess.Popen(
                command,
                env=environ,
                stdin=subprocess.DEVNULL if self._stdin_env is None else None,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
            undo.callback(template.wait)
            undo.callback(template.kill)
            watcher = Watcher(control, template, self._table, self._on_exit)
            undo.callback(watcher.discard)
            # A daemon: a main program that forgets to close must end, and takes its processes with it.
            thread = threading.Thread(target=watcher.run, name="corps-host", daemon=True)
            thread.start()
            undo.pop_all()
        return _Launched(control, template, watcher, thread)

    def spawn(self, env_id: int, entry: str) -> EnvProcess:
        """Fork an Env. Its process may not have come to its entry function when this returns.

        `entry` is ``"module:function"``; the function is called with a `ChildSide`, and returns the exit
        status. An EnvStartError says whether another try may succeed: `is_passing`.
        """
        self._refuse_in_watcher("spawn")
        if self._launched is None:
            raise ClosedError(f"spawn of {env_label(env_id)}: the ProcessHost was not started")
        self._reserve.refill()
        try:
            ours, theirs, read_fd, write_fd, pulse, pulse_fd = self._reserve.use(open_ends, _FDS_OF_ENV)
        except OSError as error:
            raise _not_started(env_id, str(error), is_passing=may_pass(error)) from error
        pending = EnvEntry(EnvProcess(env_id, Channel(ours), pulse, self._send_signal), read_fd)
        try:
            self._add(pending)
            self._request_fork(pending, entry, [theirs.fileno(), write_fd, pulse_fd])
        except BaseException:
            pending.process.discard()
            raise
        finally:
            # The Env's ends are in the packet now. A copy kept here would hide the end of the Env.
            theirs.close()
            os.close(write_fd)
            os.close(pulse_fd)
        return self._wait_for_fork(pending)

    def _add(self, pending: EnvEntry) -> None:
        try:
            self._table.add(pending)
        except BaseException:
            pending.close_output()
            raise

    def _request_fork(self, pending: EnvEntry, entry: str, fds: list[int]) -> None:
        env_id = pending.process.env_id
        try:
            self._send(encode(Spawn(env_id, entry)), fds)
        except OSError as error:
            # Not if the watcher took it in the meantime, because the template has ended: then it closes it.
            if self._table.take(env_id) is not None:
                pending.close_output()
            if self._table.is_closed:
                raise ClosedError(f"spawn of {env_label(env_id)}: the ProcessHost was closed") from error
            problem = f"the template takes no request: {error}"
            raise _not_started(env_id, problem, is_passing=may_pass(error)) from error

    def _wait_for_fork(self, pending: EnvEntry) -> EnvProcess:
        process = pending.process
        if not pending.is_answered.wait(self.start_timeout) and self._table.abandon(pending):
            # The template takes requests in order: if it ever forks this Env, it kills it next.
            process.kill(signal.SIGKILL)
            pending.problem = f"the template process did not answer in {self.start_timeout} s"
        if self._table.is_closed:
            process.kill(signal.SIGKILL)
            raise ClosedError(f"spawn of {env_label(process.env_id)}: the ProcessHost was closed")
        if pending.problem:
            process.discard()
            raise _not_started(
                process.env_id, pending.problem, is_passing=pending.is_passing, output=process.output()
            )
        return process

    def close(self, grace: float) -> None:
        """End every process, the template and the watcher, and remove the runtime directory. Idempotent.

        In this order: no more spawns; SIGTERM to every process; after the grace the order to the template to
        end, which kills what is left and reports it; then the thread and the descriptors. A second caller
        waits for the first. None of this can be called inside `on_exit`.
        """
        self._refuse_in_watcher("close")
        with self._closing_lock:
            if self._is_finished:
                return
            processes = self._table.close()
            if self._launched is not None:
                self._terminate(processes, grace)
                self._end_template(self._launched)
                with self._control_lock:
                    self._launched.control.close()
            self._table.close_channels()
            self._reserve.close()
            remove_runtime_dir(self.runtime_dir)
            self._is_finished = True

    def _terminate(self, processes: list[EnvProcess], grace: float) -> None:
        deadline = deadline_after(grace)
        for process in processes:
            process.kill(signal.SIGTERM)
        for process in processes:
            process.wait(remaining(deadline))

    def _end_template(self, launched: _Launched) -> None:
        self._continue_template(launched)
        self._shut(launched.control, socket.SHUT_WR)
        launched.thread.join(_TEMPLATE_END)
        if launched.thread.is_alive():
            # It is stopped, or an Env cannot be killed. The shutdown gives the watcher its end of file.
            launched.template.kill()
            self._shut(launched.control, socket.SHUT_RDWR)
            launched.thread.join()

    def _shut(self, control: socket.socket, how: int) -> None:
        with self._control_lock, contextlib.suppress(OSError):
            control.shutdown(how)

    def _continue_template(self, launched: _Launched) -> None:
        """If the template is stopped, have it go on: only it can end its processes in order."""
        template = launched.template
        if template.returncode is None and is_stopped(template.pid):
            _log.warning("the template process (pid %d) is stopped, and has to go on", template.pid)
            template.send_signal(signal.SIGCONT)

    def _send_signal(self, env_id: int, number: int, pid: int) -> None:
        # If the template has gone, or takes no more, the process ends with it.
        with contextlib.suppress(OSError):
            self._send(encode(Kill(env_id, number, pid)), [])

    def _send(self, packet: bytes, fds: list[int]) -> None:
        """Send to the template, which is there. Raise OSError if it has gone, or after `close`."""
        assert self._launched is not None
        self._continue_template(self._launched)
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", fds))] if fds else []
        with self._control_lock:
            self._launched.control.sendmsg([packet], rights, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)

    def _refuse_in_watcher(self, what: str) -> None:
        if self._launched is not None and threading.current_thread() is self._launched.thread:
            raise InternalError(f"{what} inside on_exit would wait for itself; call it on another thread")


def _not_started(env_id: int, problem: str, *, is_passing: bool, output: str = "") -> EnvStartError:
    text = f"{env_label(env_id)} could not be started: {problem}"
    return EnvStartError(text, output=output, is_passing=is_passing)


def open_ends() -> tuple[socket.socket, socket.socket, int, int, Pulse, int]:
    """Open the descriptors between a booting process and a new Env, all close-on-exec.

    They are the booting process's end of the channel, the Env's end, the read and the write end of the output
    pipe, the pulse, and the Env's descriptor of that.
    """
    with contextlib.ExitStack() as opened:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        opened.callback(ours.close)
        opened.callback(theirs.close)
        pulse_fd = open_pulse()
        opened.callback(os.close, pulse_fd)
        pulse = Pulse(pulse_fd)
        opened.callback(pulse.close)
        read_fd, write_fd = os.pipe()
        os.set_blocking(read_fd, False)
        opened.pop_all()
    return ours, theirs, read_fd, write_fd, pulse, pulse_fd


def open_standard_fds() -> None:
    """Open /dev/null where stdin, stdout or stderr is closed, so that no socket gets its number."""
    for fd in (0, 1, 2):
        try:
            os.fstat(fd)
        except OSError:
            null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
            if null == fd:  # as a rule: it is the lowest number that is free
                os.set_inheritable(fd, True)
            else:
                os.dup2(null, fd)
                os.close(null)
