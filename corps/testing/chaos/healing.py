"""What the runtime at hand can heal, and how to ask for it: the only place that knows.

A storm runs on a runtime without restarts too: then what a fault has ended stays ended, which is told to the
judge, and the return of the throughput (I12) is not judged.
"""

import importlib
import inspect
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from corps.workers.factory import Options, options

_RESTARTS: Final = "corps.supervision.restarts"
_LIMIT: Final = "CORPS_ENV_RESTART__MAX"


def heals() -> bool:
    """Whether Envs and workers that have failed are started again.

    Returns:
        Whether `corps.options` takes ``restart``.
    """
    return "restart" in inspect.signature(options).parameters


def lasting(env: int) -> Options:
    """How to create a worker that is to be there for the whole storm, however often it is hit.

    Args:
        env: Where.

    Returns:
        Options to create it with.
    """
    if not heals():
        return options(env=env)
    make: Callable[..., Options] = options
    return make(env=env, restart=_policy("permanent", max=1_000_000, within=1.0, backoff=(0.05, 0.5)))


def fleeting(env: int, deadline: float) -> Options:
    """How to create a worker that does one thing and is never started again.

    Args:
        env: Where.
        deadline: Seconds for its creation, and for each of its requests.

    Returns:
        Options to create it with.
    """
    if not heals():
        return options(env=env, deadline=deadline)
    make: Callable[..., Options] = options
    return make(env=env, deadline=deadline, restart=_policy("temporary"))


def _policy(policy: str, **fields: Any) -> Any:
    # By name, for here is the one place that has to run without that file as well.
    return importlib.import_module(_RESTARTS).Restart(policy, **fields)


@contextmanager
def unlimited() -> Iterator[None]:
    """Have a Corps that is booted meanwhile start its Envs again as often as it takes.

    A storm kills more often than a limit that suits daily life allows. The limit is raised by an environment
    variable, so the configuration of an application stays in force. One that is set already stays.
    """
    from corps.settings import Settings

    if "env_restart" not in Settings.model_fields or _LIMIT in os.environ:
        yield
        return
    os.environ[_LIMIT] = "1000000"
    try:
        yield
    finally:
        del os.environ[_LIMIT]
