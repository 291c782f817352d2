"""Looks at this host for the doctor. Each check ends in one finding, whatever goes wrong while it looks."""

import errno
import os
import resource
import socket
import tempfile
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from corps.clock import now, wall_time
from corps.core import name as core_name
from corps.endpoints import read_host
from corps.errors import BootError, ConfigError, CorpsError, NoTimeServer
from corps.federation.keyring import KeyRingFiles
from corps.federation.registry import registry_of_user
from corps.launch.doctor.findings import (
    Finding,
    of_clock,
    of_descriptors,
    of_memory,
    of_offset,
    of_ports,
    of_python,
    of_versions,
)
from corps.launchers.local.runtime_dir import make_runtime_dir, remove_runtime_dir
from corps.services.timers.clock_offset import clock_offset
from corps.transport.zeromq.versions import has_curve, libzmq_version, pyzmq_version

if TYPE_CHECKING:
    from corps.settings import Settings

_OTHER_PROCESSES: Final = 2  # that listen beside the Envs with workers: the front, and the one that boots


def examine(settings: "Settings", version: str, time_servers: Sequence[str]) -> Iterator[Finding]:
    """Look at all that a Corps with these settings needs of this host. Yield each finding at once."""
    checks: list[tuple[str, Callable[[], Finding]]] = [
        ("versions", lambda: _versions(version)),
        ("descriptors", lambda: _descriptors(settings)),
        ("shared memory", lambda: _shared_memory(settings)),
        ("directory", _runtime_dir),
        ("clock", lambda: of_clock(wall_time(), now(), now())),
        ("own name", _own_name),
        ("IPv6", _ipv6),
        ("ports", lambda: _ports(settings)),
        ("keys", _keys),
        ("tags", _tags),
    ]
    if time_servers:
        checks.append(("clock offset", lambda: _offset(time_servers)))
    for name, check in checks:
        try:
            yield check()
        except (OSError, RuntimeError) as error:  # no home directory is a RuntimeError
            yield Finding(name, "wrong", f"this could not be looked at: {error}", "see what the system says")


def _versions(version: str) -> Finding:
    also = f"pyzmq {pyzmq_version()}, corps {version} ({core_name} core), Linux {os.uname().release}"
    return of_versions(of_python(), libzmq_version(), has_curve(), also)


def _descriptors(settings: "Settings") -> Finding:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return of_descriptors(soft, hard, settings.envs)


def _shared_memory(settings: "Settings") -> Finding:
    if settings.transport != "unix":
        return Finding("shared memory", "ok", f"the transport {settings.transport} needs none")
    problem = ""
    try:
        os.close(os.memfd_create("corps-doctor", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING))
    except OSError as error:
        problem = str(error)
    longest, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    return of_memory(problem, _free_memory(), settings.shared_memory.bytes, longest)


def _free_memory() -> int:
    with open("/proc/meminfo") as file:
        facts = dict(line.split(":", 1) for line in file)
    return int(facts["MemAvailable"].split()[0]) * 1024


def _runtime_dir() -> Finding:
    try:
        path = make_runtime_dir()
    except BootError as error:
        return Finding("directory", "wrong", str(error), "set XDG_RUNTIME_DIR or TMPDIR as it says")
    try:
        with tempfile.TemporaryFile(dir=path) as file:
            file.write(b"x")
    finally:
        remove_runtime_dir(path)
    return Finding("directory", "ok", f"socket files lie in {os.path.dirname(path)}, in one of mode 0700")


def _own_name() -> Finding:
    name = socket.gethostname()
    try:
        found = sorted({str(address[0]) for *_, address in socket.getaddrinfo(name, None)})
    except OSError as error:
        return Finding(
            "own name",
            "note",
            f"{name} has no address: {error.strerror}",
            "add it to /etc/hosts or DNS, if others are to find this host by its name",
        )
    return Finding("own name", "ok", f"{name} is {', '.join(found)}")


def _ipv6() -> Finding:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError as error:
        return Finding(
            "IPv6",
            "note",
            f"there is no ::1 on loopback: {error.strerror}",
            "use IPv4 addresses, or set net.ipv6.conf.lo.disable_ipv6 to 0",
        )
    return Finding("IPv6", "ok", "::1 works on loopback")


def _ports(settings: "Settings") -> Finding:
    if settings.transport != "tcp":
        return Finding("ports", "ok", f"the transport {settings.transport} opens none")
    host, ports = read_host(settings.tcp.host), settings.tcp.port_range()
    found = socket.getaddrinfo(
        None if host == "*" else host, 0, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    family, kind, protocol, _, address = found[0]
    free = 0
    for port in ports:
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as libzmq does
            try:
                probe.bind((address[0], port, *address[2:]))
                free += 1
            except OSError as error:
                if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                    raise
    return of_ports(settings.tcp.host, ports, free, settings.envs + _OTHER_PROCESSES)


def _keys() -> Finding:
    files = KeyRingFiles()
    try:
        ring = files.read()
    except CorpsError as error:
        return Finding("keys", "wrong", str(error), "see what it says of the directory or the file")
    if not ring.own and not ring.allowed:
        return Finding("keys", "ok", f"there is no key ring in {files.path}; only other owners need one")
    says = f"{len(ring.own)} own, {len(ring.allowed)} allowed, {len(ring.revoked)} revoked"
    return Finding("keys", "ok", f"{says}, in {files.path}, which no other user can open")


def _tags() -> Finding:
    registry = registry_of_user()
    try:
        entries = registry.all_of_user()
    except CorpsError as error:
        return Finding("tags", "wrong", str(error), "see what it says of the directory")
    bad = [f"{entry.tag}: {entry.problem}" for entry in entries if entry.problem is not None]
    if bad:
        return Finding("tags", "wrong", "; ".join(bad), f"remove these files from {registry.path}")
    names = [f"{entry.tag} ({entry.state})" for entry in entries]
    return Finding("tags", "ok", ", ".join(names) if names else "no Corps of this user has one")


def _offset(time_servers: Sequence[str]) -> Finding:
    try:
        found = clock_offset(time_servers)
    except (NoTimeServer, ConfigError) as error:
        return Finding("clock offset", "wrong", str(error), "name a server that this host may ask")
    return of_offset(found.server, found.offset, found.bound)
