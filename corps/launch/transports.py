"""Chooses the links of an Env by its options."""

from corps.runtime.options import EnvOptions
from corps.security.keys import new_key_pair
from corps.transport.link import Transport
from corps.transport.unix.transport import UnixTransport
from corps.transport.zeromq.transport import ZmqTransport
from corps.wire.frames import Hello


def make_transport(
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
        host=options.tcp_host,
        ports=list(range(first, last + 1)),
        keys=keys,
        max_frame=options.max_message,
        handshake_timeout=options.handshake_timeout,
    )
    return transport, keys.public
