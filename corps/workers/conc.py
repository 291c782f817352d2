"""The Conc: a worker written as a class."""

import inspect
import socket
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any, ClassVar, Final, NoReturn

from corps.addresses import BOOT_ENV, CORPS_MGR, ENV_DIR
from corps.errors import ContextError, PackError
from corps.exporting import exported
from corps.messages.env_event import EnvEvent
from corps.messages.interfaces import Interface
from corps.messages.outcomes import Outcome
from corps.messages.requests import Request
from corps.runtime.cells.aside import Aside
from corps.runtime.options import WhenFull
from corps.supervision.restarts import Restart, Strategy
from corps.workers.interface import interface_of
from corps.workers.kept_names import as_name
from corps.workers.names import Name
from corps.workers.routing import named_parameters
from corps.workers.steps import starts, steps_of
from corps.workers.timers import Timers, TimersSide

if TYPE_CHECKING:
    from typing import Self

    from corps.runtime.cells.cell import Cell
    from corps.runtime.cells.records import Record
    from corps.workers.watching import Ended

OFFERED: Final = frozenset(
    {
        "my_name",
        "my_self",
        "my_mgr",
        "my_corps",
        "my_tag",
        "my_class",
        "my_host",
        "my_children",
        "my_dir",
        "my_ext_name",
    }
)


