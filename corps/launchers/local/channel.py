"""Channel: messages of bytes between a booting process and one of its Envs.

What has to reach an Env before it can join the Corps, keys and membership above all, goes over a stream
socket pair that the Env inherits. It has no name in any file system, so no other process can connect to it.
Its end of file says to each side that the other process is gone.

    length   4 bytes, big endian
    message  that many bytes
"""

import contextlib
import math
import select
import socket
import struct
import threading

from corps.errors import BrokenError, ClosedError, InternalError, WireError

MAX_MESSAGE = 64 * 1024 * 1024  # the longest message in bytes

_HEADER = struct.Struct("!I")
_JOIN_BELOW = 64 * 1024
_NO_SIGNAL = socket.MSG_NOSIGNAL  # an application may have set SIGPIPE back to its default


class Channel:
    """One end of a stream of messages, with a connected, blocking socket that it owns and closes.

    Any thread may call `send` and `close`; one thread at a time may call `wait` and `recv`. Nothing bounds
    how long `send` waits for a peer that does not read; `close`, from any thread, ends such a wait.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._is_closed = False
        # Keeps messages whole, and the descriptor open while a send uses it. Held during the send, which may
        # block: no other send could go on before it anyway.
        self._send_lock = threading.Lock()
        # Keeps the descriptor open while a recv uses it: a descriptor that is closed under a blocked read can
        # be given to another file. Held during the recv.
        self._recv_lock = threading.Lock()
        # Protects _is_closed and the shutdown that belongs to it. Nothing blocks while it is held.
        self._state_lock = threading.Lock()

    @property
    def is_closed(self) -> bool:
        """Whether `close` was called on this end."""
        return self._is_closed

    def send(self, message: bytes) -> None:
        """Send one message of at most `MAX_MESSAGE` bytes. Thread-safe."""
        if len(message) > MAX_MESSAGE:
            raise InternalError(f"a channel message of {len(message)} bytes is over {MAX_MESSAGE} bytes")
        header = _HEADER.pack(len(message))
        with self._send_lock:
            if self._is_closed:
                raise ClosedError("send on a channel that is closed")
            try:
                if len(message) < _JOIN_BELOW:
                    self._sock.sendall(header + message, _NO_SIGNAL)
                else:
                    self._sock.sendall(header, _NO_SIGNAL)
                    self._sock.sendall(message, _NO_SIGNAL)
            except OSError as error:
                if self._is_closed:
                    raise ClosedError("the channel was closed during a send") from error
                raise BrokenError("the process at the other end of the channel has gone") from error

    def wait(self, timeout: float) -> bool:
        """Wait so many seconds for something to receive: the beginning of a message, or the end."""
        with self._recv_lock:
            if self._is_closed:
                return True
            poll = select.poll()
            poll.register(self._sock, select.POLLIN)
            return bool(poll.poll(math.ceil(timeout * 1000)))

    def recv(self) -> bytes | None:
        """Wait for the next message; None at the end, also for one that is not whole. One thread."""
        with self._recv_lock:
            header = self._read(_HEADER.size)
            if header is None:
                return None
            (length,) = _HEADER.unpack(header)
            if length > MAX_MESSAGE:
                raise WireError(f"the peer announced {length} bytes, a channel takes {MAX_MESSAGE}")
            return self._read(length)

    def _read(self, size: int) -> bytes | None:
        data = bytearray(size)
        view = memoryview(data)
        done = 0
        while done < size:
            if self._is_closed:
                return None
            try:
                count = self._sock.recv_into(view[done:])
            except OSError:
                # A peer that ends with unread messages resets the connection: the end of file for us.
                return None
            if count == 0:
                return None
            done += count
        return bytes(data)

    def end_reading(self) -> None:
        """Have `recv` give None after what was sent so far: the process at the other end has ended.

        Its end of the channel may stay open in a process that it has forked. Thread-safe.
        """
        with self._state_lock:
            if not self._is_closed:
                with contextlib.suppress(OSError):
                    self._sock.shutdown(socket.SHUT_RD)

    def close(self) -> None:
        """Close this end. The other side can still read what was sent. Idempotent."""
        with self._state_lock:
            if self._is_closed:
                return
            self._is_closed = True
            # Wakes a thread that is blocked in send or recv, so that the two locks below come free.
            with contextlib.suppress(OSError):
                self._sock.shutdown(socket.SHUT_RDWR)
        with self._send_lock, self._recv_lock:
            self._sock.close()
