"""The stacks of a process that hangs: it writes them itself, below the interpreter, at a signal.

`faulthandler` writes them without the GIL, so a call into C that never gives that back hides nothing. Then
the signal ends the process. So its end says that the stacks are complete, and no other process has to guess.
"""

import faulthandler
import signal
from typing import Final

DUMP_SIGNAL: Final = signal.SIGRTMAX - 5
"""Has a process write its stacks, and end. A signal without a meaning of its own."""


def dump_stacks_at_signal() -> None:
    """Have DUMP_SIGNAL write the stacks of all threads to stderr. The main thread of an Env only."""
    signal.signal(DUMP_SIGNAL, signal.SIG_DFL)  # what follows the dump
    faulthandler.register(DUMP_SIGNAL, file=2, all_threads=True, chain=True)
