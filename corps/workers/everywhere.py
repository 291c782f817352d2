"""Requests to every Env of a Corps."""

from typing import Any, Literal

from corps.addresses import BOOT_ENV, FRONT
from corps.errors import ContextError, DeadlineExceeded, EnvLost, WorkerGone
from corps.exporting import exported
from corps.messages.requests import CALL
from corps.runtime.context import current
from corps.runtime.env import Env
from corps.runtime.this_process import this_process
from corps.runtime.threads.lending import check_reserve


def env_here(what: str) -> Env:
    """Return the Env of the calling code, or the only open one. `what` ends the sentence of the error."""
    check_reserve()
    here = current.get()
    mine: Env | None = None if here is None else here.env
    if here is not None and mine is not None and (here.cell is not None or mine.is_open):
        return mine
    there = this_process.open_envs()
    if len(there) == 1:
        return there[0]
    if there:
        raise ContextError(
            f"several Envs are open in this process, so none of them is meant here {what}: "
            f"{', '.join(map(described, there))}. Use the methods of what `corps.boot` or `corps.env` has "
            "returned, or call this inside its `with` block"
        )
    if mine is not None:
        return mine  # it has closed, and says so when it is asked for something
    raise ContextError(
        f"there is no Env here {what}: call this inside a worker, or while a Corps of `corps.boot(...)` or "
        "an Env of `corps.env()` is open in this process"
    )


def described(env: Env) -> str:
    """Describe an Env with its Corps, for texts."""
    corps = env.corps_name
    of_whom = f"Corps {env.corps_id[:6]}" if corps is None else f"{corps!r}"
    return f"{env.label} of {of_whom}"


def all_envs(env: Env) -> list[int]:
    """Return the ids of all Envs of the Corps, the front and the booting process among them."""
    without_workers = [] if env.peers is None else [FRONT, BOOT_ENV]
    return sorted({*without_workers, env.id, *env.worker_envs})


def resolved(env: Env, place: int | Literal["here", "front"] | None) -> int | None:
    """Return the id of the Env that ``"here"`` or ``"front"`` means to an Env, or another value as it is."""
    if place == "here" or (place in ("front", FRONT) and env.peers is None):
        return env.id
    return FRONT if place == "front" else place


def ask_everywhere(
    env: Env, method: str, *args: Any, envs: list[int] | None = None, timeout: float | None
) -> dict[int, Any]:
    """Ask the EnvMgr of every Env, or of those in `envs`. One that is lost, or late, is missing."""
    places = all_envs(env) if envs is None else envs
    asked = {place: env.ask(CALL, env.manager_of(place), method, args, {}, timeout) for place in places}
    answers = {}
    for place, future in asked.items():
        try:
            answers[place] = future.result()
        except (DeadlineExceeded, EnvLost, WorkerGone):
            continue
    return answers


@exported
def statistics(timeout: float | None = 5.0) -> dict[int, dict[str, Any]]:
    """Return what goes on in each Env of the Corps, and what went wrong so far.

    Call it inside a worker, inside a ``with`` block of an Env, or where the process has one open Env.

    Args:
        timeout: Seconds that the Envs have to answer; None for as long as it takes.

    Returns:
        For the id of each Env what `corps.LocalEnv.statistics` returns of one; -1 is the front, 0 the process
        that booted. An Env that is lost just now, or does not answer in time, is missing.

    Raises:
        ContextError: There is no Env here, or it is not clear which.
        LoopBlocked: Called in a coroutine.
    """
    return ask_everywhere(env_here("to ask for statistics"), "statistics", timeout=timeout)
