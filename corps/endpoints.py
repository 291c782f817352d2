"""Where something listens: addresses as people write them, and as values. Nothing is looked up here.

    tcp://127.0.0.1:5000    tcp://[::1]:7000    tcp://[fe80::1%eth0]:7000    tcp://build.example.org:7000
    unix:/run/user/1000/corps/index.sock

A `Listening` says where to bind, and what others are to connect to, which may differ: behind a router, or
where one listens on every interface.
"""

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import zip_longest
from typing import Final

from corps.errors import ConfigError

_TCP: Final = "tcp://"
_UNIX: Final = "unix:"
_FORMS: Final = "write tcp://HOST:PORT, tcp://[ADDRESS]:PORT for IPv6, or unix:PATH"

# Spellings of 0.0.0.0 that the system's own parser accepts and `ipaddress` does not: "0", "0.0", "0x0".
_ZERO: Final = re.compile(r"(0x0+|0+)(\.(0x0+|0+)){0,3}", re.IGNORECASE)

# What looks like an IPv4 address in a spelling that programs read in different ways: "127.1", "0x7f.0.0.1".
_NUMERIC: Final = re.compile(r"(.*\.)?(0x[0-9a-f]*|[0-9]+)", re.IGNORECASE)
_LABEL: Final = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?", re.IGNORECASE)
_ZONE: Final = re.compile(r"[^\s/%\[\]@]{1,15}")  # the kernel's limit for names of interfaces
_PORT: Final = re.compile(r"[0-9]{1,5}")
_LONGEST_NAME: Final = 253
_LAST_PORT: Final = 65_535

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class TcpEndpoint:
    """A host and a port."""

    host: str  # a name, or an address without brackets; an IPv6 address may have a zone behind "%"
    port: int  # 0: any that is free

    def __str__(self) -> str:
        return f"{_TCP}{_bracketed(self.host)}:{self.port}"

    @property
    def address(self) -> Address | None:
        """Return the host if it is an address; None if it is a name, which stands for some."""
        return _address(self.host)


@dataclass(frozen=True, slots=True)
class UnixEndpoint:
    """A socket file."""

    path: str

    def __str__(self) -> str:
        return f"{_UNIX}{self.path}"


Endpoint = TcpEndpoint | UnixEndpoint


@dataclass(frozen=True, slots=True)
class Listening:
    """Where to listen over tcp, and what others connect to."""

    host: str = "127.0.0.1"
    ports: range = range(1)  # to try, in this order; 0 stands for any that is free
    advertised_host: str | None = None  # None: that which was bound
    advertised_port: int | None = None  # None: that which was bound

    def advertise(self, bound: TcpEndpoint) -> TcpEndpoint:
        """Return what others are to connect to, by what was bound."""
        return TcpEndpoint(self.advertised_host or bound.host, self.advertised_port or bound.port)


def read_endpoint(text: str, where: str = "address") -> Endpoint:
    """Read an address to connect to. A ConfigError names `where` it stands, and says what is wrong."""
    try:
        if text.startswith(_UNIX):
            return UnixEndpoint(_path(text.removeprefix(_UNIX)))
        if not text.startswith(_TCP):
            raise ValueError(f"has no form of an address; {_FORMS}")
        endpoint = _host_and_port(text.removeprefix(_TCP))
        if endpoint.port == 0:
            raise ValueError("has port 0, to which nothing can connect; name the port that was published")
        if is_wildcard(endpoint.host):
            raise ValueError("means every interface of a machine, not one host; name a host")
    except ValueError as error:
        raise ConfigError(f"{where} = {text!r:.200}: {error}") from None
    return endpoint


def read_listening(
    address: str, ports: str = "0", advertise: str | None = None, *, allow_wildcard: bool = False, where: str
) -> Listening:
    """Read where to listen. `advertise` is a host, or a host and a port, that others connect to.

    A ConfigError names `where`, the group of the settings, and says what is wrong.
    """
    key, value = "address", address
    try:
        host = read_host(address)
        if is_wildcard(host) and not allow_wildcard:
            raise ValueError(
                "would listen on every interface of the machine; name one address, "
                f"or set {where}.allow_wildcard to true"
            )
        if is_wildcard(host) and advertise is None:
            raise ValueError(f"is no address that others could connect to; name one in {where}.advertise")
        key, value = "ports", ports
        found = read_ports(ports)
        if advertise is None:
            return Listening(host, found)
        key, value = "advertise", advertise
        outside_host, outside_port = read_place(advertise)
        if is_wildcard(outside_host):
            raise ValueError("is no address that others could connect to; name one host")
        if outside_port is not None and len(found) > 1:
            raise ValueError(f"names one port, and {where}.ports has {len(found)}; leave one of them out")
        if outside_port is not None and found[0] == 0:
            raise ValueError(f"names a port, and {where}.ports leaves it open which is bound; set it too")
    except ValueError as error:
        raise ConfigError(f"{where}.{key} = {value!r:.200}: {error}") from None
    return Listening(host, found, outside_host, outside_port)


