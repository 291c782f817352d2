"""Where one Env listens over `tcp` for other Corps, and which of these addresses it names to whom.

Answers come by a connection of their own. So an Env that connects to another one says where it listens
itself: on the interface by which it reaches that one.
"""

import socket
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import NamedTuple

from corps.endpoints import Listening, TcpEndpoint, is_wildcard, read_endpoint
from corps.errors import BrokenError, ConfigError, EnvStartError


class Door(NamedTuple):
    """One address."""

    bound: TcpEndpoint
    advertised: TcpEndpoint  # what others connect to


class Doors:
    """The addresses of one Env. Thread-safe: they are replaced as a whole, by one thread at a time."""

    def __init__(self) -> None:
        self._doors: tuple[Door, ...] = ()
        self._wanted: SimpleQueue[tuple[Listening, Future[None]]] = SimpleQueue()

    def add(self, door: Door) -> None:
        """Take one more."""
        self._doors = (*self._doors, door)

    @property
    def bound(self) -> tuple[str, ...]:
        """What was bound, in the order in which they were added."""
        return tuple(str(door.bound) for door in self._doors)

    def outside(self) -> tuple[str, ...]:
        """Return what others connect to, in the order in which they were added."""
        return tuple(str(door.advertised) for door in self._doors)

    def towards(self, source: str) -> Door | None:
        """Return the one on the interface with this address; None if there is none."""
        for door in self._doors:
            if door.bound.host == source or is_wildcard(door.bound.host):
                return door
        return None

    def await_towards(self, endpoint: str, timeout: float, interrupt: Callable[[], object]) -> None:
        """Have the thread that reads listen on the interface by which an endpoint is reached. Blocks.

        `interrupt` makes that thread call `open_wanted`.

        Raises:
            BrokenError: There is no way there, or this Env cannot listen there.
        """
        source = source_towards(endpoint)
        if self.towards(source) is not None:
            return
        listens: Future[None] = Future()
        self._wanted.put((Listening(source), listens))
        interrupt()
        try:
            listens.result(timeout)
        except (EnvStartError, TimeoutError) as error:
            raise BrokenError(f"no answer of {endpoint} could come to {source}: {error}") from error

    def open_wanted(self, open_door: Callable[[Listening], object]) -> None:
        """Listen where `await_towards` wants it. In the thread that reads."""
        with suppress(Empty):
            while True:
                listening, listens = self._wanted.get_nowait()
                try:
                    if self.towards(listening.host) is None:
                        open_door(listening)
                    listens.set_result(None)
                except Exception as error:  # its caller waits, whatever it is
                    listens.set_exception(error)

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
