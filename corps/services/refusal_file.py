"""A file of what an Env has refused: one line of JSON each, for those that look into an attack later.

Each Env has a file of its own, so that no two processes write one, and its user alone can read it. A thread
writes, because the thread that reads from the links must not wait for a disk. The file begins anew when it is
full; some former ones stay.
"""

import errno
import json
import logging
import os
import stat
from dataclasses import asdict
from io import TextIOWrapper
from threading import Thread
from typing import Final

from corps.addresses import env_label
from corps.errors import ConfigError
from corps.messages.refusal import Refusal
from corps.runtime.env import Env
from corps.runtime.parts import Part
from corps.security.private_places import problem_with_file
from corps.workers.news import News
from corps.workers.refusals import Refusals

_log = logging.getLogger("corps.security")

_PATIENCE: Final = 2.0  # seconds for the last lines, when the Env ends


class RefusalFile(Part):
    """Writes what its Env refuses, if the settings name a file. Thread-safe."""

    def __init__(self, env: Env) -> None:
        """Open the file; a ConfigError says why it cannot be."""
        self._thread: Thread | None = None
        path = env.options.audit_file
        if path is None or env.peers is None:  # an Env that is alone refuses nothing
            return
        handler = _opened(file_of(path, env.id), env)
        self._news = env.parts.get(Refusals).listen()
        self._thread = Thread(
            target=write_all, args=(self._news, handler), name=f"{env.label}-refusals", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """See `Part.close`."""
        if self._thread is not None:
            self._news.end()
            self._thread.join(_PATIENCE)


def file_of(path: str, env_id: int) -> str:
    """Return the path for one Env: its name stands before the ending."""
    start, ending = os.path.splitext(path)
    return f"{start}.{env_label(env_id)}{ending}"


def _open_private(path: str, _: int) -> int:
    """Open a file to append to it; an OSError says why it is not ours alone."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o600)
    try:
        found = os.fstat(descriptor)
        if stat.S_ISREG(found.st_mode) and found.st_uid == os.getuid():
            os.fchmod(descriptor, 0o600)  # it may have been there before, from an older release
        if problem := problem_with_file(os.fstat(descriptor)):
            raise OSError(errno.EPERM, problem)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _opened(path: str, env: Env) -> logging.Handler:
    from logging.handlers import RotatingFileHandler  # late: it takes 5 ms, and most Corps need it not

    class Private(RotatingFileHandler):
        """Opens files that this user alone can read, and follows no link to one of another user."""

        def _open(self) -> TextIOWrapper:
            return open(self.baseFilename, "a", encoding="utf-8", opener=_open_private)

    try:
        return Private(
            path,
            maxBytes=env.options.audit_rotate_bytes,
            backupCount=env.options.audit_rotate_kept,
            encoding="utf-8",
        )
    except OSError as error:
        raise ConfigError(f"refusals cannot be written to audit.file = {path!r}: {error.strerror}") from error


def write_all(news: News[Refusal], handler: logging.Handler) -> None:
    """Write what comes until nothing more does."""
    missed = 0
    try:
        for refusal in news:
            _write(handler, asdict(refusal))
            if news.missed > missed:
                lost, missed = news.missed - missed, news.missed
                _write(handler, {"kind": "missed", "count": lost, "env": refusal.env, "time": refusal.time})
    finally:
        handler.close()


def _write(handler: logging.Handler, facts: dict[str, object]) -> None:
    record = logging.makeLogRecord({"name": _log.name, "msg": "%s", "args": (json.dumps(facts),)})
    handler.handle(record)