def read_place(text: str) -> tuple[str, int | None]:
    """Return a host, and its port if there is one. A lone IPv6 address needs no brackets.

    Raise ValueError if it is none.
    """
    bare = text.removeprefix(_TCP)
    if bare.endswith("]") or ":" not in bare or _address(bare) is not None:
        return read_host(bare), None
    endpoint = _host_and_port(bare)
    if endpoint.port == 0:
        raise ValueError("has port 0, to which nothing can connect; leave the port out")
    return endpoint.host, endpoint.port


def in_turn(addresses: Iterable[str]) -> list[str]:
    """Return addresses in the order in which to try them: IPv6 and IPv4 by turns, each one once.

    The first one stays the first. So a family that does not work here costs one try (RFC 8305).
    """
    by_kind: dict[bool, list[str]] = {}
    for each in dict.fromkeys(addresses):
        by_kind.setdefault(":" in each, []).append(each)
    rows = zip_longest(*by_kind.values())
    return [each for row in rows for each in row if each is not None]


def read_host(text: str) -> str:
    """Return a host as it is kept: an address without brackets, or a name. Raise ValueError if it is none."""
    if not 0 < len(text) <= _LONGEST_NAME:
        raise ValueError(f"has a host of {len(text)} letters; write a name or an address")
    if text.startswith("[") != text.endswith("]"):
        raise ValueError("has a bracket without the other one; write [ADDRESS]")
    host = text.removeprefix("[").removesuffix("]")
    is_bracketed = host != text
    address, _, zone = host.partition("%")
    if ":" in host or is_bracketed:
        try:
            found = ipaddress.IPv6Address(address)
        except ValueError:
            raise ValueError(f"has no IPv6 address that can be: {address!r:.60}") from None
        if "%" in host and not _ZONE.fullmatch(zone):
            raise ValueError(f"has {zone!r:.60} as its zone; write the name of an interface behind %")
        if found.is_link_local and not zone:
            raise ValueError(f"is an address of one link; name the interface too: {found}%eth0, for one")
        return f"{found}%{zone}" if zone else str(found)
    if host == "*" or _ZERO.fullmatch(host):
        return host
    if _NUMERIC.fullmatch(host.removesuffix(".")):
        try:
            return str(ipaddress.IPv4Address(host))
        except ValueError:
            raise ValueError(f"has no IPv4 address that can be: {host!r:.60}; write four numbers") from None
    if not host.isascii():
        raise ValueError("has a name with letters that DNS does not have; write it as xn--...")
    labels = host.removesuffix(".").split(".")
    if not all(map(_LABEL.fullmatch, labels)):
        raise ValueError(f"has {host!r:.60} as its host; write a name or an address")
    return host


def read_ports(text: str) -> range:
    """Return the ports of "0", "5000" or "5000-5010", in order. Raise ValueError if there are none."""
    first, dash, last = text.partition("-")
    if not _PORT.fullmatch(first) or (dash and (not _PORT.fullmatch(last) or int(first) == 0)):
        raise ValueError('is no port and no range; write "0" for any, "5000", or "5000-5010"')
    if int(last or first) > _LAST_PORT:
        raise ValueError(f"must name ports from 1 to {_LAST_PORT}")
    if int(first) > int(last or first):
        raise ValueError(f"is a range that ends before it begins: {first} is more than {last}")
    return range(int(first), int(last or first) + 1)


def is_wildcard(host: str) -> bool:
    """Return whether a socket that is bound to this host would listen on every interface."""
    bare = host.removeprefix("[").removesuffix("]")
    if bare == "*" or _ZERO.fullmatch(bare):
        return True
    address = _address(bare)
    mapped = getattr(address, "ipv4_mapped", None)
    return address is not None and (address.is_unspecified or (mapped is not None and mapped.is_unspecified))


def _address(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _path(path: str) -> str:
    if not path.startswith("/") or "\0" in path:
        raise ValueError("has no path that begins with /; write unix:/run/user/1000/x.sock, for one")
    return path


def _host_and_port(text: str) -> TcpEndpoint:
    host, colon, port = text.rpartition(":")
    if not colon or not _PORT.fullmatch(port) or int(port) > _LAST_PORT:
        raise ValueError(f"has no port from 1 to {_LAST_PORT} at its end; {_FORMS}")
    if ":" in host and not host.startswith("["):
        raise ValueError(f"has an IPv6 address without brackets; write {_TCP}[{host}]:{port}")
    return TcpEndpoint(read_host(host), int(port))
