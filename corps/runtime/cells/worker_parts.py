"""Who a worker is inside its Env, and what belongs to it. What it does is in `runtime.cell`."""

from typing import Any

from corps.addresses import ConcAddr
from corps.errors import WorkerGone
from corps.messages.endings import Ended
from corps.messages.interfaces import Interface
from corps.runtime.cells.ending import Ending
from corps.runtime.cells.family import Family
from corps.runtime.cells.mailbox import Mailbox
from corps.runtime.cells.records import Record
from corps.runtime.cells.watchers import Watchers


class WorkerParts:
    """The identity of a worker and its parts. Any thread may use them.

    Attributes:
        env: The Env it lives in.
        addr: Its address.
        interface: What may be called.
        tag: The author's own mark.
        mgr: Name of the worker that created it.
        mgr_addr: Address of that worker; None for the managers, which nobody created.
        corps_name: Name of the Corps it belongs to.
        name: Its Name.
        incarnation: How often it was started; changed while nobody runs it.
        record: How to construct it again; None if it is never restarted. Set before it runs.
        mailbox: The requests that wait for it.
        watchers: Those who want to hear of the end of its incarnation; None if nobody ever did.
    """

    __slots__ = (
        "_ending",
        "_family",
        "addr",
        "corps_name",
        "env",
        "incarnation",
        "interface",
        "mailbox",
        "mgr",
        "mgr_addr",
        "name",
        "record",
        "tag",
        "watchers",
    )

    def __init__(
        self,
        env: Any,
        addr: ConcAddr,
        interface: Interface,
        tag: str,
        mailbox: int,
        mgr: Any,
        mgr_addr: ConcAddr | None,
        corps_name: Any,
    ) -> None:
        """Make it without a worker in it.

        Args:
            env: The Env it lives in.
            addr: Its address.
            interface: What may be called.
            tag: The author's own mark.
            mailbox: How many requests may wait.
            mgr: Name of the worker that creates this one.
            mgr_addr: Address of that worker.
            corps_name: Name of the Corps it belongs to.
        """
        self.env = env
        self.addr = addr
        self.interface = interface
        self.tag = tag
        self.mgr = mgr
        self.mgr_addr = mgr_addr
        self.corps_name = corps_name
        self.name: Any = None
        self.incarnation = 1
        self.record: Record | None = None
        # Its lock protects the parts below, too.
        self.mailbox = Mailbox(mailbox)
        self._family: Family | None = None
        self._ending: Ending | None = None
        self.watchers: Watchers | None = None

    def __str__(self) -> str:
        return f"{self.interface.short_name} {self.addr}"

    @property
    def family(self) -> Family:
        """Its children. Made for the first one: most workers have none, and it takes 440 bytes."""
        made = self._family or Family(self)  # not under the lock: it may start a garbage collection
        with self.mailbox.lock:
            self._family = self._family or made
        return self._family

    @property
    def has_family(self) -> bool:
        """Whether it has, or had, children."""
        return self._family is not None

    def new_family(self) -> None:
        """The children have ended, and the next incarnation will have others. By who has the cell."""
        with self.mailbox.lock:
            self._family = None

    @property
    def ending(self) -> Ending:
        """How it ends. Made when it begins to: it takes 230 bytes."""
        made = self._ending or Ending(self)
        with self.mailbox.lock:
            self._ending = self._ending or made
        return self._ending

    @property
    def step(self) -> tuple[str, float] | None:
        """The author's code that its end runs, and since when; None before and after that."""
        return self._ending.step if self._ending is not None else None

    @property
    def ended(self) -> Ended | None:
        """How it ended for good, or was abandoned; None if it has not."""
        return self._ending.ended if self._ending is not None else None

    def watched_by(self) -> Watchers:
        """Those who watch it, made for the first one."""
        made = self.watchers or Watchers(self)
        with self.mailbox.lock:
            self.watchers = self.watchers or made
        return self.watchers

    def gone(self, executed: str, incarnation: int = 0) -> WorkerGone:
        """The error for a request that this worker, which has ended, cannot run, or cannot finish.

        Args:
            executed: Of the request.
            incarnation: The former one that it was for; 0 for the present one.
        """
        who = f"incarnation {incarnation} of {self}" if incarnation else str(self)
        return WorkerGone(
            f"{who} has ended",
            executed=executed,
            target=str(self),
            incarnation=incarnation or self.incarnation,
        )
