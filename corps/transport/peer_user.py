"""Whose process is at the other end of a UNIX socket, as the kernel says. Thread-safe."""

import os
import socket
from struct import Struct
from typing import Final

_CREDENTIALS: Final = Struct("3i")  # pid, uid, gid


def user_behind(sock: socket.socket) -> tuple[str, int]:
    """Return the id of the process at the other end of a connection, for texts, and its user."""
    pid, uid, _ = _CREDENTIALS.unpack(
        sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    )
    return str(pid), uid


def user_who_listens(path: str) -> tuple[str, int]:
    """Return the same of who listens at a socket file; its owner if the listener is too busy."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.setblocking(False)
        try:
            sock.connect(path)
        except BlockingIOError:
            return "unknown", os.lstat(path).st_uid
        return user_behind(sock)
