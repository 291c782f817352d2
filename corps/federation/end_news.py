"""Hearing how far the end of a Corps is: datagrams from the process that ends it to all that listen.

A listener binds a socket in the directory of the registry, which admits this user alone. News are for people:
one that does not arrive is not missed.
"""

import contextlib
import json
import os
import secrets
import socket
from dataclasses import dataclass
from typing import Final

from corps.errors import CorpsError
from corps.federation.private_dir import PrivateDir

_EAR: Final = ".ear"
_MAX: Final = 16 * 1024  # bytes of one piece of news
_TEXT: Final = 8 * 1024  # characters


@dataclass(frozen=True, slots=True)
class EndNews:
    """One piece of news: a phase of the end begins, or all is over.

    Attributes:
        phase: The phase that begins; empty if it is over.
        problem: Why the Corps has failed, if it is over and has.
    """

    phase: str
    problem: str = ""


class EndListener:
    """Hears of the end of the Corps with one tag. One thread.

    `fd` can be waited for with `select`: it is readable when there is news.
    """

    def __init__(self, directory: str, tag: str) -> None:
        """Listen in the directory of a registry.

        Raises:
            UnsafeFile: Another user could have made the directory.
            OSError: The socket cannot be made.
        """
        self._place = PrivateDir(directory, make=False)
        self._name = f"{secrets.token_hex(8)}.{tag}{_EAR}"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            self._socket.setblocking(False)
            self._socket.bind(_address(self._place, self._name))
        except BaseException:
            self.close()
            raise
        self.fd = self._socket.fileno()

    def take(self) -> EndNews | None:
        """Return the next piece of news; None if there is none yet."""
        while True:
            try:
                content = self._socket.recv(_MAX)
            except OSError:
                return None
            with contextlib.suppress(ValueError, TypeError, AttributeError, RecursionError):
                facts = json.loads(content)
                return EndNews(str(facts.get("phase", "")), str(facts.get("problem", "")))

    def close(self) -> None:
        """Listen no more. Idempotent."""
        self._socket.close()
        if self._place.fd >= 0:
            self._place.remove(self._name)
        self._place.close()

    def __enter__(self) -> "EndListener":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def tell_of_end(directory: str, tag: str, news: EndNews) -> None:
    """Send a piece of news to all that listen. It never waits, and never fails."""
    content = json.dumps({"phase": news.phase, "problem": news.problem[:_TEXT]}).encode()
    with contextlib.suppress(OSError, CorpsError), PrivateDir(directory, make=False) as place:
        ears = [name for name in place.names(_EAR) if name.partition(".")[2] == tag]
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)
            for name in ears:
                try:
                    sender.sendto(content[:_MAX], _address(place, name + _EAR))
                except ConnectionRefusedError:  # its process was killed
                    place.remove(name + _EAR)
                except OSError:
                    pass


def _address(place: PrivateDir, name: str) -> str:
    """Return an address that the kernel takes, however long the path of the directory is."""
    return f"/proc/{os.getpid()}/fd/{place.fd}/{name}"