@exported
class Conc:
    """A worker (an actor): subclass it, and create workers of your class with `corps.create`.

    A Conc runs one request at a time, in the order in which each sender sent them. Through its Name others
    call its public methods, and read and set its public data attributes. A subclass need not call
    ``super().__init__()``. ``async def`` methods run on the event loop of the Env. For a method that yields
    the caller gets an iterator that pulls items.

    What the constructor cannot await is for ``async def start(self) -> None``, if the class has that: it runs
    after the constructor and before the first request, and what it raises fails the creation.

    Inside one Env arguments and results are handed over as they are, so both sides have the same object.

    Attributes:
        restart: Whether and how a worker of the class comes back when it fails: a `corps.Restart`. None: it
            ends.
        strategy: Which of the workers that it created are restarted with one that failed: ``"one_for_one"``,
            ``"one_for_all"``, or ``"rest_for_one"``, which means it and those created after it.
        fails_on: Exceptions that fail the worker when a method raises them. The caller gets them like others.
            `corps.Fail`, MemoryError and SystemExit always mean that.
        keep_every: Seconds that pass at least between two calls of `keep_state`; 0 calls it after every
            request.
        interleave: Whether further ``async def`` methods of a worker may begin while one of them awaits:
            True, or how many may be under way at once. Plain methods always run alone.
        when_full: What becomes of requests for which the mailbox has no room: ``"wait"``, ``"raise"`` or
            ``"drop_oldest"``, as `corps.options` says.
        public: Whether Corps of other owners may call all methods of the class, as if each were marked
            `corps.public`.
    """

    restart: ClassVar[Restart | None] = None
    strategy: ClassVar[Strategy] = "one_for_one"
    fails_on: ClassVar[tuple[type[BaseException], ...]] = ()
    keep_every: ClassVar[float] = 1.0
    interleave: ClassVar[bool | int] = False
    when_full: ClassVar[WhenFull] = "wait"
    public: ClassVar[bool] = False

    _corps_interface: ClassVar[Interface]
    _corps_steps: ClassVar[frozenset[str]] = frozenset()
    _corps_declared: ClassVar[frozenset[str]] = frozenset()
    _corps_keeps_state: ClassVar[bool] = False
    _corps_starts: ClassVar[bool] = False
    _corps_cell: "Cell"

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Decide what of the class may be called from afar.

        Raises:
            DefinitionError: The class uses a name that belongs to Names, has a step or hook that cannot be
                called as such, or what it declares has a bad value.
        """
        super().__init_subclass__(**kwargs)
        cls._corps_steps = cls._corps_find_steps()
        cls._corps_starts = cls._corps_find_start()
        declared = cls._corps_declared | ({"start"} if cls._corps_starts else set())
        cls._corps_interface = interface_of(cls, Conc, OFFERED, cls._corps_steps, declared)
        cls._corps_keeps_state = cls.keep_state is not Conc.keep_state

    @classmethod
    def _corps_find_steps(cls) -> frozenset[str]:
        return steps_of(cls, Conc)

    @classmethod
    def _corps_find_start(cls) -> bool:
        return starts(cls)

    @classmethod
    def _corps_interface_of(cls, record: "Record") -> Interface:
        """Return the interface of a worker of this class."""
        return cls._corps_interface

    @classmethod
    def _corps_parameters(cls, record: "Record") -> dict[str, list[str]]:
        """Return the names of the parameters of each method of a worker of this class."""
        own = [name for name in cls._corps_interface.methods if name not in OFFERED]
        raws = {name: inspect.getattr_static(cls, name) for name in own}
        return {
            name: named_parameters(getattr(raw, "__func__", raw), is_bound=not isinstance(raw, staticmethod))
            for name, raw in raws.items()
        }

    # --- who I am: in the worker itself, and through its Name but for my_env and my_turn_given_up ---

    def my_name(self) -> "Name[Self]":
        """Return the Name of this worker, to pass it to others."""
        return as_name(self._corps_own_cell().name)

    def my_self(self) -> "Name[Self]":
        """Return the Name of this worker, to ask itself: ``self.my_self().method()`` is a request."""
        return self.my_name()

    def my_mgr(self) -> "Name[Any]":
        """Return the Name of the worker that created this one."""
        mgr = self._corps_own_cell().mgr
        assert mgr is not None  # only the runtime's own workers have none
        return as_name(mgr)

    def my_corps(self) -> "Name[Any]":
        """Return the Name of the Corps that this worker belongs to."""
        cell = self._corps_own_cell()
        name = cell.corps_name if cell.corps_name is not None else cell.env.corps_name
        assert name is not None
        return as_name(name)

    def my_ext_name(self) -> "Name[Any]":
        """Return the Name of the front of this Corps as other Corps use it, also from a file.

        Returns:
            The Name of the object of the Corps that was booted. It equals any other Name of it. A worker that
            stores it with `corps.store` lets other programs of this user load it.

        Raises:
            ContextError: No Corps was booted here, or its object is being constructed in another Env.
            PackError: Nothing of this Corps can be reached from outside.
        """
        cell = self._corps_own_cell()
        front = cell.env.corps_name
        if front is None and cell.mgr_addr is not None and cell.mgr_addr[1:] == (BOOT_ENV, CORPS_MGR):
            front = cell.name  # it is the Corps object
        if front is None:
            raise ContextError(f"{cell} belongs to no Corps that was booted, or that has started already")
        name = as_name(front)
        return Name(cell.env.address_abroad(name._addr), name._interface, cell.env)

    def my_dir(self) -> "Name[Any]":
        """Return the Name of the `corps.Dir` of this worker's Env; it finds what the Corps has, too."""
        cell = self._corps_own_cell()
        return as_name(cell.env.services.name_of(ENV_DIR))

    def my_timer(self) -> "Timers":
        """Return the timers of this worker. What they set belongs to this worker, in any thread."""
        cell = self._corps_own_cell()
        return Timers(cell.env.parts.get(TimersSide), cell)

    def my_env(self) -> int:
        """Return the id of the Env in which this worker lives."""
        return self._corps_own_cell().env.id

    def my_tag(self) -> str:
        """Return the tag that this worker was created with; empty if there was none."""
        return self._corps_own_cell().tag

    def my_class(self) -> type:
        """Return the class of this worker."""
        return type(self)

    def my_host(self) -> str:
        """Return the name of the host on which this worker lives."""
        return socket.gethostname()

    def my_turn_given_up(self) -> Aside:
        """Let other requests begin while an ``async def`` method waits, by ``async with`` around that.

        Inside the block they run as if this request were over. Behind the block it has its turn again, as
        soon as what runs then lets it, and before all that waits. The worker may have changed meanwhile.

        Raises:
            ContextError: When the block is entered: not in an ``async def`` method that the worker runs, or
                in such a block.
        """
        return Aside(self._corps_own_cell())

    def my_children(self) -> "list[Name[Any]]":
        """Return the Names of the workers that this one created and that have not ended, oldest first."""
        return [as_name(child) for child in self._corps_own_cell().family.children()]

    def _corps_own_cell(self) -> "Cell":
        cell: Cell | None = object.__getattribute__(self, "__dict__").get("_corps_cell")
        if cell is None:
            raise ContextError(
                f"this {type(self).__qualname__} was made by calling its class: only a worker that "
                "corps.create has made knows a Name, a Mgr, an Env"
            )
        return cell

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        """Refuse to pack: a worker stays where it is, and its Name travels.

        Raises:
            PackError: Always.
        """
        raise PackError(
            f"a worker itself cannot be packed (here a {type(self).__qualname__}): pass its Name, "
            "self.my_name(), in its place"
        )

    # --- the steps of a request: override what you need. A method of such a name whose parameters are named
    # otherwise is not the step but the author's own.

    def main(self) -> None:
        """Run the loop of a worker with a thread of its own: override it, and call `receive` in it.

        When it returns, the worker ends. `receive` gives None when the worker is to end.
        """
        while (request := self.receive()) is not None:
            self.handle(request)

    def receive(self, timeout: float | None = None) -> Request | None:
        """Step 1, in a class that overrides `main`: wait for the next request.

        Args:
            timeout: Seconds to wait; None for as long as it takes.

        Returns:
            The request; None if the worker is to end, or nothing came in time.

        Raises:
            ContextError: The class has no `main` of its own.
        """
        return self._corps_own_cell().own_main().receive(timeout)

    def is_ending(self) -> bool:
        """Return whether this worker was asked to end, and has no request left to receive.

        A `main` that calls `receive` with a timeout asks this, because None may mean that nothing came.

        Raises:
            ContextError: The class has no `main` of its own.
        """
        return self._corps_own_cell().own_main().exiting

    def handle(self, request: Request) -> None:
        """Do steps 2 to 5, in a `main` that has received a request: run it, and settle it.

        It lets go of the arguments and the result then, though `main` may still hold the request.

        Args:
            request: From `receive`.

        Raises:
            ContextError: The class has no `main` of its own.
        """
        self._corps_own_cell().own_main().handle(request)

    def before(self, request: Request) -> None:
        """Step 2: look at a request before it is run, or change its arguments.

        Args:
            request: The request. What this method raises is its outcome.
        """

    def process(self, request: Request) -> Any:
        """Step 3: run the request: call the method, read or set the attribute.

        Args:
            request: The request.

        Returns:
            What the method returned; for an ``async def`` method its coroutine.
        """
        return self._corps_own_cell().performer.invoke(request)

    def after(self, request: Request, outcome: Outcome) -> Outcome | None:
        """Step 4: look at the outcome.

        Args:
            request: The request, which was run.
            outcome: How it ended.

        Returns:
            Another outcome to give in its place, or None to leave it.
        """

    def reply(self, request: Request, outcome: Outcome) -> None:
        """Step 5: give the outcome to the caller. The runtime settles what this step leaves unsettled.

        Args:
            request: The request, which was run.
            outcome: How it ended.
        """
        request.settle(outcome)

    # --- failing, and coming back ---

    def before_restart(self, error: BaseException | None) -> Awaitable[None] | None:
        """Do something when this incarnation has failed, before the next one is constructed.

        The workers that it created have ended. If its process has died, the runtime cannot call this. It may
        be a coroutine function.

        Args:
            error: What a method raised; None if it failed in another way.
        """
        return None

    def keep_state(self) -> Any:
        """Override it so that the next incarnation begins with what this one knew.

        The runtime calls it after requests, in the worker's turn, at the pace of `keep_every`, if the worker
        may be restarted. It packs the result at once and keeps it outside the Env, so it survives the death
        of the process. With ``keep_every = 0`` it does so before the answer of each request leaves.

        Returns:
            The state: anything that can be packed. `after_restart` of the next incarnation gets it.
        """

    def after_restart(self, state: Any) -> None:
        """Take over the state, in the next incarnation: after its constructor, before its first request.

        Args:
            state: What `keep_state` has returned last; None if there is nothing.
        """

    def on_ended(self, event: "Ended") -> None:
        """Do something when an incarnation that this worker watches has ended; see `corps.watch`.

        The runtime calls it like a request.

        Args:
            event: Which incarnation, and why it ended.
        """

    def on_dir_change(self, event: Any) -> None:
        """Do something when there is a change in the Dirs that this worker watches; see `corps.watch_dir`.

        The runtime calls it like a request.

        Args:
            event: A `corps.Entered`, `corps.Left` or `corps.Changed`.
        """

    def on_env_event(self, event: EnvEvent) -> None:
        """Do something when an Env of the Corps was added, lost, replaced or removed.

        The runtime calls it like a request, from the constructor on; see `corps.env_events`.

        Args:
            event: What has happened to which Env.
        """

    def cleanup(self) -> Awaitable[None] | None:
        """Clean up, once, when the worker ends in order. The workers that it created have ended already.

        It may be a coroutine function.
        """
        return None


Conc._corps_interface = interface_of(Conc, Conc, OFFERED, Conc._corps_steps, Conc._corps_declared)
