"""What shows that a Corps has handed out a Name: unguessable bytes, made of a secret of all its processes.

Pure. Nothing is kept for a Name that goes out, and each Env can judge what comes in for its own workers.
"""

import hmac
import secrets
from typing import Final

CAPABILITY_SIZE: Final = 16  # bytes

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
