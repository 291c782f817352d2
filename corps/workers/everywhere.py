"""Asking every Env of a Corps the same."""

from typing import Any

from corps.addresses import FRONT_ENV
from corps.errors import ContextError, DeadlineExceeded, EnvLost, WorkerGone
from corps.messages.requests import CALL
from corps.runtime.context import current
from corps.runtime.env import Env


def env_here(what: str) -> Env:
    """The Env of the calling code.

    Args:
        what: What it is wanted for, as the end of a sentence.

    Raises:
        ContextError: There is none.
    """
    here = current.get()
    if here is None or here.env is None:
        raise ContextError(
            f"there is no Env here {what}: call this inside a worker, or inside `with corps.boot(...)` or "
            "`with corps.env()`; start a thread of your own with `contextvars.copy_context().run` to have "
            "the Env there too"
        )
    env: Env = here.env
    return env


def all_envs(env: Env) -> list[int]:
    """Ids of all Envs of the Corps, the booting process among them.

    Args:
        env: One of them.
    """
    front = [] if env.peers is None else [FRONT_ENV]
    return sorted({*front, env.id, *env.worker_envs})


def ask_everywhere(
    env: Env, method: str, *args: Any, envs: list[int] | None = None, timeout: float | None
) -> dict[int, Any]:
    """Ask the EnvMgr of every Env.

    Args:
        env: The Env that asks.
        method: What.
        *args: Its arguments.
        envs: Ids of those to ask; None for all.
        timeout: Seconds for the answers; None for as long as it takes.

    Returns:
        The answers, by the id of the Env. An Env that is lost, or gives none in time, is missing.

    Raises:
        LoopBlocked: Called in a coroutine, or in a callback.
    """
    places = all_envs(env) if envs is None else envs
    asked = {place: env.ask(CALL, env.manager_of(place), method, args, {}, timeout) for place in places}
    answers = {}
    for place, future in asked.items():
        try:
            answers[place] = future.result()
        except (DeadlineExceeded, EnvLost, WorkerGone):
            continue
    return answers


def statistics(timeout: float | None = 5.0) -> dict[int, dict[str, Any]]:
    """What goes on in each Env of the Corps, and what went wrong so far.

    Call it inside a worker, or inside ``with corps.boot(...)`` or ``with corps.env()``.

    Args:
        timeout: Seconds that the Envs have to answer; None for as long as it takes.

    Returns:
        By the id of each Env (0 is the process that booted), what `corps.LocalEnv.statistics` tells of one.
        An Env that is lost just now, or does not answer in time, is missing.

    Raises:
        ContextError: There is no Env here.
        LoopBlocked: Called in a coroutine.
    """
    return ask_everywhere(env_here("to ask for statistics"), "statistics", timeout=timeout)
