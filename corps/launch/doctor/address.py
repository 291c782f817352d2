"""Looks at one address for the doctor: whether something answers there, what it speaks, and the way back."""

import ipaddress
import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from corps.endpoints import (
    Address,
    Endpoint,
    TcpEndpoint,
    UnixEndpoint,
    is_wildcard,
    read_endpoint,
    read_host,
)
from corps.errors import BrokenError, ConfigError, CorpsError
from corps.federation.registry import registry_of_user
from corps.launch.doctor.findings import GREETING, GREETING_SIZE, Finding, of_greeting, of_way_back
from corps.transport.peer_user import user_who_listens
from corps.transport.reaching import candidates, reach

if TYPE_CHECKING:
    from corps.settings import Settings

_PATIENCE: Final = 5.0  # seconds for each step


def examine_address(endpoint: Endpoint, settings: "Settings") -> Iterator[Finding]:
    """Look at an address, step by step, until one fails. Yield each finding when it is there."""
    if isinstance(endpoint, UnixEndpoint):
        yield _socket_file(endpoint)
        return
    try:
        tries = candidates(endpoint)
        yield Finding("name", "ok", f"{endpoint.host} is {', '.join(each.host for each in tries)}")
        there = reach(endpoint, _PATIENCE)
    except BrokenError as error:
        yield Finding("way there", "wrong", str(error), "see what it says of each address")
        return
    yield Finding("way there", "ok", f"{there} takes connections")
    try:
        greeting, ours = _greet(there)
    except OSError as error:
        yield Finding("protocol", "wrong", f"{there} ended the connection: {error}", "check the port")
        return
    yield of_greeting(there, greeting)
    yield of_way_back(ours, there.address, _listening_address(settings))


def examine_tag(tag: str, settings: "Settings") -> Iterator[Finding]:
    """Look at the Corps of this user that has a tag. Yield each finding when it is there."""
    try:
        record = registry_of_user().find(tag)
    except CorpsError as error:
        yield Finding("tag", "wrong", str(error), "see what runs: corps ps")
        return
    says = f"{tag} is {record.class_name}, process {record.pid}, Corps {record.corps[:6]}"
    yield Finding("tag", "ok", says)
    for address in dict.fromkeys((*record.addresses, record.front.endpoint)):
        try:
            endpoint = read_endpoint(address, "its address")
        except ConfigError as error:
            yield Finding("address", "wrong", str(error), "start it again, with this release of corps")
            continue
        yield from examine_address(endpoint, settings)


def _socket_file(endpoint: UnixEndpoint) -> Finding:
    try:
        process, user = user_who_listens(endpoint.path)
    except OSError as error:
        why = error.strerror or str(error)
        return Finding(
            "way there", "wrong", f"nothing listens at {endpoint.path}: {why}", "check that its Corps runs"
        )
    says = f"process {process} of user {user} listens at {endpoint.path}"
    if user != os.getuid():
        return Finding(
            "way there", "wrong", says, f"run as that user: only processes of user {user} are admitted"
        )
    return Finding("way there", "ok", says)


def _greet(there: TcpEndpoint) -> tuple[bytes, Address | None]:
    """Begin the greeting of ZeroMQ; return what comes back, and the address of this end."""
    with socket.create_connection((there.host, there.port), _PATIENCE) as sock:
        sock.sendall(GREETING)
        came = b""
        with suppress(TimeoutError):
            while len(came) < GREETING_SIZE and (more := sock.recv(GREETING_SIZE - len(came))):
                came += more
        return came, ipaddress.ip_address(sock.getsockname()[0])


def _listening_address(settings: "Settings") -> Address | None:
    """Return where this host is set to listen; None if that is no single address, or nothing listens."""
    host = read_host(settings.tcp.host)
    if settings.transport != "tcp" or is_wildcard(host):
        return None
    return TcpEndpoint(host, 0).address
