"""The first process of a Corps: the template. It imports all that Envs need, which takes a while.

So it starts before the booting process imports what it needs itself for the rest of the boot. This file
imports no more than that start takes.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Final

from corps.addresses import FRONT
from corps.clock import now
from corps.launch.corps_end import CorpsEnd
from corps.launch.plan import CorpsPlan
from corps.launchers.launcher import Exit
from corps.launchers.local.processes import ProcessHost
from corps.launchers.local.runtime_dir import make_runtime_dir

_PRELOAD: Final = ("msgpack", "cloudpickle", "asyncio", "corps.launch.child")
"""What the template imports. These are names because this process imports them later."""


@dataclass(frozen=True, slots=True)
class FirstProcess:
    """The template of a Corps that starts, and what the start has to undo if it fails."""

    host: ProcessHost
    exits: SimpleQueue[Exit | None]  # how processes have ended
    began: float  # when the start began
    undo: ExitStack  # what was made later ends first
    undo_late: ExitStack  # after the processes have ended


@contextmanager
def first_process(plan: CorpsPlan, end: CorpsEnd) -> Iterator[FirstProcess]:
    """Start the template, which imports meanwhile. If the block raises, nothing is left running."""
    began = now()
    with ExitStack() as undo:
        undo_late = undo.enter_context(ExitStack())
        exits: SimpleQueue[Exit | None] = SimpleQueue()
        host = ProcessHost(
            make_runtime_dir(),
            preload=_PRELOAD,
            on_exit=exits.put,
            executable=plan.executable,
            stdin_env=None if plan.of_command is None else FRONT,
        )
        undo.callback(host.close, 0.0)
        end.at_kill(lambda: host.close(0.0))
        host.launch()
        yield FirstProcess(host, exits, began, undo, undo_late)
        undo.pop_all()
