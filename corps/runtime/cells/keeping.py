"""The state of one worker, kept outside its Env while it works: what its next incarnation is handed.

A worker whose class overrides `keep_state`, and may be restarted, is asked for its state after requests, at
the pace that its class wants. What it returns is packed in its own Env and kept, as bytes, in the booting
process; that of a worker of that very process, or of an Env that is alone, in the Env itself.
"""

import logging
from threading import Lock
from typing import TYPE_CHECKING, Any

from corps.addresses import BOOT_ENV, CORPS_MGR, ConcAddr
from corps.clock import now
from corps.errors import CorpsError
from corps.messages.promises import NoAnswer
from corps.messages.requests import CALL, KEEP, Request
from corps.runtime.cells.hooks import hook

if TYPE_CHECKING:
    from corps.runtime.cells.cell import Cell

_log = logging.getLogger("corps.workers")

Kept = tuple[int, bytes]
"""A codec and packed bytes."""


class KeptStates:
    """The last state of each worker that keeps one. Any thread may call."""

    def __init__(self) -> None:
        self._lock = Lock()  # protects _states
        self._states: dict[ConcAddr, tuple[int, Kept]] = {}

    def keep(self, worker: ConcAddr, incarnation: int, state: Kept) -> None:
        """Keep a state in place of the one before.

        Args:
            worker: Whose.
            incarnation: Which of its incarnations it is of. Former ones come too late.
            state: Packed.
        """
        with self._lock:
            known = self._states.get(worker)
            if known is None or known[0] <= incarnation:
                self._states[worker] = incarnation, state

    def kept(self, worker: ConcAddr, incarnation: int) -> Kept | None:
        """The last state of a worker; None if none was kept. What former incarnations keep now is too late.

        Args:
            worker: Whose.
            incarnation: Which one begins with it.
        """
        with self._lock:
            known = self._states.get(worker)
            if known is not None:
                self._states[worker] = incarnation, known[1]
        return None if known is None else known[1]

    def forget(self, worker: ConcAddr) -> None:
        """A worker has ended for good."""
        with self._lock:
            self._states.pop(worker, None)


def keeps_state(cls: type) -> bool:
    """Whether a class of workers overrides `keep_state`."""
    keeps: bool = getattr(cls, "_corps_keeps_state", False)
    return keeps


class Keeping:
    """Has the state of one worker kept. For who has its cell, but for `ring`."""

    __slots__ = ("_cell", "_due", "_is_asked", "_pace")

    def __init__(self, cell: "Cell", pace: float) -> None:
        """Nothing was kept yet.

        Args:
            cell: Of the worker.
            pace: Seconds between two states at least; 0 to keep one after every request, before its answer.
        """
        self._cell = cell
        self._pace = pace
        self._due = 0.0  # when the next state may be kept
        self._is_asked = False  # a KEEP is on its way

    def ran(self) -> None:
        """The worker has run a request, which is about to be answered."""
        if self._pace == 0:
            self.keep()
        elif not self._is_asked:
            self._is_asked = True
            self._cell.env.alarms.at(max(now(), self._due), self.ring)

    def ring(self) -> None:
        """It is time to ask for the state, in the worker's turn. In the alarm thread."""
        cell = self._cell
        promise = NoAnswer(f"keeping the state of {cell}")
        cell.put_first(Request(KEEP, cell.addr, "keep_state", (), {}, promise))

    def keep(self) -> None:
        """Ask the worker for its state, and have that kept."""
        cell = self._cell
        self._is_asked = False
        self._due = now() + self._pace
        try:
            state = cell.env.pack(hook(cell.performer.worker, "keep_state")())
            if keeper := _keeper(cell):
                args = (cell.addr, cell.incarnation, state)
                cell.env.dispatch(cell.env.one_way(CALL, keeper, "keep", args, {}))
            else:
                cell.env.lives.kept.keep(cell.addr, cell.incarnation, state)
        except Exception:  # of the author's code: the request was run all the same, and the last state stays
            _log.exception("the state of %s could not be kept", cell)


def _keeper(cell: "Cell") -> ConcAddr | None:
    """Who keeps the state of a worker; None: its own Env."""
    addr: ConcAddr = cell.addr
    return None if addr.env == BOOT_ENV else ConcAddr(addr.corps, BOOT_ENV, CORPS_MGR)


def kept_state(cell: "Cell") -> Any:
    """The state that the former incarnation of a worker has kept last; None if there is none.

    Args:
        cell: Of the worker. The calling thread may wait.

    Raises:
        CorpsError: It cannot be had, or not be unpacked.
    """
    keeper = _keeper(cell)
    if keeper is None:
        state = cell.env.lives.kept.kept(cell.addr, cell.incarnation)
    else:
        state = cell.env.ask(CALL, keeper, "kept", (cell.addr, cell.incarnation), {}).result()
    return None if state is None else cell.env.unpack(state)


def forget_state(cell: "Cell") -> None:
    """A worker has ended for good: its state is not needed any more. Any thread."""
    keeper = _keeper(cell)
    if keeper is None:
        cell.env.lives.kept.forget(cell.addr)
    elif not cell.env.closed:
        try:  # asked, not told: if the booting process ends too, its refusal is nothing to log
            cell.env.ask(CALL, keeper, "forget", (cell.addr,), {})
        except CorpsError as error:
            _log.debug("the state of %s is kept for nothing: %s", cell, error)
