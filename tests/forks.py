"""Python programs as forks of one process that has imported all of corps already.

Such a program begins at once, because the imports take a fresh interpreter a third of a second. It gets what
a program gets: its words, folder, environment and standard files. It has a `__main__` of its own, and ends as
an interpreter does. Interpreters are started by the tests of how corps starts, of the command itself, of the
examples, and of what is imported when.

Run as a program, this file is that process. It has one thread, so it may fork.
"""

import gc
import importlib
import json
import os
import pkgutil
import runpy
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import types
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Self

ROOT: Final = Path(__file__).parents[1]

_APART: Final = ("corps.testing", "corps.parallel.joblib")  # what no program of the tests imports unasked
_MESSAGE: Final = 2**17


class Forks:
    """That process, as tests see it. One thread."""

    def __init__(self) -> None:
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        environ = {name: value for name, value in os.environ.items() if not name.startswith("CORPS_")}
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, __file__, str(theirs.fileno())],
                env={**environ, "PYTHONPATH": str(ROOT)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,  # no terminal: what is forked buffers its lines as in a pipe
                pass_fds=[theirs.fileno()],
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.control.close()  # it ends at the end of file
        self._process.wait()

    def begin(
        self,
        words: Sequence[str],
        cwd: Path | str,
        env: Mapping[str, str],
        *,
        stdin: int | IO[Any] | None = subprocess.DEVNULL,
        stdout: int | IO[Any] | None = subprocess.PIPE,
        stderr: int | IO[Any] | None = subprocess.PIPE,
        start_new_session: bool = False,
    ) -> "subprocess.Popen[str]":
        """Begin a program as `subprocess.Popen` does; `words` are those behind the interpreter."""
        asked = {"words": list(words), "cwd": str(cwd), "environ": dict(env), "leads": start_new_session}
        return _Fork(self.control, asked, stdin=stdin, stdout=stdout, stderr=stderr, text=True)

    def run(
        self, words: Sequence[str], cwd: Path | str, env: Mapping[str, str], timeout: float, **files: Any
    ) -> "subprocess.CompletedProcess[str]":
        """Run a program as `subprocess.run` does; `words` are those behind the interpreter."""
        with self.begin(words, cwd, env, **files) as process:
            try:
                out, errors = process.communicate(timeout=timeout)
            except BaseException:
                process.kill()
                raise
        return subprocess.CompletedProcess(words, process.returncode, out, errors)


class _Fork(subprocess.Popen[str]):
    """A program that the process of `Forks` has begun, and waits for. It says the status by a socket."""

    def __init__(self, control: socket.socket, asked: dict[str, Any], **options: Any) -> None:
        self._control, self._asked = control, asked
        self._status: socket.socket
        super().__init__(asked["words"], **options)

    # What follows overrides steps of the base class that are no part of its interface: all else is as there.

    def _execute_child(self, *args: Any) -> None:
        files = args[10:16]  # both ends of each pipe: stdin, stdout, stderr; -1 where there is none
        theirs = [fd if fd != -1 else standard for standard, fd in enumerate((files[0], files[3], files[5]))]
        self._status, status = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with status:
            socket.send_fds(self._control, [json.dumps(self._asked).encode()], [*theirs, status.fileno()])
        self._close_pipe_fds(*files)  # type: ignore[attr-defined]
        self.pid = int(self._status.recv(64))
        self._child_created = True

    def _internal_poll(self, *_: object, **__: object) -> int | None:
        if self.returncode is None:
            self._look(socket.MSG_DONTWAIT)
        return self.returncode

    def _try_wait(self, wait_flags: int) -> tuple[int, int]:
        self._look(socket.MSG_DONTWAIT if wait_flags else 0)
        return (0, 0) if self.returncode is None else (self.pid, 0)

    def _handle_exitstatus(self, sts: int, *_: object, **__: object) -> None:
        """Do nothing: the status is known already."""

    def _look(self, flags: int) -> None:
        try:
            status = self._status.recv(64, flags)
        except BlockingIOError:
            return
        self._status.close()
        self.returncode = int(status)


# In that process


class _Server:
    """Forks for what is asked, and says how each has ended. One thread."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._running: dict[int, socket.socket] = {}
        self._reader, self._writer = socket.socketpair()
        self._writer.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)

    def serve(self) -> tuple[dict[str, Any], list[int]] | None:
        """Return, in a fork, what it has to do and with which files; None at the end."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._control, selectors.EVENT_READ)
            selector.register(self._reader, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    if key.fileobj is self._reader:
                        self._reader.recv(64)
                        self._reap()
                        continue
                    asked, fds, _, _ = socket.recv_fds(self._control, _MESSAGE, 4)
                    if not asked:
                        return None
                    pid = os.fork()
                    if pid == 0:
                        os.close(fds.pop())
                        self._let_go()
                        return json.loads(asked), fds
                    for fd in fds[:3]:
                        os.close(fd)
                    status = self._running[pid] = socket.socket(fileno=fds[3])
                    status.send(b"%d" % pid)

    def _reap(self) -> None:
        for pid in list(self._running):
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                with self._running.pop(pid) as told:
                    told.send(b"%d" % os.waitstatus_to_exitcode(status), socket.MSG_NOSIGNAL)

    def _let_go(self) -> None:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for held in (self._control, self._reader, self._writer, *self._running.values()):
            held.close()


def become(fds: list[int], words: list[str], cwd: str, environ: dict[str, str], *, leads: bool) -> None:
    """Make this process what an interpreter is at its begin, and run the program."""
    for standard, fd in enumerate(fds):
        os.dup2(fd, standard)
        os.close(fd)
    if leads:
        os.setsid()
    os.environ.clear()
    os.environ.update(environ)
    os.chdir(cwd)
    tempfile.tempdir = None
    main = types.ModuleType("__main__")
    sys.modules["__main__"] = main
    path = [entry for entry in environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
    ours = (str(ROOT), str(Path(__file__).parent))
    path += [entry for entry in sys.path if entry not in ours]
    sys.path[:] = path if str(ROOT) in path else [*path, str(ROOT)]  # as an editable installation has it
    first, *rest = words
    if first == "-m":
        sys.path.insert(0, cwd)
        sys.argv[:] = ["-m", *rest[1:]]
        sys.modules.pop(rest[0], None)  # it is executed as `__main__`
        runpy._run_module_as_main(rest[0])  # type: ignore[attr-defined]
    elif first == "-c":
        sys.path.insert(0, "")
        sys.argv[:] = ["-c", *rest[1:]]
        exec(compile(rest[0], "<string>", "exec"), vars(main))
    else:
        sys.path.insert(0, str(Path(first).absolute().parent))
        sys.argv[:] = words
        main.__file__ = str(Path(first).absolute())
        exec(compile(Path(first).read_bytes(), main.__file__, "exec"), vars(main))


def _import_all() -> None:
    import corps

    for module in pkgutil.walk_packages(corps.__path__, "corps."):
        if not module.name.startswith(_APART) and not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    gc.collect()
    gc.freeze()


if __name__ == "__main__":
    _import_all()
    its_control = socket.socket(fileno=int(sys.argv[1]))
    its_control.set_inheritable(False)
    wanted = _Server(its_control).serve()
    if wanted is not None:
        become(wanted[1], **wanted[0])
