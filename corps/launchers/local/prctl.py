"""The two Linux process attributes that the standard library cannot set. Elsewhere both do nothing."""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15


def die_with_parent(parent_pid: int) -> bool:
    """Have the kernel kill this process with SIGKILL when the *thread* that forked it ends.

    So it is safe only where that thread lives as long as its process. False: the parent had ended before.
    """
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGKILL), 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    return os.getppid() == parent_pid


def set_process_name(name: str) -> None:
    """Name this process for `ps -o comm` and `top`. The kernel keeps the first 15 bytes."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_NAME, ctypes.c_char_p(name.encode()), 0, 0, 0)
