"""What single Envs have, by the settings: environment variables, priority, cores and labels."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from corps.addresses import FRONT, env_label
from corps.errors import EnvStartError

if TYPE_CHECKING:
    from corps.settings import Settings

_FRONT_KEY: Final = "front"


def of_envs(settings: "Settings") -> list[list[Any]]:
    """List what the settings give to single Envs, as plain data for `Start.of_envs`."""
    return [
        [
            FRONT if key == _FRONT_KEY else int(key),
            dict(each.env),
            each.nice,
            list(each.cpus),
            list(each.labels),
        ]
        for key, each in settings.per_env.items()
    ]


def labels_of(listed: Sequence[list[Any]]) -> dict[int, frozenset[str]]:
    """Return the labels of each Env, from `of_envs`."""
    return {env_id: frozenset(labels) for env_id, _, _, _, labels in listed}


def take_on(env_id: int, listed: Sequence[list[Any]]) -> None:
    """Have this process, which is an Env, be as the settings say. It has one thread: others inherit it.

    Raises:
        EnvStartError: The system does not allow it.
    """
    for each, variables, nice, cpus, _ in listed:
        if each != env_id:
            continue
        os.environ.update(variables)
        key = f"per_env.{_FRONT_KEY if env_id == FRONT else env_id}"
        try:
            if nice is not None:
                os.setpriority(os.PRIO_PROCESS, 0, nice)
        except OSError as error:
            raise EnvStartError(f"{env_label(env_id)} cannot have {key}.nice = {nice}: {error}") from error
        try:
            if cpus:
                os.sched_setaffinity(0, cpus)
        except (OSError, OverflowError, ValueError) as error:
            raise EnvStartError(f"{env_label(env_id)} cannot have {key}.cpus = {cpus}: {error}") from error
