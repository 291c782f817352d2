"""What the doctor finds, and how it judges what was measured. Pure: values in, findings out."""

import ipaddress
import sys
from dataclasses import dataclass
from typing import Final, Literal

from corps.endpoints import Address, TcpEndpoint

State = Literal["ok", "note", "wrong"]
"""``note``: something is not there that some programs need. ``wrong``: a Corps with these settings fails."""

MIB: Final = 1024 * 1024

_LEAST_PYTHON: Final = (3, 11)
_LEAST_LIBZMQ: Final = (4, 3, 5)
_OWN_DESCRIPTORS: Final = 100  # of an Env without peers, with what its application has open
_DESCRIPTORS_OF_PEER: Final = 8  # sockets in both directions, and shared memory
_EARLIEST: Final = 1_735_689_600.0  # seconds since 1970 when 2025 began: no right clock shows less
_OFFSET: Final = 1.0  # seconds that a clock may be wrong
_LITTLE_MEMORY: Final = 256 * MIB

GREETING: Final = b"\xff" + bytes(8) + b"\x7f\x03"
"""How a ZeroMQ connection begins (https://rfc.zeromq.org/spec/37/). Then the other side says what it is."""

GREETING_SIZE: Final = 64
"""Bytes of a whole greeting."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    check: str  # what was looked at, in one or two words
    state: State
    says: str  # what was found
    do: str = ""  # what to do about it; empty if nothing


def of_versions(python: tuple[int, ...], libzmq: tuple[int, ...], has_curve: bool, also: str) -> Finding:
    """Judge the versions of what corps stands on. `also` are versions that are shown as they are."""
    says = f"CPython {_dotted(python)}, libzmq {_dotted(libzmq)}, {also}"
    if python[:2] < _LEAST_PYTHON:
        return Finding("versions", "wrong", says, f"install CPython {_dotted(_LEAST_PYTHON)} or newer")
    if libzmq < _LEAST_LIBZMQ:
        return Finding("versions", "wrong", says, f"install a pyzmq with libzmq {_dotted(_LEAST_LIBZMQ)}")
    if not has_curve:
        return Finding(
            "versions",
            "wrong",
            f"{says}, without CURVE",
            "install the wheel of pyzmq from PyPI: tcp needs it",
        )
    return Finding("versions", "ok", says)


def of_descriptors(limit: int, highest: int, envs: int) -> Finding:
    """Judge how many descriptors a process may have, for a Corps of so many Envs."""
    wanted = _OWN_DESCRIPTORS + _DESCRIPTORS_OF_PEER * (envs + 2)
    says = f"a process may have {limit}; with {envs} Envs each has about {wanted}"
    if limit >= wanted:
        return Finding("descriptors", "ok", says)
    raised = f"ulimit -n {max(wanted, min(highest, 65_536))}"
    return Finding("descriptors", "wrong", says, f"raise the limit: {raised}, or LimitNOFILE= in systemd")


def of_memory(problem: str, available: int, wanted: int, longest_file: int) -> Finding:
    """Judge shared memory: why there is none, what is free, what an Env may fill, how long a file may be."""
    if problem:
        return Finding(
            "shared memory",
            "wrong",
            f"none can be made: {problem}",
            "let the container or sandbox allow memfd_create, or set transport to ipc",
        )
    if 0 <= longest_file < wanted:
        return Finding(
            "shared memory",
            "wrong",
            f"a file may have {longest_file} bytes, and shared memory counts as one",
            "raise the limit: ulimit -f unlimited",
        )
    says = f"{_in_mib(available)} free; each Env may fill {_in_mib(wanted)}"
    if available < min(wanted, _LITTLE_MEMORY):
        return Finding("shared memory", "note", says, "free memory, or lower the setting shared_memory.bytes")
    return Finding("shared memory", "ok", says)


def of_clock(wall: float, earlier: float, later: float) -> Finding:
    """Judge the wall clock, and two readings of the monotonic one that followed each other."""
    if later < earlier:
        return Finding(
            "clock",
            "wrong",
            f"the monotonic clock went back by {earlier - later:.6f} s",
            "restart the machine",
        )
    if wall < _EARLIEST:
        return Finding("clock", "wrong", "the wall clock is years behind", "set it: timedatectl set-ntp true")
    return Finding("clock", "ok", "the monotonic clock goes on, and the wall clock shows a time that can be")


def of_offset(server: str, offset: float, bound: float) -> Finding:
    """Judge how far a time server is ahead, give or take `bound`."""
    says = f"{server} is {offset:+.3f} s ahead, give or take {bound:.3f} s"
    if abs(offset) - bound <= _OFFSET:
        return Finding("clock offset", "ok", says)
    return Finding("clock offset", "wrong", says, "set the clock by a time service, such as chrony")


def of_ports(host: str, ports: range, free: int, wanted: int) -> Finding:
    """Judge the ports that the Envs listen on, of which so many are free."""
    if ports[0] == 0:
        return Finding("ports", "ok", f"each Env takes any free port of {host}")
    says = f"{free} of {len(ports)} ports from {ports[0]} to {ports[-1]} are free at {host}"
    if free >= wanted:
        return Finding("ports", "ok", f"{says}; {wanted} are needed")
    return Finding(
        "ports", "wrong", f"{says}; {wanted} are needed", "free some, or widen the setting tcp.ports"
    )


def of_greeting(endpoint: TcpEndpoint, greeting: bytes) -> Finding:
    """Judge the first bytes that the other side of a connection has sent."""
    is_zeromq = len(greeting) >= 10 and greeting[0] == 0xFF and greeting[9] == 0x7F
    if not is_zeromq:
        return Finding(
            "protocol",
            "wrong",
            f"{endpoint} takes connections, and does not speak ZeroMQ",
            "check the port: another program listens there",
        )
    if len(greeting) < 32:
        return Finding(
            "protocol",
            "wrong",
            f"{endpoint} does not end its greeting",
            "try again: its process may be stopped",
        )
    mechanism = greeting[12:32].rstrip(b"\0").decode("ascii", "replace")
    says = f"{endpoint} speaks ZMTP {greeting[10]}.{greeting[11]} with {mechanism}"
    if mechanism != "CURVE":
        return Finding("protocol", "wrong", says, "check the port: a Corps listens with CURVE alone")
    return Finding("protocol", "ok", says)


def of_way_back(ours: Address | None, theirs: Address | None, listens_at: Address | None) -> Finding:
    """Judge whether the other side can connect to this host, as far as that can be seen from here.

    `ours` and `theirs` are the ends of a connection; `listens_at` is where this host is set to listen.
    """
    if ours is None or theirs is None:
        return Finding("way back", "note", "the ends of the connection are no addresses")
    says = f"this host is {ours} for {theirs}"
    if listens_at is not None and listens_at.is_loopback and not theirs.is_loopback:
        return Finding(
            "way back",
            "note",
            f"{says}, and listens at {listens_at}, to which others cannot connect",
            f"set tcp.host to {ours}, so that Envs there can answer by links of their own",
        )
    if _is_private(ours) and not _is_private(theirs):
        return Finding(
            "way back",
            "note",
            f"{says}: an address of a private network, which the other side may not reach",
            "forward a port to this host, or use a VPN or a tunnel of ssh",
        )
    return Finding("way back", "ok", f"{says}: both are of one kind of network")


def of_python() -> tuple[int, ...]:
    """Return the version of this interpreter."""
    return tuple(sys.version_info[:3])


def _is_private(address: Address) -> bool:
    shared = ipaddress.ip_network(
        "100.64.0.0/10"
    )  # of providers, for customers behind one address (RFC 6598)
    return address.is_private or (address.version == 4 and address in shared)


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def _in_mib(size: int) -> str:
    return f"{size // MIB} MiB"
