"""In which Env a worker is created."""

import platform
from collections.abc import Iterable
from typing import Literal, TypeAlias

from corps.addresses import FRONT
from corps.errors import ConfigError, NoSuchEnv
from corps.exporting import exported
from corps.runtime.env import Env
from corps.workers.everywhere import env_here, resolved

Where: TypeAlias = int | Literal["here", "front"] | None
"""An Env's id; the Env of the creator; that of the Corps object; or each Env of the Corps in turn."""


def choose(env: Env, where: Where, label: str | None = None) -> int:
    """Return the id of the Env for the next worker. `label` counts where `where` is None.

    Raises:
        ConfigError: There is no such Env.
        NoSuchEnv: No Env has the label.
    """
    places = env.worker_envs
    if where is None:
        if label is not None:
            places = with_label(env, places, label)
            if not places:
                raise no_env_with(env, label)
        return places[next(env.turns) % len(places)]
    place = resolved(env, where)
    if place not in (*places, env.id, FRONT):
        known = ", ".join(map(str, places))
        raise ConfigError(
            f"env={where!r}: this Corps creates workers in the Envs {known}; or say env='here', or 'front'"
        )
    return place


def label_of(host: str) -> str:
    """Return the label that all Envs on a host have."""
    return f"host={host}"


@exported
def my_host() -> str:
    """Return the name of the host of the calling code.

    Returns:
        The name in the file of the hosts of the Corps; if it has one host, what that calls itself.

    Raises:
        ContextError: There is no Env here, or it is not clear which.
    """
    env = env_here("that is on a host")
    return env.hosts.get(env.id) or platform.node()


def with_label(env: Env, places: Iterable[int], label: str | None) -> list[int]:
    """Return those of some Envs that have a label; all for None."""
    return [place for place in places if label is None or label in env.labels.get(place, ())]


def on_this_host(env: Env, places: Iterable[int]) -> list[int]:
    """Return those of some Envs that are on the same host as this one."""
    here = env.hosts.get(env.id)
    return [place for place in places if env.hosts.get(place) == here]


def labelled(env: Env, label: str | None) -> list[int]:
    """Return the Envs in which workers are created that have a label; all for None.

    Raises:
        NoSuchEnv: None has it.
    """
    places = with_label(env, env.worker_envs, label)
    if not places and label is not None:
        raise no_env_with(env, label)
    return places


def no_env_with(env: Env, label: str) -> NoSuchEnv:
    """Make the error for a label that no Env has, in which workers are created now."""
    known = [
        f"env{place}: {', '.join(sorted(env.labels[place]))}"
        for place in sorted(env.worker_envs)
        if env.labels.get(place)
    ]
    there = "; ".join(known) or "none has any: the settings give labels to Envs, as in [envs.2]"
    return NoSuchEnv(f"no Env of this Corps has the label {label!r} ({there})", label=label)
