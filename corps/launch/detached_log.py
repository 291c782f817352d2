"""The log file of a Corps with a life of its own: what all its processes print."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from corps.errors import ConfigError, NotFound
from corps.federation.registry import checked, registry_of_user

_SHOWN: Final = 256 * 1024  # bytes of a log at most that are shown after a start that failed


def check_free(tag: str) -> None:
    """Raise NameTaken before a log is opened that another Corps writes to. The boot looks once more."""
    with suppress(NotFound):
        registry_of_user().entry(tag).check_free()


def log_of(tag: str, given: Path | None) -> Path:
    """Return the path of the log file of a Corps, as its user has `given` it or where it is by default.

    Raises:
        ConfigError: The user has no home.
    """
    if given is not None:
        return given.absolute()
    state = os.environ.get("XDG_STATE_HOME", "")
    try:
        above = Path(state) if os.path.isabs(state) else Path("~/.local/state").expanduser()
    except RuntimeError as error:
        raise ConfigError(f"there is no place for a log file: {error}; --log names one") from error
    return above / "corps" / f"{checked(tag)}.log"


def open_log(tag: str, given: Path | None) -> tuple[str, int]:
    """Open the log file of a Corps to append to it; return its path, and a descriptor.

    Raises:
        ConfigError: It cannot be written.
    """
    path = log_of(tag, given)
    try:
        if path == log_of(tag, None):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC
        log = os.open(path, flags, 0o600)
    except OSError as error:
        raise ConfigError(
            f"the log file {path} cannot be written: {error}; --log names another one"
        ) from error
    os.set_blocking(log, True)
    return str(path), log


def log_since(path: str, began: int) -> str:
    """Return what has been written to a log after its first `began` bytes, or the end of that."""
    with suppress(OSError), open(path, "rb") as file:
        file.seek(max(began, os.fstat(file.fileno()).st_size - _SHOWN))
        return file.read(_SHOWN).decode("utf-8", "replace")
    return ""
