"""What a storm asks the runtime to bring back."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from corps.supervision.restarts import Restart
from corps.workers.factory import Options, options

_LIMIT: Final = "CORPS_ENV_RESTART__MAX"


def lasting(env: int) -> Options:
    """Return options for a worker that lives through the whole storm, however often it is hit."""
    return options(env=env, restart=Restart(max=1_000_000, within=1.0, backoff=(0.05, 0.5)))


def fleeting(env: int, deadline: float) -> Options:
    """Return options for a worker that does one thing, within a deadline, and is not restarted."""
    return options(env=env, deadline=deadline, restart=Restart("temporary"))


@contextmanager
def unlimited() -> Iterator[None]:
    """Have a Corps that is booted meanwhile start its Envs again as often as it takes.

    A storm kills more often than a limit that suits daily life allows. The limit is raised by an environment
    variable, so the configuration of an application stays in force. One that is set already stays.
    """
    if _LIMIT in os.environ:
        yield
        return
    os.environ[_LIMIT] = "1000000"
    try:
        yield
    finally:
        del os.environ[_LIMIT]
