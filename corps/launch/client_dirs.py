"""The runtime directories of scripts that connect to other Corps, and what killed ones have left."""

import contextlib
import os

from corps.launchers.local.runtime_dir import PREFIX, make_runtime_dir, remove_runtime_dir

_MARK = "client"
"""A file in each. A Corps removes its own directory, whatever kills it; a killed script cannot."""


def make_client_dir() -> str:
    """Make a fresh directory, and remove those beside it whose processes are gone."""
    path = make_runtime_dir()
    with open(os.path.join(path, _MARK), "x"):
        pass
    base = os.path.dirname(path)
    with contextlib.suppress(OSError):
        for name in os.listdir(base):
            pid = name.removeprefix(PREFIX).partition("-")[0]
            left = os.path.join(base, name)
            if name.startswith(PREFIX) and pid.isdecimal() and not _is_there(int(pid)) and _is_marked(left):
                remove_runtime_dir(left)
    return path


def _is_marked(path: str) -> bool:
    return os.path.isfile(os.path.join(path, _MARK))


def _is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # of another user; or no process can have it
        return True
    return True
