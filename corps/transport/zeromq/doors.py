"""Where one Env listens over `tcp` for other Corps, and which of these addresses it names to whom.

Answers come by a connection of their own. So an Env that connects to another one says where it listens
itself: on the interface by which it reaches that one.
"""

import socket
from typing import NamedTuple

from corps.endpoints import TcpEndpoint, is_wildcard, read_endpoint
from corps.errors import BrokenError, ConfigError


class Door(NamedTuple):
    """One address."""

    bound: TcpEndpoint
    advertised: TcpEndpoint  # what others connect to


class Doors:
    """The addresses of one Env. Thread-safe: they are replaced as a whole, by one thread at a time."""

    def __init__(self) -> None:
        self._doors: tuple[Door, ...] = ()

    def add(self, door: Door) -> None:
        """Take one more."""
        self._doors = (*self._doors, door)

    def outside(self) -> tuple[str, ...]:
        """Return what others connect to, in the order in which they were added."""
        return tuple(str(door.advertised) for door in self._doors)

    def towards(self, source: str) -> Door | None:
        """Return the one on the interface with this address; None if there is none."""
        for door in self._doors:
            if door.bound.host == source or is_wildcard(door.bound.host):
                return door
        return None

    def said_to(self, endpoint: str) -> str:
        """Return where the Env listens, as the one at `endpoint` hears it."""
        try:
            door = self.towards(source_towards(endpoint))
        except BrokenError:  # the link will say so
            door = None
        return str((door or self._doors[0]).advertised)


def source_towards(endpoint: str) -> str:
    """Return the address of this host from which it reaches an endpoint, which has no name. Sends nothing.

    Raises:
        BrokenError: It has no way there.
    """
    there = tcp_address(endpoint)
    family = socket.AF_INET6 if ":" in there.host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.connect(socket.getaddrinfo(there.host, there.port, family, socket.SOCK_DGRAM)[0][4])
            source: str = sock.getsockname()[0]
    except OSError as error:
        raise BrokenError(f"this host has no way to {endpoint}: {error.strerror or error}") from error
    return source


def tcp_address(endpoint: str) -> TcpEndpoint:
    """Read an endpoint that is an address and no name, because libzmq would look that up.

    Raises:
        BrokenError: It is none.
    """
    try:
        found = read_endpoint(endpoint, "endpoint")
    except ConfigError as error:
        raise BrokenError(str(error)) from error
    if not isinstance(found, TcpEndpoint) or found.address is None:
        raise BrokenError(f"{endpoint!r:.200} is no address over tcp")
    return found
