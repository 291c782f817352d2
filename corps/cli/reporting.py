"""How commands say what is wrong, and with which exit status they end.

An error of the user shows as words, one of the application as its own traceback. Neither shows frames of
corps.
"""

import sys
from typing import Final

from corps.errors import ConfigError, CorpsError, Remote, RemoteError, remote_of

OK: Final = 0
APPLICATION_ERROR: Final = 1
USAGE_ERROR: Final = 2
BY_SIGNAL: Final = 128
"""The exit status of a command that a signal cut short is this and the number of the signal."""


def complain(text: str, status: int) -> int:
    """Say what is wrong, on stderr, and return the exit status."""
    print(f"corps: {text}", file=sys.stderr)
    return status


def report(error: CorpsError) -> int:
    """Show an error, on stderr, and return the exit status."""
    if isinstance(error, ConfigError):
        return complain(str(error), USAGE_ERROR)
    if isinstance(error, RemoteError):
        remote = remote_of(error) or Remote()
        if isinstance(remote.origin, SystemExit):  # of a generator, or a part of the application
            return exit_status(remote.origin.code)
        print(remote.traceback.rstrip() or remote.summary, file=sys.stderr)
        return APPLICATION_ERROR
    return complain(f"{type(error).__name__}: {error}", APPLICATION_ERROR)


def exit_status(code: object) -> int:
    """Treat what ``run`` gave to `sys.exit` as Python does at the end of a program."""
    if code is None:
        return OK
    if isinstance(code, int):
        return code & 0xFF
    print(code, file=sys.stderr)
    return APPLICATION_ERROR
