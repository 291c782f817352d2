"""CURVE key pairs. One for each incarnation of an Env, made when it starts, never written to a file.

ZeroMQ is imported where a pair is made or judged: a Corps whose links are UNIX sockets needs none of it.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A CURVE key pair, Z85 encoded."""

    public: str  # may be known to all
    secret: str = field(repr=False)  # left out of `repr`, so that no log shows it


def new_key_pair() -> KeyPair:
    """Return a fresh key pair from libsodium's random source; raise RuntimeError if libzmq has no CURVE."""
    import zmq

    if not zmq.has("curve"):
        raise RuntimeError(
            "the installed libzmq has no CURVE, so `tcp` cannot be used: install the pyzmq wheel from PyPI"
        )
    public, secret = zmq.curve_keypair()
    return KeyPair(public.decode(), secret.decode())
