"""Starting the Env of this process: its links, and what runs on them."""

import secrets
import sys
from pathlib import Path

from corps.addresses import BOOT_ENV
from corps.endpoints import Listening, read_host
from corps.federation.border import CorpsBorder
from corps.launch.loading import ModuleFinder
from corps.launch.main_names import MainNames
from corps.launch.sources import Source
from corps.managers.assembly import CodeNames, build_env
from corps.messages.members import Member
from corps.runtime.env import Env
from corps.runtime.options import EnvOptions
from corps.security.keys import new_key_pair
from corps.transport.link import Transport
from corps.transport.unix.transport import UnixTransport
from corps.transport.zeromq.transport import ZmqTransport
from corps.wire.frames import Hello
from corps.workers.corps import Corps


def start_env(
    corps_id: str,
    env_id: int,
    options: EnvOptions,
    source: Source,
    runtime_dir: str,
    *,
    application: type[Corps] | None = None,
    generation: int = 0,
) -> tuple[Env, Member]:
    """Put the Env of this process together, and let it read; return it with its record for the others.

    `application` is the class of the Corps that may be started here; None in the booting process.
    """
    incarnation = secrets.token_hex(16)
    boots_itself = source.is_main and env_id == BOOT_ENV
    transport, public_key = _make_transport(corps_id, env_id, incarnation, options, runtime_dir)
    try:
        env = build_env(
            corps_id,
            env_id,
            options,
            transport,
            code=CodeNames(
                resolve_module=ModuleFinder(source),
                main_alias=source.module if boots_itself else None,
                has_of_main=MainNames(sys.modules["__main__"], Path(source.path)) if boots_itself else bool,
                everywhere=source.module,
                identities=source.identities,
            ),
            application=application,
            travels=() if application is None else application.travels,
            generation=generation,
            incarnation=incarnation,
            journals=runtime_dir,
        )
        me = Member(env_id, incarnation, transport.endpoint, public_key, generation)
        if isinstance(env.border, CorpsBorder):
            env.border.be(me)
    except BaseException:
        transport.close()
        raise
    try:
        env.start_reading()
    except BaseException:
        env.close(0.0)
        raise
    return env, me


def _make_transport(
    corps_id: str, env_id: int, incarnation: str, options: EnvOptions, runtime_dir: str
) -> tuple[Transport, str]:
    """Make an Env's end of all its links, and its public key. `runtime_dir` is for the socket files.

    The key is empty inside the host: the kernel vouches for peers.
    """
    hello = Hello(corps_id, env_id, incarnation)
    if options.transport == "unix":
        unix = UnixTransport(
            hello,
            runtime_dir=runtime_dir,
            shared=options.shared_memory_bytes,
            kept=options.shared_memory_kept,
            handshake_timeout=options.handshake_timeout,
        )
        return unix, ""
    if options.transport == "ipc":
        return ZmqTransport(hello, runtime_dir=runtime_dir, handshake_timeout=options.handshake_timeout), ""
    keys = new_key_pair()
    first, last = options.tcp_ports
    transport = ZmqTransport(
        hello,
        runtime_dir=None,
        listening=Listening(read_host(options.tcp_host), range(first, last + 1)),
        keys=keys,
        max_frame=options.max_message,
        handshake_timeout=options.handshake_timeout,
    )
    return transport, keys.public
