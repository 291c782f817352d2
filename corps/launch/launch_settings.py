"""The settings as the start of a Corps or an Env reads them: plain data, mostly made without pydantic.

pydantic and the model of the settings take 90 ms to import, as long as all the rest of corps. Where no file,
no environment variable and no Settings say anything, and what was given as arguments is a simple value, the
settings come from a table of the defaults instead, which a test writes and compares. All else, and every
value that is not allowed, goes to the model, which says what is wrong.
"""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from corps.core import PURE
from corps.launch.autoloading import installed
from corps.launch.default_options import DEFAULTS
from corps.launch.found_settings import file_for, find_settings
from corps.launch.sources import Source
from corps.launch.surroundings import of_envs
from corps.machine import MOST_ENVS, cores, quarter_of_memory
from corps.managers.assembly import env_options
from corps.managers.components import Component, components_of
from corps.runtime.options import EnvOptions
from corps.supervision.restarts import Restart

if TYPE_CHECKING:
    from corps.settings import Settings

_PREFIX: Final = "CORPS_"  # of environment variables that are settings
_TAG: Final = re.compile(r"[A-Za-z0-9._-]{0,64}")

_ENV_RESTART: Final = Restart(max=5, within=60.0)

_ALLOWED: Final[Mapping[str, Callable[[Any], bool]]] = {
    "envs": lambda value: type(value) is int and 1 <= value <= MOST_ENVS,
    "tag": lambda value: type(value) is str and _TAG.fullmatch(value) is not None,
    "external": lambda value: type(value) is bool,
    "threads.max": lambda value: type(value) is int and 1 <= value <= 10_000,
}
"""The arguments that need no model, and which values of them are surely allowed."""


@dataclass(frozen=True, slots=True)
class LaunchSettings:
    """What the start reads of the settings; `corps.settings` explains each. The defaults are those there."""

    options: EnvOptions
    envs: int
    tag: str = ""
    external: bool = False
    boot_timeout: float = 30.0
    finish_timeout: float = 0.0
    env_restart: Restart = _ENV_RESTART
    beat: tuple[float, float, float | None] = (1.0, 3.0, 10.0)  # every, suspect, dead
    components: tuple[Component, ...] = ()  # in the order in which they start
    of_envs: tuple[list[Any], ...] = ()  # what single Envs have, as `Start.of_envs`


def launch_settings(
    config: "str | Path | Mapping[str, Any] | Settings | None" = None,
    given: Mapping[str, Any] | None = None,
    *,
    source: Source | None = None,
    texts: Mapping[str, str] | None = None,
) -> LaunchSettings:
    """Find the settings that hold in this process; the arguments are those of `find_settings`.

    Raises:
        ConfigError: A setting is unknown or has a bad value, or a component has.
    """
    given = {key: value for key, value in (given or {}).items() if value is not None}
    is_named = bool(config) or not isinstance(config, Mapping | None) or bool(texts)
    is_simple = not is_named and all(map(_is_simple, given, given.values()))
    if is_simple and not _in_environment() and file_for(source) is None:
        return _defaults_with(given)
    return _from_model(find_settings(config, given, source=source, texts=texts).settings)


def _in_environment() -> bool:
    return any(name.startswith(_PREFIX) and name != PURE for name in os.environ)


def _is_simple(key: str, value: Any) -> bool:
    return key in _ALLOWED and _ALLOWED[key](value)


def _defaults_with(given: Mapping[str, Any]) -> LaunchSettings:
    given = dict(given)
    options = EnvOptions(**DEFAULTS, shared_memory_bytes=quarter_of_memory())
    if (most := given.pop("threads.max", None)) is not None:
        options = replace(options, threads_max=most)
    return LaunchSettings(options, given.pop("envs", None) or cores(), **given)


def _from_model(settings: "Settings") -> LaunchSettings:
    beat, env_restart = settings.beat, settings.env_restart
    return LaunchSettings(
        env_options(settings),
        settings.envs,
        settings.tag,
        settings.external,
        settings.boot_timeout,
        settings.finish_timeout,
        Restart(max=env_restart.max, within=env_restart.within),
        (beat.every, beat.suspect, beat.dead),
        tuple(components_of(settings.autoload, installed)),
        tuple(of_envs(settings)),
    )
