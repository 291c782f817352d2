"""Where durable timers are kept: a file of SQLite.

What a call has changed is on the disk when it returns, so that a process that is killed, or a machine that
loses power, loses none of it. One process has the file open at a time: two would call each worker twice.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from corps.errors import ConfigError, Damaged, NewerFormat, StorageError

if TYPE_CHECKING:
    import sqlite3

_VERSION: Final = 1  # of the table
_BUSY: Final = 2.0  # seconds to wait for a process that has the file open, and is about to end
_REMEMBERED: Final = 400 * 86400.0
"""Seconds for which a timer that has called for the last time is remembered, so that it is not set again."""

_TABLE: Final = """
CREATE TABLE IF NOT EXISTS timers (
    key TEXT PRIMARY KEY,
    serial INTEGER NOT NULL,
    due REAL,
    times TEXT NOT NULL,
    target TEXT NOT NULL,
    method TEXT NOT NULL,
    takes_skipped INTEGER NOT NULL,
    args BLOB NOT NULL,
    over REAL
)
"""


class Row(NamedTuple):
    """A durable timer as it is kept.

    Attributes:
        key: Its key.
        serial: Which timer with this key it is.
        due: When its next tick is due, in seconds since 1970; None when it has called for the last time.
        times: What it was set with, as text; see `durable.times_of`.
        target: How its worker is found, as text.
        method: Of the worker.
        takes_skipped: Whether the method wants to know how many ticks were missed.
        args: The arguments, in the durable form.
        over: When it was known that `due` is None.
    """

    key: str
    serial: int
    due: float | None
    times: str
    target: str
    method: str
    takes_skipped: int
    args: bytes
    over: float | None = None


class TimerStore:
    """The file. One thread at a time."""

    def __init__(self, path: str, wall: float) -> None:
        """Open it, or make it, at this time.

        Raises:
            ConfigError: It cannot be opened, or another process has it open.
            Damaged: It is no file of timers.
            NewerFormat: A newer release of corps wrote it.
        """
        import sqlite3

        self._errors = sqlite3.Error
        self._path = path
        try:
            old = os.umask(0o077)  # only its owner may read what timers are called with
            try:
                self._db = sqlite3.connect(path, timeout=_BUSY, isolation_level=None, check_same_thread=False)
                self._open(wall)
            finally:
                os.umask(old)
        except sqlite3.OperationalError as error:
            self._close_after_failure()
            text = f"timers.path = {path!r}: the file cannot be opened ({error})"
            if "locked" in str(error):
                text = f"timers.path = {path!r}: another process has the file open; each Corps needs its own"
            raise ConfigError(text) from error
        except sqlite3.DatabaseError as error:
            self._close_after_failure()
            raise Damaged(f"timers.path = {path!r}: is no file of timers ({error})") from error
        except BaseException:
            self._close_after_failure()
            raise

    def _open(self, wall: float) -> None:
        run = self._db.execute
        run("PRAGMA locking_mode = EXCLUSIVE")
        run("PRAGMA journal_mode = WAL")
        run("PRAGMA synchronous = FULL")
        run("BEGIN IMMEDIATE")
        version = run("PRAGMA user_version").fetchone()[0]
        if version > _VERSION:
            raise NewerFormat(f"timers.path = {self._path!r}: a newer release of corps wrote this file")
        run(_TABLE)
        run(f"PRAGMA user_version = {_VERSION}")
        run("DELETE FROM timers WHERE due IS NULL AND over < ?", (wall - _REMEMBERED,))
        run("COMMIT")

    def _close_after_failure(self) -> None:
        db: sqlite3.Connection | None = getattr(self, "_db", None)
        if db is not None:
            db.close()

    def all(self) -> list[Row]:
        """Return all timers, the oldest first, those that are over among them."""
        with self._failing("be read"):
            return [Row(*each) for each in self._db.execute("SELECT * FROM timers ORDER BY serial")]

    def put(self, row: Row) -> None:
        """Write a timer down, in place of one with this key."""
        self._change("INSERT OR REPLACE INTO timers VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)

    def advance(self, key: str, due: float | None, wall: float) -> None:
        """Write down when the next tick of a timer is due; None if it was the last one."""
        over = wall if due is None else None
        self._change("UPDATE timers SET due = ?, over = ? WHERE key = ?", (due, over, key))

    def remove(self, key: str) -> None:
        """Forget a timer."""
        self._change("DELETE FROM timers WHERE key = ?", (key,))

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def _change(self, statement: str, values: tuple[Any, ...]) -> None:
        with self._failing("be written"):
            self._db.execute(statement, values)  # which is a transaction of its own

    @contextmanager
    def _failing(self, what: str) -> Iterator[None]:
        try:
            yield
        except self._errors as error:
            raise StorageError(f"timers.path = {self._path!r}: cannot {what} ({error})") from error
