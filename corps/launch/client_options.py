"""The options of the Env of a script that has none: mostly the defaults, without pydantic.

A script that connects, and `corps call` above all, ends soon. To import the model of the settings would take
a quarter of the time of a call from a shell. So where no environment variable is a setting, the options come
from a table of the defaults, which a test writes and compares.
"""

import os
from collections.abc import Mapping
from typing import Final

from corps.launch.default_options import DEFAULTS
from corps.launch.found_settings import find_settings
from corps.managers.assembly import env_options
from corps.runtime.options import EnvOptions

_PREFIX: Final = "CORPS_"  # of environment variables that are settings
_LEAST_SHARED: Final = 1024 * 1024


def client_options(environ: Mapping[str, str]) -> EnvOptions:
    """Return the options that hold in this process, where no file is looked for.

    Raises:
        ConfigError: A setting is unknown or has a bad value.
    """
    if any(name.startswith(_PREFIX) for name in environ):
        return env_options(find_settings(None, {}).settings)
    return EnvOptions(**DEFAULTS, shared_memory_bytes=_quarter_of_memory())


def _quarter_of_memory() -> int:
    return max(_LEAST_SHARED, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 4)
