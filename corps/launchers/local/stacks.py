"""The stacks of a process that hangs: written by itself, below the interpreter, at a signal.

`faulthandler` writes them without the GIL, so a call into C that never gives that back hides nothing. The
signal then ends the process as if nobody had handled it: so what it wrote is complete, and nobody has to
guess how long that takes.
"""

import faulthandler
import signal
from typing import Final

DUMP_SIGNAL: Final = signal.SIGRTMAX - 5
"""Has a process write its stacks, and end. One of those signals that mean nothing to anybody."""


def dump_stacks_at_signal() -> None:
    """From now on DUMP_SIGNAL writes the stacks of all threads to stderr. In the main thread of an Env."""
    signal.signal(DUMP_SIGNAL, signal.SIG_DFL)  # what follows the dump
    faulthandler.register(DUMP_SIGNAL, file=2, all_threads=True, chain=True)
