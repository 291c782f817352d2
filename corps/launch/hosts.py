"""The hosts of a Corps that starts: their parents, and what Envs have to know of where they are."""

import contextlib
import ipaddress
import socket
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from corps.endpoints import TcpEndpoint
from corps.errors import BrokenError, ConfigError, EnvStartError
from corps.launch import child
from corps.launch.host_side import HostSide
from corps.launch.launch_settings import LaunchSettings
from corps.launch.shipping import Shipment, shipment_of
from corps.launch.sources import Source
from corps.launchers.by_command import CommandStarter
from corps.launchers.launcher import Exit, HostPlace, Launcher
from corps.launchers.remote.files import digest_of, pack
from corps.launchers.remote.hosts import FarHost, HostsLauncher, close_all, start_all
from corps.launchers.remote.link import ParentUp
from corps.launchers.remote.terms import Terms
from corps.launchers.starter import Starter
from corps.transport.zeromq.doors import source_towards

if TYPE_CHECKING:
    from corps.host_file import HostConfig, HostFile

_PRELOAD: Final = (
    "msgpack",
    "cloudpickle",
    "asyncio",
    "corps.launch.child",
    "corps.transport.zeromq.transport",
    "corps.transport.hosted",
)
_ANY_PORT: Final = 9  # nothing is sent there: it is for asking the system for a way


@dataclass(frozen=True, slots=True)
class CorpsHosts:
    """The hosts of one Corps, whose parents run. Thread-safe."""

    here: HostSide  # of the booting process
    labels: Mapping[str, list[str]]  # that the Envs of each host have, by its name
    homes: Mapping[int, str]  # the host of each Env
    far: Sequence[FarHost]

    def launcher(self, local: Launcher) -> HostsLauncher:
        """Return what starts Envs on all of them. `local` starts those of this host."""
        return HostsLauncher(local, self.here.name, self.far, self.homes)

    def hand_over_lines(self, take_line: Callable[[int, int, str], object]) -> None:
        """Call this with each line that an Env of another host writes, as `ProcessHost.hand_over_lines`."""
        for host in self.far:
            host.hand_over_lines(take_line)

    def close(self, grace: float) -> None:
        """End the parents, and with them the Envs that are left. Idempotent."""
        close_all(self.far, grace)


def start_hosts(
    file: "HostFile",
    source: Source,
    settings: LaunchSettings,
    on_exit: Callable[[Exit], object],
    at_kill: Callable[[Callable[[], object]], object],
) -> CorpsHosts:
    """Start the parents of all hosts but this one. `on_exit` hears how Envs there have ended.

    `at_kill` takes what ends them, for when nothing may wait for the start any more.

    Raises:
        EnvStartError: A host cannot be reached, or does not fit. Then none is left running.
        LoadError: The application cannot be sent.
        ConfigError: No other host can reach this one.
    """
    shipment = shipment_of(source)
    archive = pack(shipment.files) if shipment.files else b""
    terms = Terms(
        entry=f"{child.main.__module__}:{child.main.__qualname__}",
        preload=_PRELOAD,
        argv=[*sys.argv],
        digest=digest_of(archive) if archive else "",
        archive=archive,
        start_timeout=settings.boot_timeout,
        beat=file.beat,
        suspect_after=file.suspect_after,
        lost_after=file.lost_after,
        as_lines=settings.options.log_output,
    )
    configs = {host.name: host for host in file.hosts if host.launcher != "local"}

    def place(name: str, up: ParentUp) -> HostPlace:
        return _place_of(configs[name], up, source, shipment)

    far = [
        FarHost(name, _starter_of(host), _python_of(host), terms, place, on_exit)
        for name, host in configs.items()
    ]
    at_kill(lambda: close_all(far, 0.0))
    places = start_all(far)
    try:
        here = _here(file.local, places.values())
    except BaseException:
        close_all(far, 0.0)
        raise
    labels = {host.name: host.all_labels for host in (file.local, *file.hosts)}
    return CorpsHosts(here, labels, file.homes, far)


def _starter_of(host: "HostConfig") -> Starter:
    if host.launcher == "subprocess":
        return CommandStarter(host.name, host.command)
    try:
        from corps.launchers.by_ssh import SshHost, SshStarter
    except ImportError as error:
        raise ConfigError(
            f"host {host.name!r} has the launcher 'ssh', which needs: pip install 'corps[ssh]' ({error})"
        ) from error
    address = (host.address or host.name).removeprefix("[").removesuffix("]")
    files = (
        None if each is None else str(Path(each).expanduser())
        for each in (host.ssh_config, host.known_hosts, host.key)
    )
    return SshStarter(SshHost(host.name, address, host.port, host.user, *files))


def _python_of(host: "HostConfig") -> str:
    return host.python or (sys.executable if host.launcher == "subprocess" else "python3")


def _place_of(host: "HostConfig", up: ParentUp, source: Source, shipment: Shipment) -> HostPlace:
    side = HostSide(host.name, _addresses_of(host, up), host.ports)
    root = up.up.root.decode(errors="surrogateescape")
    return HostPlace(host.name, up.up.runtime_dir, shipment.source_at(source, root), side.as_list())


def _addresses_of(host: "HostConfig", up: ParentUp) -> tuple[str, ...]:
    """Return where the Envs of a host listen: what the file says, or where this process has reached it."""
    if host.advertise:
        return host.advertise
    address = (host.address or host.name).removeprefix("[").removesuffix("]")
    for each in (address, up.here.reached_at):
        with contextlib.suppress(ValueError):
            return (str(ipaddress.ip_address(each)),)
    try:
        found = socket.getaddrinfo(address, None, type=socket.SOCK_STREAM)
    except OSError as error:
        raise EnvStartError(
            f"host {host.name!r}: it is not known at which address the Envs of other hosts reach it, because "
            f"{address!r} has none ({error}): name some as `advertise`"
        ) from error
    return (str(found[0][4][0]),)


def _here(local: "HostConfig", places: Iterable[HostPlace]) -> HostSide:
    """Return where the Envs of this host listen: what the file says, or where it reaches the others from."""
    if local.advertise:
        return HostSide(local.name, local.advertise, local.ports)
    found: dict[str, None] = {}
    problem = ""
    sides = [HostSide.from_list(place.listens) for place in places]
    for side in sides:
        for address in side.addresses if side is not None else ():
            try:
                found[source_towards(str(TcpEndpoint(address, _ANY_PORT)))] = None
            except BrokenError as error:
                problem = str(error)
    if not found and problem:
        raise ConfigError(
            f"this host reaches none of the others: {problem}. Name addresses of them as `advertise`"
        )
    return HostSide(local.name, tuple(found) or ("127.0.0.1",), local.ports)
