"""The state of one worker, kept outside its Env while it works: what its next incarnation is handed.

A worker whose class overrides `keep_state`, and may be restarted, is asked for its state after requests, at
the pace that its class wants. The state is packed in the worker's own Env. The booting process keeps the
bytes. If the worker lives in that process, or its Env is alone, the Env itself keeps them.
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

PackedState = tuple[int, bytes]  # a codec and packed bytes


class KeptStates:
    """The last state of each worker that keeps one. Thread-safe."""

    def __init__(self) -> None:
        self._lock = Lock()  # protects _states
        self._states: dict[ConcAddr, tuple[int, PackedState]] = {}

    def keep(self, worker: ConcAddr, incarnation: int, state: PackedState) -> None:
        """Keep a packed state in place of the one before. That of a former incarnation comes too late."""
        with self._lock:
            known = self._states.get(worker)
            if known is None or known[0] <= incarnation:
                self._states[worker] = incarnation, state

    def kept(self, worker: ConcAddr, incarnation: int) -> PackedState | None:
        """Return the last state of a worker, for the incarnation that begins; None if none was kept."""
        # What former incarnations keep from now on comes too late.
        with self._lock:
            known = self._states.get(worker)
            if known is not None:
                self._states[worker] = incarnation, known[1]
        return None if known is None else known[1]

    def forget(self, worker: ConcAddr) -> None:
        """Forget the state of a worker that has ended for good."""
        with self._lock:
            self._states.pop(worker, None)


def keeps_state(cls: type) -> bool:
    """Return whether a class of workers overrides `keep_state`."""
    keeps: bool = getattr(cls, "_corps_keeps_state", False)
    return keeps


class Keeping:
    """Has the state of one worker kept. Owner of the cell only, but for `ring`."""

    __slots__ = ("_cell", "_due", "_is_asked", "_pace")

    def __init__(self, cell: "Cell", pace: float) -> None:
        """Keep a state every `pace` seconds at most; with 0 after every request, before its answer."""
        self._cell = cell
        self._pace = pace
        self._due = 0.0  # when the next state may be kept
        self._is_asked = False  # a KEEP is on its way

    def ran(self) -> None:
        """Note that the worker has run a request, which is about to be answered."""
        if self._pace == 0:
            self.keep()
        elif not self._is_asked:
            self._is_asked = True
            self._cell.env.alarms.at(max(now(), self._due), self.ring)

    def ring(self) -> None:
        """Ask for the state, in the worker's turn. Called by the thread of the alarms."""
        cell = self._cell
        promise = NoAnswer(f"keeping the state of {cell}")
        cell.put_first(Request(KEEP, cell.addr, "keep_state", (), {}, promise))

    def keep(self) -> None:
        """Ask the worker for its state, and have that kept."""
        cell = self._cell
        self._is_asked = False
        self._due = now() + self._pace
        try:
            state = cell.env.upper.pack(hook(cell.performer.worker, "keep_state")())
            if keeper := _keeper(cell):
                args = (cell.addr, cell.incarnation, state)
                cell.env.dispatch(cell.env.one_way(CALL, keeper, "keep", args, {}))
            else:
                cell.env.lives.kept.keep(cell.addr, cell.incarnation, state)
        except Exception:  # of the author's code: the request was run all the same, and the last state stays
            _log.exception("the state of %s could not be kept", cell)


def _keeper(cell: "Cell") -> ConcAddr | None:
    """Return the worker that keeps the state of another one; None for its own Env."""
    addr = cell.addr
    return None if addr.env == BOOT_ENV else ConcAddr(addr.corps, BOOT_ENV, CORPS_MGR)


def kept_state(cell: "Cell") -> Any:
    """Return the state that the former incarnation of a worker has kept last, if any. It may wait."""
    keeper = _keeper(cell)
    if keeper is None:
        state = cell.env.lives.kept.kept(cell.addr, cell.incarnation)
    else:
        state = cell.env.ask(CALL, keeper, "kept", (cell.addr, cell.incarnation), {}).result()
    return None if state is None else cell.env.upper.unpack(state)


def forget_state(cell: "Cell") -> None:
    """Have the state of a worker forgotten that has ended for good. Thread-safe."""
    keeper = _keeper(cell)
    if keeper is None:
        cell.env.lives.kept.forget(cell.addr)
    elif not cell.env.closed:
        try:  # it wants an answer, so that nothing is logged if the booting process ends too
            cell.env.ask(CALL, keeper, "forget", (cell.addr,), {})
        except CorpsError as error:
            _log.debug("the state of %s is kept for nothing: %s", cell, error)
