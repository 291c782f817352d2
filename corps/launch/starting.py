"""Starting the Env of this process: its links, and what runs on them."""

import logging
import secrets
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from corps.addresses import BOOT_ENV, FRONT
from corps.endpoints import Listening, read_host, read_listening, read_place
from corps.federation.border import CorpsBorder
from corps.federation.keyring import FollowedKeyRing, KeyRingFiles, make_first_key
from corps.launch.host_side import HostSide
from corps.launch.loading import ModuleFinder
from corps.launch.main_names import MainNames
from corps.launch.sources import Source
from corps.managers.assembly import CodeNames, build_env
from corps.messages.members import Member
from corps.runtime.env import Env
from corps.runtime.options import EnvOptions
from corps.security.border_keys import BorderKeys
from corps.security.key_ring import fingerprint
from corps.security.keys import new_key_pair
from corps.transport.bordered import BorderedTransport
from corps.transport.link import Transport
from corps.transport.two_ends import TwoEnds
from corps.transport.unix.transport import UnixTransport
from corps.wire.frames import Hello
from corps.workers.corps import Corps

if TYPE_CHECKING:
    from corps.transport.zeromq.transport import ZmqTransport

_log = logging.getLogger("corps.launch")


def start_env(
    corps_id: str,
    env_id: int,
    options: EnvOptions,
    source: Source,
    runtime_dir: str,
    *,
    application: type[Corps] | None = None,
    generation: int = 0,
    host: HostSide | None = None,
) -> tuple[Env, Member]:
    """Put the Env of this process together, and let it read; return it with its record for the others.

    `application` is the class of the Corps that may be started here; None in the booting process. `host` is
    where it is, if the Corps has several.
    """
    incarnation = secrets.token_hex(16)
    boots_itself = source.is_main and env_id == BOOT_ENV
    transport, public_key = _make_transport(corps_id, env_id, incarnation, options, runtime_dir, host)
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
        if isinstance(transport, TwoEnds) and transport.outer is not None:
            outer = transport.outer
            me = replace(me, public_key=outer.public_key, outside=outer.outside)
        if host is not None:
            me = replace(me, host=host.name)
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
    corps_id: str,
    env_id: int,
    incarnation: str,
    options: EnvOptions,
    runtime_dir: str,
    host: HostSide | None,
) -> tuple[Transport, str]:
    """Make an Env's end of all its links, and its public key. `runtime_dir` is for the socket files.

    The key is empty inside the host: the kernel vouches for peers.
    """
    hello = Hello(corps_id, env_id, incarnation)
    if host is not None:
        return _make_hosted(hello, options, runtime_dir, host)
    if options.transport == "unix":
        return make_bordered(hello, options, runtime_dir), ""
    from corps.transport.zeromq.transport import ZmqTransport

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


def _make_hosted(
    hello: Hello, options: EnvOptions, runtime_dir: str, host: HostSide
) -> tuple[Transport, str]:
    """Make an Env's links by UNIX sockets on its host, and over `tcp` to others; return its public key."""
    from corps.transport.hosted import HostedTransport
    from corps.transport.zeromq.transport import ZmqTransport

    inner = _make_inner(hello, options, runtime_dir)
    try:
        first, *also = host.listening()
        keys = new_key_pair()
        outer = ZmqTransport(
            hello,
            runtime_dir=None,
            listening=first,
            also=also,
            keys=keys,
            max_frame=options.max_message,
            handshake_timeout=options.handshake_timeout,
            audit=inner.audit,
        )
    except BaseException:
        inner.close()
        raise
    return HostedTransport(inner, outer, host.name), keys.public


def _make_inner(hello: Hello, options: EnvOptions, runtime_dir: str) -> UnixTransport:
    return UnixTransport(
        hello,
        runtime_dir=runtime_dir,
        shared=options.shared_memory_bytes,
        kept=options.shared_memory_kept,
        handshake_timeout=options.handshake_timeout,
    )


def make_bordered(hello: Hello, options: EnvOptions, runtime_dir: str) -> BorderedTransport:
    """Make an Env's links by UNIX sockets, and over `tcp` across the border as far as that is needed.

    An Env of an external Corps listens over `tcp` from now on if the settings name hosts.

    Raises:
        EnvStartError: It cannot listen.
        KeyRingError, Damaged, NewerFormat: The key ring of this user cannot be used.
    """
    inner = _make_inner(hello, options, runtime_dir)
    files = KeyRingFiles()
    keys = BorderKeys(FollowedKeyRing(files).ring, lambda: _begin_ring(files))
    named = _listening(options, hello.env) if options.border_secret else []

    def open_outer(source: str) -> "ZmqTransport":
        from corps.transport.zeromq.transport import ZmqTransport

        first, *also = named or [Listening(source)]
        return ZmqTransport(
            hello,
            runtime_dir=None,
            listening=first,
            also=also,
            keys=keys.pair(),
            border=keys,
            max_frame=options.max_message,
            handshake_timeout=options.handshake_timeout,
            silence=options.listen_silence,
            audit=inner.audit,
        )

    transport = BorderedTransport(inner, keys, open_outer)
    try:
        if named:
            transport.open()
    except BaseException:
        transport.close()
        raise
    return transport


def _listening(options: EnvOptions, env_id: int) -> list[Listening]:
    """Read where an Env of an external Corps listens. The port that is named is that of the front."""
    ports, advertise = options.listen_port, options.listen_advertise
    if env_id != FRONT:
        ports = options.listen_ports
        advertise = read_place(advertise)[0] if advertise is not None else None
    return [
        read_listening(host, ports, advertise, allow_wildcard=options.listen_allow_wildcard, where="listen")
        for host in options.listen_hosts
    ]


def _begin_ring(files: KeyRingFiles) -> None:
    """Make the first key of this user, if there is none that counts."""
    made = make_first_key(files)
    if made is not None:
        _log.warning(
            "made the first key of this user: %r, fingerprint %s, in %s; `corps keys list` shows it",
            made.name,
            fingerprint(made.public),
            files.path,
        )
