"""The settings of what is launched, found late.

pydantic, on which the settings stand, takes 65 ms to import, and all the rest of corps 100. So it is imported
when settings are needed: not with corps, never in a template or an Env, and in `corps.boot` while the
template imports the rest.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from corps.config_files import find_file, read_file
from corps.errors import ConfigError
from corps.launch.sources import Source

if TYPE_CHECKING:
    from corps.config import LoadedSettings
    from corps.host_file import HostFile
    from corps.settings import Settings


def find_settings(
    config: "str | Path | Mapping[str, Any] | Settings | None",
    overrides: Mapping[str, Any],
    *,
    source: Source | None = None,
    texts: Mapping[str, str] | None = None,
) -> "LoadedSettings":
    """Find the settings that hold in this process.

    `config` is as for `corps.boot`, `overrides` are stronger; what is None there was not given. `source` is
    beside what to look for a file, and above; None looks nowhere. `texts` are those of a command line, by
    dotted keys.
    """
    from corps.config import load_settings

    given = {key: value for key, value in overrides.items() if value is not None}
    return load_settings(
        config, directory=_directory(source), environ=os.environ, overrides=given, texts=texts
    )


def file_for(source: Source | None) -> Path | None:
    """Find the configuration file that counts where none is named; None if there is none."""
    return find_file(_directory(source))


def find_executable(
    config: "str | Path | Mapping[str, Any] | Settings | None", source: Source | None
) -> str | None:
    """Find the setting `executable` before the others, because Python starts while these are found.

    Its value is not judged yet; None if no source has one.
    """
    if config is not None and not isinstance(config, str | Path):
        given = config.get("executable") if isinstance(config, Mapping) else config.executable
        if given is not None:
            return str(given)
    if "CORPS_EXECUTABLE" in os.environ:
        return os.environ["CORPS_EXECUTABLE"] or None
    path = Path(config) if isinstance(config, str | Path) else file_for(source)
    found = None if path is None else read_file(path).get("executable")
    return None if found is None else str(found)


def hosts_finder(given: "str | Path | Mapping[str, Any]", envs: int | None) -> "Callable[[], HostFile]":
    """Return what reads the hosts of a Corps, later. `envs` has to be None: the file has their numbers."""

    def find() -> "HostFile":
        from corps.host_file import read_hosts

        if envs is not None:
            raise ConfigError(f"envs={envs!r:.80} with hosts: the hosts say how many Envs each of them gets")
        return read_hosts(given)

    return find


def _directory(source: Source | None) -> Path | None:
    """Give the application's folder; the current one if it is in no file, as in a notebook."""
    if source is None:
        return None
    if source.file:
        return Path(source.file).parent
    return current_folder()


def current_folder() -> Path | None:
    """Give the current folder; None if it is gone."""
    try:
        return Path.cwd()
    except OSError:
        return None
