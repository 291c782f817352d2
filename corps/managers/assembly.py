"""The one place where an Env is put together. Construction only; decisions are made elsewhere."""

import sys
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from threading import RLock
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

from corps.addresses import ConcAddr
from corps.managers.env_mgr import EnvMgr
from corps.messages.interfaces import Interface
from corps.packing.identities import Identities
from corps.packing.packer import Packed, Packer
from corps.peers.members import Peers
from corps.runtime.calls.travelling import Travels
from corps.runtime.cells.constructing import construct_here
from corps.runtime.cells.keeping import PackedState
from corps.runtime.cells.records import Record
from corps.runtime.env import Env
from corps.runtime.options import EnvOptions, WorkerOptions
from corps.transport.link import Transport
from corps.workers.corps import Corps
from corps.workers.iterators import RemoteIterator
from corps.workers.names import Name, restore_name

if TYPE_CHECKING:
    from corps.settings import Settings


@dataclass(frozen=True, slots=True)
class CodeNames:
    """The names under which an Env finds code, and packs its own.

    Attributes:
        resolve_module: Finds modules by the names they have in the whole Corps.
        main_alias: The name that ``__main__`` of this process has in the whole Corps.
        has_of_main: Whether the others have what stands under a name at the top of ``__main__``.
        everywhere: The name of the application's module, which all processes have loaded.
        identities: Which classes by value are known in this process already; None if none are.
    """

    resolve_module: Callable[[str], ModuleType] | None = None
    main_alias: str | None = None
    has_of_main: Callable[[str], bool] = bool
    everywhere: str | None = None
    identities: Identities | None = None


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
) -> Env:
    """Put an Env together, with its EnvMgr in it. It reads from its links after ``env.start_reading()``.

    Without a transport it is alone. `code` is by default that of this process, `travels` has the context
    variables whose values travel with requests, and `generation` counts the processes that the Env has had
    before.
    """
    env = Env(corps_id, env_id, options, generation)
    env.travels = Travels(travels) if travels else None
    packer = _give_names_and_packers(env, code or CodeNames())
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
    env.start_alarms()
    manager = Record(EnvMgr, (env, application), {}, WorkerOptions("EnvMgr"))
    construct_here(env.lives.new_cell(manager), manager, is_ours=True).result()
    return env


def _give_names_and_packers(env: Env, code: CodeNames) -> Packer:
    """Give an Env what makes Names, iterators and packed states; return the packer of its requests."""

    def make_name(addr: ConcAddr, interface: Interface, incarnation: int = 1) -> Name[Any]:
        return Name(addr, interface, env, incarnation=incarnation)

    packers = _make_packers(env, code)

    def pack(value: Any) -> PackedState:
        packed = packers.of_states.pack(value, what="state")
        return packed.codec, packed.body

    env.make_name = make_name
    env.make_iterator = RemoteIterator
    env.pack = pack
    env.unpack = lambda kept: packers.of_requests.unpack(Packed(*kept, ()))
    return packers.of_requests


class _Packers(NamedTuple):
    of_requests: Packer
    of_states: Packer  # nothing out of band


def _make_packers(env: Env, code: CodeNames) -> _Packers:
    identities = Identities(RLock()) if code.identities is None else code.identities

    def restore_here(addr: tuple[str, int, int], interface: tuple[Any, ...], *how: Any) -> Name[Any]:
        return Name(ConcAddr(*addr), Interface.from_tuple(*interface), env, *how)

    def make(out_of_band: int) -> Packer:
        return Packer(
            codec=env.options.codec,
            rebind={(restore_name.__module__, restore_name.__qualname__): restore_here},
            resolve_module=code.resolve_module,
            main_alias=code.main_alias,
            has_of_main=code.has_of_main,
            everywhere=code.everywhere,
            identities=identities,
            out_of_band=out_of_band,
        )

    return _Packers(make(env.options.out_of_band), make(sys.maxsize))


def env_options(settings: "Settings") -> EnvOptions:
    """Take from the settings what an Env itself needs."""
    ports = settings.tcp.port_range()
    return EnvOptions(
        threads_min=settings.threads.min,
        threads_max=settings.threads.max,
        threads_idle=settings.threads.idle,
        mailbox=settings.mailbox,
        send_timeout=settings.send_timeout,
        exit_timeout=settings.exit_timeout,
        shutdown_timeout=settings.shutdown_timeout,
        deadlock_probe=settings.deadlock_probe,
        grace=settings.grace,
        window_requests=settings.window.requests,
        window_bytes=settings.window.bytes,
        codec=settings.codec,
        out_of_band=settings.out_of_band,
        transport=settings.transport,
        shared_memory_bytes=settings.shared_memory.bytes,
        shared_memory_kept=settings.shared_memory.kept,
        tcp_host=settings.tcp.host,
        tcp_ports=(ports[0], ports[-1]),
        max_message=settings.max_message,
        handshake_timeout=settings.handshake_timeout,
        spin=settings.spin,
        dead_letters=settings.dead_letters,
        switch_interval=settings.switch_interval,
        beat_every=settings.beat.every if settings.beat.dead is not None else None,
        beat_dead=settings.beat.dead,
        log_level=settings.log_level,
    )
