"""Witness files: what was done, written down where no runtime can change it.

A witness file is a row of records of 32 bytes, in the order of writing. Each is written with one `os.write`
to a file that was opened with O_APPEND, so it is in the file, whole, as soon as the call has returned: what
kills the writer afterwards cannot take it back, and several processes may write to one file. All numbers are
little-endian:

    ====== ===== =============== ====================================================================
    offset bytes field           meaning
    ====== ===== =============== ====================================================================
    0      2     check           the lower half of the CRC-32 of the bytes behind it
    2      1     kind            `Kind`
    3      1     detail          traits, outcome or phase; see `Kind`
    4      4     worker          number of the worker, from 1; 0 for none
    8      4     sender          number of the client, from 1; that of a worker which sends itself is its own
                                 and `WORKERS`; 0 for none
    12     4     sequence        number of the request of that sender, rising in the order of sending
    16     8     incarnation     when this incarnation of the worker was constructed, in nanoseconds
    24     8     time            when this was written, in nanoseconds
    ====== ===== =============== ====================================================================

A request is named by its sender and its sequence. All times are of CLOCK_MONOTONIC, which the processes of
one host share; an incarnation is the time of its construction, so later ones have larger numbers and nobody
has to hand them out. Whatever is no record (a torn one, if the disk was full) is skipped and counted.
"""

import heapq
import os
import struct
from collections.abc import Iterable, Iterator
from enum import IntEnum, IntFlag
from operator import attrgetter
from pathlib import Path
from typing import Final, NamedTuple
from zlib import crc32

from corps.clock import now

_CHECK: Final = struct.Struct("<H")
_BODY: Final = struct.Struct("<BBIiiQQ")
SIZE: Final = _CHECK.size + _BODY.size
"""Bytes of a record."""
SUFFIX: Final = ".witness"
"""How the names of witness files end."""
_NANO: Final = 1_000_000_000


class Kind(IntEnum):
    """What a record says. A worker writes the first three, the client's side the others."""

    BORN = 1  # an incarnation of the worker is constructed
    START = 2  # the body of the request begins; `detail` is its `Trait`
    END = 3  # the body has ended, with a value or an exception; `detail` is its `Trait`
    SENT = 4
    """The request is about to be sent; `detail` is its `Trait`, `incarnation` its deadline: nanoseconds
    from now, 0 for none."""
    RESOLVED = 5
    """The Future of the request is settled; `detail` is the `Outcome`, `incarnation` the one that answered,
    where that is known."""
    ENDED = 6  # the client knows that this incarnation of the worker has ended
    PLACED = 7  # the worker lives in the Env whose id is `sequence`
    FAULT = 8
    """A fault begins: its number is `sequence`, the Env that it touches `sender` and the worker `worker`,
    which is 0 if it touches the whole Env. Without an OVER it lasts."""
    OVER = 9  # the fault with the number `sequence` is over, what it broke still has to heal
    PHASE = 10  # a phase of the storm begins: `detail` is the `Phase`
    ENTERED = 11  # the worker is in the Dir of the Corps, as the entry `sequence`
    LEFT = 12  # the entry `sequence` was taken out
    LOOKED = 13  # the worker looked for the entry `sequence`; `detail` is the `Look`
    ARMING = 14  # the timer `sequence` is about to be set for the worker; 0 for one that repeats
    ARMED = 15
    """The timer `sequence` is set for the worker: `detail` is 1 for a durable one, `incarnation` the time
    before which it must not call, in nanoseconds."""
    TICKED = 16  # the timer `sequence` has called this incarnation of the worker
    LOGGED = 17  # this incarnation of the worker has logged the record `sequence`
    KEPT = 18  # the record `sequence` has come to the sink of the log


class Look(IntEnum):
    """What a worker has found in the Dirs."""

    FOUND = 1  # the worker that was registered
    MISSING = 2  # none
    OTHER = 3  # another one


WORKERS: Final = 1_000_000
"""What is added to the number of a worker that is a sender too."""

