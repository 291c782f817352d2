"""A Corps in the supervision tree of the worker that has booted it.

The Corps has a booting process of its own. A worker of the runtime stands for it below its Mgr, in the Env of
that, and ends it in `cleanup`. So the Corps ends when any child of the Mgr would. When the Corps has ended by
itself, the worker ends or fails as the Corps object did.

Where that worker has no time for its `cleanup`, because it was killed, or its Env ends without more ado,
the `EndedWith` of the Env has the Corps end. If the process of the Env dies, the booting process sees it.
"""

import logging
from threading import Thread
from typing import TYPE_CHECKING, Any, Final

from corps.launch.apart.process import BootingProcess
from corps.launch.connecting import ConnectedName
from corps.messages.endings import ORDERLY, Failure
from corps.runtime.cells import halting
from corps.workers.conc import Conc
from corps.workers.ended_with import EndedWith

if TYPE_CHECKING:
    from corps.runtime.cells.cell import Cell

_log = logging.getLogger("corps.launch")

_SHARE: Final = 0.7  # of the time that a `cleanup` may take
_KILLED: Final = 2.0  # seconds for a process to be gone that was killed


class CorpsKeeper(Conc):
    """Stands for a Corps below the worker that has had it booted."""

    def __init__(self, process: BootingProcess, name: ConnectedName[Any]) -> None:
        """Keep a Corps that is up."""
        cell = self._corps_own_cell()
        self._patience = cell.env.options.exit_timeout * _SHARE
        self._process = process
        self._name = name
        self._is_ending = False
        cell.env.parts.get(EndedWith).add(cell.addr, process.end)
        label = cell.env.label
        self._follower = Thread(target=self._follow, args=(cell,), name=f"{label}-keeps", daemon=True)
        self._follower.start()

    def cleanup(self) -> None:
        """End the Corps in order, and wait for that. One that takes too long is killed."""
        self._is_ending = True
        self._process.end()
        self._follower.join(self._patience)
        if self._follower.is_alive():
            text = "%s does not end within %.3g s, which is a part of exit_timeout: it is killed"
            _log.warning(text, self._name, self._patience)
            self._process.kill()
            self._follower.join(_KILLED)
        self._name._end()

    def _follow(self, cell: "Cell") -> None:
        """Wait for the end of the Corps, and have this worker end as it did. In a thread of its own."""
        over = self._process.wait_over()
        if self._is_ending or cell.ended is not None:
            return
        if over.reason in ORDERLY:
            cell.env.exit(cell.addr)
        else:
            text = f"the Corps {self._name._interface.short_name} that it had booted has ended: {over.text}"
            halting.fail(cell, Failure(over.reason, text, is_final=over.is_final))
