"""`corps run --detach`: a Corps with a life of its own, in a process of a new session.

The command forks, before anything of corps has been started. The child is the booting process of the Corps.
It reports by a pipe when the Corps is up. If that does not happen, the parent shows what the child has
written, and ends with its exit status.
"""

import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from io import TextIOWrapper
from pathlib import Path

from corps.cli.reporting import BY_SIGNAL, OK, complain, report
from corps.errors import CorpsError
from corps.launch.detached_log import check_free, log_since, open_log
from corps.launch.held_tag import HeldTag


def run_detached(
    tag: str, log_file: Path | None, run: Callable[[str, Callable[[HeldTag], object]], int]
) -> int:
    """Have a child run a Corps, wait until that is up, and say where it is; return the exit status.

    `run` is called in the child. It gets the path of the log file, and what to call when the Corps is up.
    """
    try:
        check_free(tag)
        path, log = open_log(tag, log_file)
    except CorpsError as error:
        return report(error)
    began = os.fstat(log).st_size
    sys.stdout.flush()
    sys.stderr.flush()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        _leave_the_shell(log)
        return run(path, lambda held: _report(writer, held, path))
    os.close(writer)
    os.close(log)
    try:
        facts = _read_all(reader)
    except KeyboardInterrupt:
        os.kill(child, signal.SIGTERM)  # it has not been waited for, so its id is still its own
        os.waitpid(child, 0)
        return BY_SIGNAL + signal.SIGINT
    if facts:
        print(facts, flush=True)
        return OK
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    _show_log(path, began)
    if status < 0:
        name = signal.Signals(-status).name
        return complain(f"the process of the Corps died by {name}; its log is {path}", BY_SIGNAL - status)
    return status


def _leave_the_shell(log: int) -> None:
    """Keep nothing of the shell but the folder, the environment and the mask of new files."""
    os.setsid()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    null = os.open(os.devnull, os.O_RDONLY)
    for fd, standard in ((null, 0), (log, 1), (log, 2)):
        os.dup2(fd, standard)
    os.close(null)
    os.close(log)
    # What the shell has opened for its commands, such as a lock or a pipe, must not stay open for long.
    for name in os.listdir("/proc/self/fd"):
        fd = int(name)
        with suppress(OSError):
            if fd > 2 and os.get_inheritable(fd):
                os.close(fd)
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # a line is in the log as soon as it is printed


def _report(writer: int, held: HeldTag, log_file: str) -> None:
    """Say to the parent that the Corps is up."""
    facts = {
        "id": held.corps,
        "process": os.getpid(),
        "connection": held.connection_file,
        "log": log_file,
    }
    lines = [f"{held.tag} is up", *(f"  {name:<12}{value}" for name, value in facts.items())]
    lines += [f"  {'address':<12}{each}" for each in held.addresses]
    with suppress(OSError), open(writer, "w", encoding="utf-8", errors="surrogateescape") as pipe:
        pipe.write("\n".join(lines))


def _read_all(reader: int) -> str:
    with open(reader, encoding="utf-8", errors="surrogateescape") as pipe:
        return pipe.read()


def _show_log(path: str, began: int) -> None:
    """Show what has been written to the log, on stderr."""
    sys.stderr.write(log_since(path, began))
    sys.stderr.flush()