_KINDS: Final = frozenset(int(kind) for kind in Kind)


class Trait(IntFlag):
    """What is special about a request."""

    IDEMPOTENT = 1  # it may be executed more than once
    HASTY = 2  # its deadline is so short that it may miss it without any fault
    CANCELLED = 4  # its client gives it up
    UNWITNESSED = 8  # its worker writes no records, so nothing is known of its execution


class Outcome(IntEnum):
    """How a Future was settled, as its client saw it."""

    VALUE = 1  # with a value, and the right one
    NOT_EXECUTED = 2  # with an error that says ``executed="no"``
    EXECUTED = 3  # with an error that says ``executed="yes"``, but that is not what the method raised
    UNKNOWN = 4  # with an error that says ``executed="unknown"``, or says nothing about it
    STRANGE = 5  # with the value of another request, an InternalError, or an error that is none of corps
    NEVER = 6  # not at all: the client has given up waiting
    RAISED = 7  # with what the method raised: its worker has answered


class Phase(IntEnum):
    """What happens to the Corps."""

    CALM = 1  # load alone: the base line
    STORM = 2  # load and faults
    AFTER = 3  # load alone, again
    OVER = 4  # no load any more


class Record(NamedTuple):
    """One record, without its check. See the table of the module."""

    kind: int
    detail: int = 0
    worker: int = 0
    sender: int = 0
    sequence: int = 0
    incarnation: int = 0
    time: int = 0

    def packed(self) -> bytes:
        """Return the 32 bytes of the record in a file."""
        body = _BODY.pack(*self)
        return _CHECK.pack(crc32(body) & 0xFFFF) + body


def now_ns() -> int:
    """Return the nanoseconds on the clock of all records."""
    return round(now() * _NANO)


class Witness:
    """Writes records to one file, beside any number of other processes. Thread-safe."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def write(self, kind: Kind, **numbers: int) -> None:
        """Write one record. It is in the file when this returns.

        The numbers are those of `Record`, and `Kind` says what they mean; `time` is now if it is not given.
        An OSError means that it was not written, or not all of it.
        """
        numbers.setdefault("time", now_ns())
        if os.write(self._fd, Record(kind, **numbers).packed()) != SIZE:
            raise OSError("a witness record was written in part only")

    def close(self) -> None:
        """Close the file. Idempotent."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def __del__(self) -> None:
        if getattr(self, "_fd", -1) >= 0:  # it may not have been opened
            self.close()


class WitnessFile:
    """Reads the records of one file."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path: Final = Path(path)
        self.torn = 0  # bytes that were no record, as far as it has been read

    def __iter__(self) -> Iterator[Record]:
        """Read the records, in the order in which they were written."""
        self.torn = 0
        with self.path.open("rb") as file:
            data = file.read(SIZE)
            while len(data) == SIZE:
                record = _unpacked(data)
                if record is not None:
                    yield record
                    data = file.read(SIZE)
                else:
                    self.torn += 1
                    data = data[1:] + file.read(1)  # what follows may begin anywhere
        self.torn += len(data)


def _unpacked(data: bytes) -> Record | None:
    """Return the record of 32 bytes; None if they are none."""
    body = data[_CHECK.size :]
    if _CHECK.unpack_from(data)[0] != crc32(body) & 0xFFFF:
        return None
    record = Record._make(_BODY.unpack(body))
    return record if record.kind in _KINDS else None


def witness_files(directory: str | os.PathLike[str]) -> list[WitnessFile]:
    """Return all witness files of a directory, by name."""
    return [WitnessFile(path) for path in sorted(Path(directory).glob(f"*{SUFFIX}"))]


def merged(files: Iterable[Iterable[Record]]) -> Iterator[Record]:
    """Join the records of several files, about by time. Each file is in the order of writing.

    Exactly: a record comes after each record that was in its file before its writer looked at the clock.
    So what caused it comes before it, even where a writer was stopped between the clock and the file.
    """
    return heapq.merge(*files, key=attrgetter("time"))
