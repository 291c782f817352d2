"""What shows that a Corps has handed out a Name: unguessable bytes, made of a secret of all its processes.

Pure. Nothing is kept for a Name that goes out, and each Env can judge what comes in for its own workers.
"""

import hmac
import secrets
from typing import Final

CAPABILITY_SIZE: Final = 16  # bytes

_MOST_KNOWN: Final = 1024

_SECRET_SIZE: Final = 32


def new_secret() -> bytes:
    """Return a fresh secret for one Corps. It stands in no file, argument or environment variable."""
    return secrets.token_bytes(_SECRET_SIZE)


def capability_of(secret: bytes, env: int, conc: int) -> bytes:
    """Return the capability of the worker with these ids."""
    return hmac.digest(secret, f"{env}/{conc}".encode(), "sha256")[:CAPABILITY_SIZE]


def is_capability(secret: bytes, env: int, conc: int, shown: object) -> bool:
    """Return whether what was shown is the capability of a worker. It takes as long for a wrong one."""
    return isinstance(shown, bytes) and hmac.compare_digest(shown, capability_of(secret, env, conc))


class Capabilities:
    """Judges what one peer shows for the workers of an Env, and remembers what was right. One thread."""

    def __init__(self, secret: bytes, env: int) -> None:
        self._secret = secret
        self._env = env
        self._right: dict[int, bytes] = {}  # by worker. To compute one takes 1.7 µs

    def are_right(self, conc: int, shown: object) -> bool:
        """Return whether what was shown is the capability of a worker."""
        right = self._right.get(conc)
        if right is not None:
            return isinstance(shown, bytes) and hmac.compare_digest(shown, right)
        if not is_capability(self._secret, self._env, conc, shown):
            return False
        if len(self._right) >= _MOST_KNOWN:
            self._right.clear()
        self._right[conc] = capability_of(self._secret, self._env, conc)
        return True
