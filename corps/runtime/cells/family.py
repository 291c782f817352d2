"""The workers that one worker created: they end before it, and it hears of their ends."""

from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple, Protocol

from corps.addresses import ConcAddr
from corps.clock import now
from corps.messages.endings import Failure
from corps.runtime.cells.records import Record
from corps.runtime.cells.supervising import Supervising

if TYPE_CHECKING:
    from corps.messages.interfaces import WorkerName
    from corps.runtime.cells.cell import Cell


class ChildEnd(NamedTuple):
    """What a Mgr hears of a child. Plain data, so that it can travel."""

    incarnation: int  # of it, which has ended
    failure: Failure | None  # None if it has ended in order, or of itself
    is_halted: bool  # its cell is still there, and waits to be started again
    ago: float = 0.0  # seconds that it took to end after it had failed


class ChildGroup(Protocol):
    """A group of children: `corps.workers.replicas.Replicas`."""

    def env_came(self, env_id: int) -> None:
        """Fill the group in an Env that was added."""

    def env_left(self, env_id: int) -> None:
        """Forget an Env that is removed, or will not come back."""


class Family:
    """The children of one worker. Thread-safe."""

    __slots__ = (
        "_cell",
        "_children",
        "_closed",
        "_early",
        "_is_strict",
        "_lock",
        "_supervising",
        "groups",
        "on_end",
    )

    def __init__(self, cell: "Cell") -> None:
        self._cell = cell
        self._is_strict = cell.strategy != "one_for_one"  # failures of one child concern others
        self._lock = Lock()  # protects everything below
        self._children: dict[ConcAddr, WorkerName] = {}
        self._early: dict[ConcAddr, ChildEnd] = {}  # ends that were reported before the adoption
        self._closed = False
        self._supervising: Supervising | None = None
        # Called after a child has ended for good, with its failure if it had one, by the thread that reports
        # it.
        self.on_end: Callable[[ConcAddr, Failure | None], object] | None = None
        self.groups: tuple[ChildGroup, ...] = ()  # of so many children in each Env; replaced as a whole

    def adopt(self, child: ConcAddr, name: "WorkerName", record: Record | None = None) -> bool:
        """Remember a new worker; False if the children end already, so that the caller has to end it."""
        with self._lock:
            if self._closed:
                return False
            self._children[child] = name
            if self._supervising is None and (record is not None or self._is_strict):
                self._supervising = Supervising(self._cell, self.disown)
            if self._supervising is not None:
                self._supervising.add(child, record)
            early = self._early.pop(child, None)
        if early is not None:  # its end was faster than the answer with its Name
            self.child_ended(child, early)
        return True

    def child_ended(self, child: ConcAddr, end: ChildEnd) -> None:
        """Decide what follows on the end of an incarnation of a child."""
        with self._lock:
            is_known = child in self._children
            if not is_known:
                self._early[child] = end
            supervising = self._supervising
        if not is_known:
            return
        if end.failure is None:
            self.disown(child)
        elif supervising is not None:
            supervising.failed(
                child, end.incarnation, end.failure, is_halted=end.is_halted, failed_at=now() - end.ago
            )
        else:
            self.disown(child, end.failure)
            if end.failure.is_final:
                self._cell.env.lives.escalate(self._cell, end.failure)

    def env_lost(self, env: int, failure: Failure, *, returns: bool) -> None:
        """Decide what follows for all children in an Env whose process has died."""
        with self._lock:
            gone = [child for child in self._children if child.env == env]
        for child in gone:
            self.child_lost(child, failure, returns=returns)

    def child_lost(self, child: ConcAddr, failure: Failure, *, returns: bool) -> None:
        """Decide what follows for a child whose process has died. `returns`: its Env gets another one."""
        with self._lock:
            supervising = self._supervising
        if supervising is not None and returns:
            supervising.lost(child, failure)
        else:
            self.disown(child, failure)

    def away(self) -> list[ConcAddr]:
        """Return the children that are to be started again, and whose start was not answered yet."""
        with self._lock:
            supervising = self._supervising
        return supervising.away() if supervising is not None else []

    def disown(self, child: ConcAddr, failure: Failure | None = None) -> None:
        """Forget a worker that has ended for good, after this failure if it had one."""
        with self._lock:
            known = self._children.pop(child, None)
            supervising = self._supervising
        if supervising is not None:
            supervising.remove(child)
        if known is not None:
            self._cell.env.parts.tell(lambda part: part.worker_gone(child))
            if self.on_end is not None:
                self.on_end(child, failure)

    def has(self, child: ConcAddr) -> bool:
        """Return whether a worker is one of those that have not ended."""
        return child in self._children

    def add_group(self, group: ChildGroup) -> None:
        """Let a group of children hear of Envs that come and go."""
        with self._lock:
            self.groups = (*self.groups, group)

    def remove_group(self, group: ChildGroup) -> None:
        """Let a group hear of nothing any more."""
        with self._lock:
            self.groups = tuple(each for each in self.groups if each is not group)

    def children(self) -> "list[WorkerName]":
        """Return the Names of those that have not ended, oldest first."""
        with self._lock:
            return list(self._children.values())

    def close_in_turns(self) -> list[list[ConcAddr]]:
        """As `close`, a list for each class: the class whose first worker is the newest comes first."""
        self.close()
        turns: dict[str, list[ConcAddr]] = {}
        with self._lock:
            for child, name in self._children.items():
                turns.setdefault(name._interface.class_name, []).append(child)
        return [turn[::-1] for turn in reversed(turns.values())]

    def close(self) -> list[ConcAddr]:
        """Return those that have not ended, newest first. There will be no more."""
        with self._lock:
            self._closed = True
            supervising = self._supervising
            children = list(reversed(self._children))
        if supervising is not None:
            supervising.close()
        return children
