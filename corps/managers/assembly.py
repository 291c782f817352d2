"""The one place where an Env is put together. Construction only; decisions are made elsewhere."""

import sys
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, fields
from importlib import import_module
from threading import RLock
from types import ModuleType
from typing import TYPE_CHECKING, Any

from corps.addresses import BOOT_ENV, ConcAddr
from corps.federation.authentication import Authentication, authenticator_of
from corps.federation.border import CorpsBorder, outward
from corps.federation.declared_names import names_between
from corps.managers.env_mgr import EnvMgr
from corps.managers.services import SERVICES_OF_EACH, Service, start_services
from corps.messages.contacts import address_in
from corps.messages.interfaces import Interface, WorkerName
from corps.packing.declared_classes import DeclaredClasses
from corps.packing.identities import Identities
from corps.packing.packer import Packed, Packer
from corps.peers.limits import Limits
from corps.peers.members import Peers
from corps.peers.terms import Terms, weights_of
from corps.runtime.calls.travelling import Travels
from corps.runtime.cells.constructing import construct_here
from corps.runtime.cells.keeping import PackedState
from corps.runtime.cells.records import Record
from corps.runtime.env import Env
from corps.runtime.options import EnvOptions, WorkerOptions
from corps.security.key_ring import judge_by_kernel
from corps.security.permissions import Permissions, rules_of
from corps.transport.bordered import BorderedTransport
from corps.transport.link import Transport
from corps.workers.corps import Corps
from corps.workers.iterators import RemoteIterator
from corps.workers.kept_names import as_name
from corps.workers.names import Name, restore_name
from corps.workers.refusals import Refusals
from corps.workers.routed_names import restore_routed_name

if TYPE_CHECKING:
    from corps.settings import Settings


@dataclass(frozen=True, slots=True)
class CodeNames:
    """The names under which an Env finds code, and packs its own."""

    resolve_module: Callable[[str], ModuleType] | None = None  # by its name in the whole Corps
    main_alias: str | None = None  # the name that `__main__` of this process has in the whole Corps
    has_of_main: Callable[[str], bool] = bool  # whether the others have a name at the top of `__main__`
    everywhere: str | None = None  # the application's module, which all processes have loaded
    identities: Identities | None = None  # the classes by value that this process knows already


def build_env(
    corps_id: str,
    env_id: int,
    options: EnvOptions,
    transport: Transport | None = None,
    *,
    code: CodeNames | None = None,
    application: type[Corps] | None = None,
    travels: tuple[ContextVar[Any], ...] = (),
    generation: int = 0,
    incarnation: str = "",
    journals: str | None = None,
    home: int = BOOT_ENV,
    services: Sequence[Service] = SERVICES_OF_EACH,
) -> Env:
    """Put an Env together, with its EnvMgr in it. It reads from its links after ``env.start_reading()``.

    Without a transport it is alone. `code` is by default that of this process, `travels` has the context
    variables whose values travel with requests, and `generation` counts the processes that the Env has had
    before. `home` is the Env with the services of which a Corps has one.
    """
    env = Env(corps_id, env_id, options, generation)
    env.home = env_id if transport is None else home
    env.runtime_dir = journals
    env.travels = Travels(travels) if travels else None
    code = code or CodeNames()
    env.main_alias, env.has_of_main = code.main_alias, code.has_of_main
    packer, packer_abroad = _give_upper_side(env, code)
    if transport is not None:
        peers = Peers(
            env,
            transport,
            packer,
            window=(options.window_requests, options.window_bytes),
            patience=options.send_timeout,
            journals=journals,
            incarnation=incarnation,
        )
        env.connect(peers, transport)
        if transport.takes_visitors:
            limits = Limits((options.window_requests, options.window_bytes), options.send_timeout, None)
            guard = _guard_of(env, code)
            env.border = CorpsBorder(env, transport, packer_abroad, limits, _terms_of(env, transport, guard))
            if guard is not None:
                peers.count_too(guard.audit)
    refusals = Refusals(env)
    env.parts.add(refusals)
    if env.peers is not None and transport is not None:
        refusals.follow(transport.audit, *env.peers.audits)
    start_services(env, services)
    env.start_alarms()
    manager = Record(EnvMgr, (env, application), {}, WorkerOptions("EnvMgr"))
    construct_here(env.lives.new_cell(manager), manager, is_ours=True).result()
    return env


