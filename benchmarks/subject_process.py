"""A process for each subject: it opens the subject, and measures what it is asked to.

So a peer that hangs, prints, crashes or leaves processes behind cannot disturb the run, and the memory of one
subject is not that of another. Forked, which takes 10 ms: whoever forks must have no other thread, and must
have imported no peer. A subject on the pure twin has a new interpreter, because which core runs is decided
when corps is imported.
"""

import ctypes
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import Any, Final

import psutil

from benchmarks.cases import Subject
from benchmarks.timing import Effort
from corps.core import PURE

_FORK = multiprocessing.get_context("fork")
_PR_SET_CHILD_SUBREAPER: Final = 36
_ANEW: Final = "import sys; from benchmarks.subject_process import serve_anew; serve_anew(int(sys.argv[1]))"

OPENED: Final = "opened"
MEASURED: Final = "measured"
FAILED: Final = "failed"
CLOSED: Final = "closed"


class SubjectFailed(Exception):
    """A subject did not do what it was asked to; says why."""


class _NewInterpreter:
    """A process that has not been forked, with as much of a `multiprocessing.Process` as is used here.

    Args:
        conn: By which it is asked.
        variable: Of the environment, that is 1 for it.
    """

    def __init__(self, conn: "Connection[Any, Any]", variable: str) -> None:
        descriptor = conn.fileno()
        self._process = subprocess.Popen(
            [sys.executable, "-c", _ANEW, str(descriptor)],
            pass_fds=[descriptor],
            cwd=Path(__file__).parents[1],
            env={**os.environ, variable: "1"},
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def exitcode(self) -> int | None:
        return self._process.poll()

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def join(self, timeout: float | None = None) -> None:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout)

    def kill(self) -> None:
        self._process.kill()


class SubjectProcess:
    """A subject in its own process. One thread uses it; `close` must be called.

    Args:
        subject: Who.
        share: Of its full size.
    """

    def __init__(self, subject: Subject, share: float) -> None:
        self.subject = subject
        self._is_open = False
        self._log = tempfile.TemporaryFile()  # noqa: SIM115
        self._conn, theirs = _FORK.Pipe()
        self._process: ForkProcess | _NewInterpreter
        if subject.is_pure:
            self._process = _NewInterpreter(theirs, PURE)
            self._conn.send((subject, share))
        else:
            args = (theirs, self._conn, subject, share, self._log.fileno())
            self._process = _FORK.Process(target=_serve_forked, args=args)
            self._process.start()
        theirs.close()

    def open(self, limit: float) -> frozenset[str]:
        """Wait until the subject has started.

        Args:
            limit: Seconds to wait at most.

        Returns:
            The names of the works that it does.

        Raises:
            SubjectFailed: It did not start.
        """
        works = frozenset(self._answer(OPENED, limit))
        self._is_open = True
        return works

    def measure(self, work: str, effort: Effort, limit: float) -> list[float]:
        """Have a work measured.

        Args:
            work: One of those that `open` has named.
            effort: How much of it.
            limit: Seconds to wait at most.

        Returns:
            The samples.

        Raises:
            SubjectFailed: The work failed. The process may still do others, see `is_alive`.
        """
        with suppress(OSError):  # it has ended: the wait for its answer finds that too, and says why
            self._conn.send((work, effort))
        samples: list[float] = self._answer(MEASURED, limit)
        if not samples:
            raise SubjectFailed("gave no samples")
        return samples

    @property
    def is_alive(self) -> bool:
        """Whether it can be asked for more."""
        return self._process.is_alive()

    def close(self, limit: float) -> None:
        """End the subject, and then whatever is left of it.

        Args:
            limit: Seconds to wait at most until the subject has ended in order.

        Raises:
            SubjectFailed: It did not end in order. It has ended all the same.
        """
        try:
            if self._is_open and self.is_alive:
                self._end_in_order(limit)
        finally:
            self._kill()
            self._conn.close()
            self._log.close()

    def _end_in_order(self, limit: float) -> None:
        with suppress(OSError):
            self._conn.send(None)
        self._answer(CLOSED, limit)
        left = _below(self._process.pid)
        with suppress(OSError):
            self._conn.send(None)
        self._process.join(5)
        _kill_all(left)

    def _answer(self, wanted: str, limit: float) -> Any:
        """Wait for an answer; passes over what somebody was waiting for when he was interrupted."""
        deadline = time.monotonic() + limit
        while True:
            if not self._conn.poll(max(0.0, deadline - time.monotonic())):
                self._kill()
                raise SubjectFailed(f"no answer within {limit:g} s")
            try:
                kind, value = self._conn.recv()
            except (EOFError, OSError):
                self._process.join(5)
                self._kill()
                raise SubjectFailed(f"its process ended: {self._last_words()}") from None
            if kind == FAILED:
                raise SubjectFailed(value)
            if kind == wanted:
                return value

    def _kill(self) -> None:
        """Kill the process and all below it; those that lost their parent are below it too."""
        if self._process.is_alive():
            _kill_all(_below(self._process.pid))
            self._process.kill()
        self._process.join()

    def _last_words(self) -> str:
        self._log.seek(0)
        lines = self._log.read().decode("utf-8", "replace").strip().splitlines()
        return lines[-1].strip()[:200] if lines else f"exit status {self._process.exitcode}"


def _below(pid: int | None) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _kill_all(processes: Iterable[psutil.Process]) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()


# In the process of the subject


def serve_anew(descriptor: int) -> None:
    """Serve in a process that was not forked.

    Args:
        descriptor: Of the connection; the subject and its share come first.
    """
    conn: Connection[Any, Any] = Connection(descriptor)
    subject, share = conn.recv()
    _serve(conn, subject, share)


def _serve_forked(
    conn: "Connection[Any, Any]", other_end: "Connection[Any, Any]", subject: Subject, share: float, log: int
) -> None:
    other_end.close()  # else nobody would notice that the asking process has ended
    if subject.role == "peer":
        _redirect_output(log)
    _serve(conn, subject, share)


def _serve(conn: "Connection[Any, Any]", subject: Subject, share: float) -> None:
    os.setsid()  # an interrupt from the terminal is for the asking process, which ends this one
    _adopt_orphans()
    try:
        with subject.open(share) as works:
            _tell(conn, OPENED, list(works))
            while (order := conn.recv()) is not None:
                work, effort = order
                try:
                    samples = works[work](effort)
                except Exception as error:
                    _tell(conn, FAILED, _describe(error))
                else:
                    _tell(conn, MEASURED, samples)
    except EOFError:
        return
    except BaseException as error:
        last = FAILED, _describe(error)
    else:
        last = CLOSED, ""
    with suppress(EOFError):
        _tell(conn, *last)
        conn.recv()  # what it has left behind is looked for below it, before it may end


def _tell(conn: "Connection[Any, Any]", kind: str, value: Any) -> None:
    try:
        conn.send((kind, value))
    except BrokenPipeError:
        raise EOFError from None  # as if it had been asked: the asking process has ended


def _adopt_orphans() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, ctypes.c_ulong(1), 0, 0, 0)


def _redirect_output(log: int) -> None:
    for descriptor in (1, 2):
        os.dup2(log, descriptor)


def _describe(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}"[:300]
