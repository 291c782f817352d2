"""The start journal: which requests had begun when the process that ran them died.

For each direction between two Envs there is a file of a few KiB, which both map. It belongs to the side that
asks, so it outlives the side that runs: after a kill -9 of that one the asker still reads what was begun. A
request takes a slot of it with its number. The side that runs it writes the number into the slot before the
method begins, and marks it when the method has ended: one store of eight bytes each, no system call. A slot
is used again when the outcome has come, so it always tells of the last request that has it.

So a request whose process has died was executed: "no", if its slot does not hold its number; "yes", if it is
marked; "unknown", if it is not: the process died in the midst of it.
"""

import mmap
import os
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from corps.core import native
from corps.errors import Executed

_SLOT_BITS: Final = 16
_SLOT_MASK: Final = (1 << _SLOT_BITS) - 1
_NO_SLOT: Final = _SLOT_MASK  # of a request that is not in the journal
_OPENED: Final = 0  # the word that says that the side that runs has the file
_ENDED: Final = 1 << 63
_WORD: Final = 8


def journal_path(directory: str, asker: str, runner: str) -> str:
    """Return the path of the file of one direction between two Envs, by their incarnations."""
    return f"{directory}/{asker[:12]}-{runner[:12]}.journal"


def _mapped(fd: int, size: int) -> memoryview:
    """Return a mapped file as numbers of eight bytes. Once it is released, to look at it is a ValueError."""
    return memoryview(mmap.mmap(fd, size)).cast("Q")


@native
class AskerJournal:
    """The side that asks. Caller holds the lock of its peer."""

    def __init__(self, slots: int, *, is_kept: bool) -> None:
        """Begin without a file, with slots for so many requests; with none if there will be no file."""
        self._size = min(max(64, slots) + 1, _NO_SLOT) if is_kept else 0
        self._free: list[int] = []  # numbers whose slots may be used again
        self.free: Final[Callable[[int], None]] = self._free.append
        """Called with the number of a request whose outcome has come."""
        self._used = _OPENED  # slots up to this one were used
        self._last = 0  # the number that was given last, with slot 0
        self._words: memoryview | None = None
        self._path: str | None = None  # where to open it
        self._made: str | None = None  # where it is

    def keep_at(self, path: str) -> None:
        """Use a file, if there can be one, before anything is sent to the process of the other side.

        The file is made with the first request that gets a number, or at once if there is one: it has not
        been sent yet.
        """
        self._path = path
        if self._last:
            self._open(path)

    def _open(self, path: str) -> None:
        self._path = None
        with suppress(OSError):
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            self._made = path
            try:
                # All of it now: to write to a hole is a SIGBUS if the file system is full then.
                os.posix_fallocate(fd, 0, self._size * _WORD)
                self._words = _mapped(fd, self._size * _WORD)
            except OSError:
                self._made = None
                os.unlink(path)
            finally:
                os.close(fd)

    def number(self, *, is_kept: bool = True) -> int:
        """Return a number for a request; none has it again. `is_kept`: `executed` will be called for it."""
        if self._path is not None:
            self._open(self._path)
        self._last = last = self._last + (1 << _SLOT_BITS)
        while is_kept and self._free:
            slot = self._free.pop() & _SLOT_MASK
            if slot != _NO_SLOT:
                return last | slot
        if is_kept and self._used + 1 < self._size:
            self._used += 1
            return last | self._used
        return last | _NO_SLOT

    def executed(self, number: int) -> Executed:
        """Return whether an unanswered request was executed, after the process that ran it has ended."""
        slot = number & _SLOT_MASK
        if self._words is None or slot == _NO_SLOT:
            return "unknown"
        if not self._words[_OPENED]:  # it removes the file's name when it opens it, or cannot
            return "no" if self._made is not None and os.path.exists(self._made) else "unknown"
        word = self._words[slot]
        if word & ~_ENDED != number:
            return "no"
        return "yes" if word & _ENDED else "unknown"

    def close(self) -> None:
        """Let go of it, and remove the file. Idempotent."""
        self._path = None
        words, self._words = self._words, None
        made, self._made = self._made, None
        if words is not None:
            words.release()
        if made is not None:
            with suppress(OSError):  # as a rule the other side has removed its name
                os.unlink(made)


@native
class RunnerJournal:
    """The side that runs. Thread-safe; one thread calls for each request."""

    def __init__(self, path: str | None) -> None:
        """Map the file, if there is one, and remove its name: the asker sees that."""
        self._words = memoryview(b"").cast("Q")
        self._size = 0
        if path is not None:
            with suppress(OSError, ValueError):
                fd = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
                try:
                    self._words = _mapped(fd, 0)
                    self._size = len(self._words)
                    self._words[_OPENED] = 1
                finally:
                    os.close(fd)
            with suppress(OSError):
                os.unlink(path)

    def began(self, number: int) -> None:
        """Note that a request begins: before anything of it is unpacked, and never after it was answered."""
        slot = number & _SLOT_MASK
        if slot < self._size:
            try:
                self._words[slot] = number
            except ValueError:  # the asker was lost at this very moment, and will not look
                pass

    def ended(self, number: int) -> None:
        """Note that a request has ended, if it began. Before its outcome is sent."""
        slot = number & _SLOT_MASK
        if slot < self._size:
            try:
                if self._words[slot] == number:
                    self._words[slot] = number | _ENDED
            except ValueError:  # as above
                pass

    def close(self) -> None:
        """Let go of it: the peer has gone, and nobody will look. Idempotent."""
        self._size = 0
        self._words.release()