def _guard_of(env: Env, code: CodeNames) -> Authentication | None:
    """Return what checks the credentials of callers; None if the settings name no authenticator."""
    options = env.options
    authenticator = authenticator_of(options, code.resolve_module or import_module)
    if authenticator is None:
        return None
    return Authentication(
        env.label,
        authenticator,
        env.alarms,
        wants_owner=options.authentication_owner,
        timeout=options.authentication_timeout,
        recheck=options.authentication_recheck,
    )


def _terms_of(env: Env, transport: Transport, guard: Authentication | None) -> Terms:
    """Return what an Env grants to Envs of other Corps."""
    judge = transport.keys.judge if isinstance(transport, BorderedTransport) else judge_by_kernel
    return Terms(
        env.options.border_secret or None,
        judge,
        Permissions(rules_of(env.options.permissions_rules, "permissions.rules")),
        DeclaredClasses(names_between(env)),
        guard,
        weights_of(env.options.window_weights),
    )


def _give_upper_side(env: Env, code: CodeNames) -> tuple[Packer, Packer]:
    """Give an Env its upper side; return the packers of its requests.

    The first one is for its own Corps, the second one for others: those have neither its application nor its
    ``__main__``.
    """
    identities = Identities(RLock()) if code.identities is None else code.identities

    def restore_here(addr: tuple[Any, ...], interface: tuple[Any, ...], *how: Any) -> Name[Any]:
        known = Interface.from_tuple(*interface)
        found = ConcAddr(*addr) if len(addr) == 3 else address_in(env.corps_id, addr, known)
        return Name(found, known, env, *how)

    def restore_routed_here(*parts: Any) -> Name[Any]:
        return restore_routed_name(*parts).used_from(env)

    rebind = {
        (restore_name.__module__, restore_name.__qualname__): restore_here,
        (restore_routed_name.__module__, restore_routed_name.__qualname__): restore_routed_here,
    }

    def make_packer(out_of_band: int) -> Packer:
        return Packer(
            codec=env.options.codec,
            rebind=rebind,
            resolve_module=code.resolve_module,
            main_alias=code.main_alias,
            has_of_main=code.has_of_main,
            everywhere=code.everywhere,
            identities=identities,
            out_of_band=out_of_band,
        )

    of_requests = make_packer(env.options.out_of_band)
    env.upper = _Upper(env, of_requests, make_packer(sys.maxsize))
    abroad = Packer(
        rebind=rebind,
        resolve_module=code.resolve_module,
        identities=identities,
        out_of_band=env.options.out_of_band,
        outward=outward(env),
    )
    return of_requests, abroad


class _Upper:
    """What lies above the engine of one Env: see `UpperSide`. Thread-safe."""

    def __init__(self, env: Env, of_requests: Packer, of_states: Packer) -> None:
        """Serve an Env with these packers. That `of_states` packs nothing out of band."""
        self._env = env
        self._of_requests = of_requests
        self._of_states = of_states

    def make_name(self, addr: ConcAddr, interface: Interface, incarnation: int = 1) -> Name[Any]:
        """See `UpperSide.make_name`."""
        return Name(addr, interface, self._env, incarnation=incarnation)

    def make_iterator(
        self,
        worker: WorkerName,
        number: int,
        share: int,
        holder: int,
        *,
        is_async: bool,
        is_fresh: bool = True,
    ) -> RemoteIterator[Any]:
        """See `UpperSide.make_iterator`."""
        return RemoteIterator(as_name(worker), number, share, holder, is_async=is_async, is_fresh=is_fresh)

    def pack(self, value: Any, what: str = "state") -> PackedState:
        """See `UpperSide.pack`."""
        packed = self._of_states.pack(value, what=what)
        return packed.codec, packed.body

    def unpack(self, kept: PackedState) -> Any:
        """See `UpperSide.unpack`."""
        return self._of_requests.unpack(Packed(*kept, ()))


def env_options(settings: "Settings") -> EnvOptions:
    """Take from the settings what an Env itself needs: each option has the name of its setting.

    Raises:
        ConfigError: A rule of the permissions cannot be.
    """
    said: dict[str, Any] = {}
    for key, value in settings.model_dump().items():
        if isinstance(value, dict):
            said.update({f"{key}_{name}": inner for name, inner in value.items()})
        else:
            said[key] = value
    rules_of(settings.permissions.rules, "permissions.rules")
    ports = settings.tcp.port_range()
    said["tcp_ports"] = ports[0], ports[-1]
    said["log_now"] = ()
    said["border_secret"] = b""
    if settings.beat.dead is None:
        said["beat_every"] = None
    return EnvOptions(**{each.name: said[each.name] for each in fields(EnvOptions)})
