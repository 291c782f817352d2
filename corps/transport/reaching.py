"""Which of the addresses of a host can be reached: looked up, and tried in turn. Blocks.

A name may stand for several addresses, of which some lead nowhere: a family that a host does not route, or a
machine that is off. libzmq tries the first one for ever. So a name is turned into an address here, before
there is a link, and a `Member` never holds a name.
"""

import errno
import os
import selectors
import socket
from typing import Final

from corps.clock import now
from corps.endpoints import TcpEndpoint, in_turn
from corps.errors import BrokenError

_STAGGER: Final = 0.25  # seconds that one address has until the next one is tried beside it (RFC 8305)


def candidates(endpoint: TcpEndpoint) -> list[TcpEndpoint]:
    """Return the addresses that an endpoint stands for, in the order in which to try them.

    Raises:
        BrokenError: The name has no address.
    """
    try:
        found = socket.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise BrokenError(
            f"{endpoint}: the name has no address ({error.strerror}); check its spelling, DNS, and /etc/hosts"
        ) from error
    hosts = in_turn(str(address[0]) for *_, address in found)
    return [TcpEndpoint(host, endpoint.port) for host in hosts]


def reach(endpoint: TcpEndpoint, timeout: float) -> TcpEndpoint:
    """Return the first address of an endpoint at which something listens.

    `timeout` is how many seconds all tries together may take. The look-up of the name takes as long as the
    system lets it.

    Raises:
        BrokenError: The name has no address, or nothing takes a connection at any of them in this time.
    """
    tries = candidates(endpoint)
    until = now() + timeout
    failures: dict[TcpEndpoint, str] = {}
    waiting: list[TcpEndpoint] = list(reversed(tries))
    with selectors.DefaultSelector() as selector:
        try:
            while waiting or selector.get_map():
                if waiting:
                    _begin(waiting.pop(), selector, failures)
                rest = max(0.0, until - now())
                for key, _ in selector.select(min(rest, _STAGGER) if waiting else rest):
                    selector.unregister(key.fileobj)
                    problem = _close(key.fileobj)
                    if not problem:
                        reached: TcpEndpoint = key.data
                        return reached
                    failures[key.data] = os.strerror(problem)
                if now() >= until:
                    break
        finally:
            for key in list(selector.get_map().values()):
                _close(key.fileobj)
    words = "; ".join(f"{each}: {failures.get(each, 'no answer')}" for each in tries)
    raise BrokenError(
        f"nothing answers at {endpoint} within {timeout:.3g} s ({words}); check that it listens there, "
        "and that a firewall lets it through"
    )


def _begin(each: TcpEndpoint, selector: selectors.BaseSelector, failures: dict[TcpEndpoint, str]) -> None:
    """Begin to connect to an address, without waiting."""
    try:
        info = socket.getaddrinfo(each.host, each.port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
        family, kind, protocol, _, address = info[0]
        sock = socket.socket(family, kind, protocol)
    except OSError as error:  # this system knows no such family
        failures[each] = error.strerror or str(error)
        return
    sock.setblocking(False)
    problem = sock.connect_ex(address)
    if problem in (0, errno.EINPROGRESS):
        selector.register(sock, selectors.EVENT_WRITE, each)
        return
    failures[each] = os.strerror(problem)
    sock.close()


def _close(sock: object) -> int:
    """Close a socket, and return the number of what went wrong with its connection; 0 if nothing did."""
    if not isinstance(sock, socket.socket):
        return 0
    problem = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    sock.close()
    return problem
