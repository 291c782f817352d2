"""What a process wrote: its last lines, and its lines one by one."""

import threading

MAX_LINES = 200
MAX_BYTES = 64 * 1024


class OutputTail:
    """Keeps the end of a stream of bytes: at most `MAX_LINES` lines and `MAX_BYTES` bytes. Thread-safe."""

    def __init__(self) -> None:
        self._data = bytearray()
        # Protects _data.
        self._lock = threading.Lock()

    def append(self, data: bytes) -> None:
        """Add what was just read."""
        with self._lock:
            self._data += data
            # Twice the limit before it is cut, so that a chatty process does not move 64 KiB per line.
            if len(self._data) > 2 * MAX_BYTES:
                del self._data[:-MAX_BYTES]

    def text(self) -> str:
        """Give the last lines, each with its line end; bytes that are not UTF-8 are replaced."""
        with self._lock:
            data = bytes(self._data[-MAX_BYTES:])
        return "".join(data.decode(errors="replace").splitlines(keepends=True)[-MAX_LINES:])


class Lines:
    """Divides a stream of bytes into lines. One thread."""

    def __init__(self) -> None:
        self._open = b""  # the line whose end has not come

    def feed(self, data: bytes) -> list[str]:
        """Add what was just read; return the lines that it has completed, without their ends."""
        *lines, self._open = (self._open + data).split(b"\n")
        if len(self._open) > MAX_BYTES:
            lines.append(self._open)
            self._open = b""
        return [line.decode(errors="replace").removesuffix("\r") for line in lines]

    def rest(self) -> list[str]:
        """Return the line without an end, if there is one: no more will come."""
        return self.feed(b"\n") if self._open else []
