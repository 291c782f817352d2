"""Chooses the links of an Env by its settings."""

from corps.security.keys import new_key_pair
from corps.settings import Settings
from corps.transport.link import Transport
from corps.transport.unix_transport import UnixTransport
from corps.transport.zmq_transport import ZmqTransport
from corps.wire.frames import Hello


def make_transport(
    corps_id: str, env_id: int, incarnation: str, settings: Settings, runtime_dir: str
) -> tuple[Transport, str]:
    """Make an Env's end of all its links.

    Args:
        corps_id: The Corps it belongs to.
        env_id: Its own id there.
        incarnation: Its incarnation.
        settings: Say over what.
        runtime_dir: For the socket files.

    Returns:
        The transport, and the public key of the Env; empty inside the host: the kernel vouches for peers.

    Raises:
        EnvStartError: It cannot listen (a port is taken, a path cannot be bound), or libzmq is too old.
    """
    hello = Hello(corps_id, env_id, incarnation)
    if settings.transport == "unix":
        return UnixTransport(hello, runtime_dir=runtime_dir), ""
    if settings.transport == "ipc":
        return ZmqTransport(hello, runtime_dir=runtime_dir, handshake_timeout=settings.handshake_timeout), ""
    keys = new_key_pair()
    transport = ZmqTransport(
        hello,
        runtime_dir=None,
        host=settings.tcp.host,
        ports=list(settings.tcp.port_range()),
        keys=keys,
        max_frame=settings.max_message,
        handshake_timeout=settings.handshake_timeout,
    )
    return transport, keys.public
