"""The settings of what is launched, found late.

pydantic, on which the settings stand, takes 65 ms to import, and all the rest of corps 100. So it is imported
when somebody wants settings: not with corps, never in a template or an Env, and in `corps.boot` while the
template imports the rest.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from corps.config import LoadedSettings
    from corps.settings import Settings


def find_settings(
    config: "str | Path | Mapping[str, Any] | Settings | None",
    overrides: Mapping[str, Any],
    *,
    directory: Path | None = None,
) -> "LoadedSettings":
    """The settings that hold in this process.

    Args:
        config: As for `corps.boot`.
        overrides: Arguments, stronger than those in `config`. What is None was not given.
        directory: Where to look for a file; None looks nowhere.

    Returns:
        The settings, with the source of each.

    Raises:
        ConfigError: As `corps.config.load_settings`.
    """
    from corps.config import load_settings

    given = {key: value for key, value in overrides.items() if value is not None}
    return load_settings(config, directory=directory, environ=os.environ, overrides=given)
