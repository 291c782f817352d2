"""What the runtime at hand can heal, and how to ask for it: the only place that knows.

A storm runs on a runtime without restarts too: then what a fault has ended stays ended, which is told to the
judge, and the return of the throughput (I12) is not judged.
"""

import importlib
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from corps.errors import CorpsError
from corps.workers.factory import Options, options

F = TypeVar("F", bound=Callable[..., Any])


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
    policy = importlib.import_module("corps.supervision.restarts").Restart
    make: Callable[..., Options] = options
    return make(env=env, restart=policy("permanent", max=1_000_000, within=1.0, backoff=(0.05, 0.5)))


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
    policy = importlib.import_module("corps.supervision.restarts").Restart
    make: Callable[..., Options] = options
    return make(env=env, deadline=deadline, restart=policy("temporary"))


def ended_incarnation(error: BaseException) -> int | None:
    """Which incarnation an error says has ended.

    Args:
        error: What a Future raised.

    Returns:
        Its number, as the runtime counts; None if the error does not say.
    """
    number = getattr(error, "incarnation", None) if isinstance(error, CorpsError) else None
    return number if isinstance(number, int) else None
