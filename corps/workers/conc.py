"""The Conc: a worker written as a class."""

import socket
from typing import TYPE_CHECKING, Any, ClassVar, Final, NoReturn

from corps.errors import ContextError, PackError
from corps.messages.endings import Ended
from corps.messages.interfaces import Interface
from corps.messages.outcomes import Outcome
from corps.messages.requests import Request
from corps.supervision.restarts import Restart, Strategy
from corps.workers.interface import interface_of
from corps.workers.steps import steps_of

if TYPE_CHECKING:
    from typing import Self

    from corps.runtime.cells.cell import Cell
    from corps.workers.names import Name

_OFFERED: Final = frozenset(
    {"my_name", "my_self", "my_mgr", "my_corps", "my_tag", "my_class", "my_host", "my_children"}
)


class Conc:
    """A worker (an actor): subclass it, and create workers of your class with `corps.create`.

    A Conc runs one request at a time, in the order in which each sender sent them. Its public methods can
    be called through its Name, its public data attributes read and set. ``super().__init__()`` need not be
    called. ``async def`` methods run on the event loop of the Env; a method that yields gives the caller
    an iterator that pulls.

    Inside one Env arguments and results are handed over as they are: both sides then have the same object.

    Attributes:
        restart: What is to be done when a worker of the class fails: a `corps.Restart`. None: it ends.
        strategy: Which of the workers that it created are restarted with one that failed: ``"one_for_one"``,
            ``"one_for_all"``, or ``"rest_for_one"``, which means it and those created after it.
        fails_on: Exceptions that mean that a worker of the class has failed, when a method raises them. Its
            caller gets them like others. `corps.Fail`, MemoryError and SystemExit always mean that.
        keep_every: Seconds between two states that `keep_state` is asked for at least; 0: after every
            request.
        interleave: Whether further ``async def`` methods of a worker may begin while one of them awaits:
            True, or how many may be under way at once. Plain methods always run alone.
    """

    restart: ClassVar[Restart | None] = None
    strategy: ClassVar[Strategy] = "one_for_one"
    fails_on: ClassVar[tuple[type[BaseException], ...]] = ()
    keep_every: ClassVar[float] = 1.0
    interleave: ClassVar[bool | int] = False

    _corps_interface: ClassVar[Interface]
    _corps_steps: ClassVar[frozenset[str]] = frozenset()
    _corps_declared: ClassVar[frozenset[str]] = frozenset()
    _corps_keeps_state: ClassVar[bool] = False
    _corps_cell: "Cell"

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Decide what of the class may be called from afar.

        Raises:
            DefinitionError: The class uses a name that belongs to Names, has a step or hook that cannot be
                called as such, or what it declares has a bad value.
        """
        super().__init_subclass__(**kwargs)
        cls._corps_steps = steps_of(cls, Conc)
        cls._corps_interface = interface_of(cls, Conc, _OFFERED, cls._corps_steps, cls._corps_declared)
        cls._corps_keeps_state = cls.keep_state is not Conc.keep_state

    # --- who I am: in the worker itself, and through its Name but for my_env ---

    def my_name(self) -> "Name[Self]":
        """The Name of this worker, to be passed to others."""
        name: Name[Self] = self._corps_own_cell().name
        return name

    def my_self(self) -> "Name[Self]":
        """The Name of this worker, to ask itself: ``self.my_self().method()`` is queued like any request."""
        return self.my_name()

    def my_mgr(self) -> "Name[Any]":
        """The Name of the worker that created this one."""
        name: Name[Any] = self._corps_own_cell().mgr
        return name

    def my_corps(self) -> "Name[Any]":
        """The Name of the Corps that this worker belongs to."""
        cell = self._corps_own_cell()
        name: Name[Any] = cell.corps_name if cell.corps_name is not None else cell.env.corps_name
        return name

    def my_env(self) -> int:
        """The id of the Env in which this worker lives."""
        env: int = self._corps_own_cell().env.id
        return env

    def my_tag(self) -> str:
        """The tag that was given when this worker was created; empty if none was."""
        return self._corps_own_cell().tag

    def my_class(self) -> type:
        """The class of this worker."""
        return type(self)

    def my_host(self) -> str:
        """The name of the host on which this worker lives."""
        return socket.gethostname()

    def my_children(self) -> "list[Name[Any]]":
        """The Names of the workers that this one created and that have not ended, oldest first."""
        return self._corps_own_cell().family.children()

    def _corps_own_cell(self) -> "Cell":
        cell: Cell | None = object.__getattribute__(self, "__dict__").get("_corps_cell")
        if cell is None:
            raise ContextError(
                f"this {type(self).__qualname__} was made by calling its class: only a worker that "
                "corps.create has made knows a Name, a Mgr, an Env"
            )
        return cell

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        """Refused: a worker stays where it is, and what travels is its Name.

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
        """The loop of a worker that wants a thread of its own: override it, and call `receive` in it.

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
        """Whether this worker was asked to end, and has no request left to receive.

        For a `main` that calls `receive` with a timeout, and so cannot tell by its None.

        Raises:
            ContextError: The class has no `main` of its own.
        """
        return self._corps_own_cell().own_main().exiting

    def handle(self, request: Request) -> None:
        """Steps 2 to 5, for a `main` that has received a request: run it, and settle it.

        Its arguments and its result are let go of then, though `main` may still hold the request.

        Args:
            request: From `receive`.

        Raises:
            ContextError: The class has no `main` of its own.
        """
        self._corps_own_cell().own_main().handle(request)

    def before(self, request: Request) -> None:
        """Step 2: look at a request before it is run, or change its arguments.

        Args:
            request: About to be run. What this raises is the outcome of the request.
        """

    def process(self, request: Request) -> Any:
        """Step 3: run the request: call the method, read or set the attribute.

        Args:
            request: To be run.

        Returns:
            What the method returned; for an ``async def`` method its coroutine.
        """
        return self._corps_own_cell().performer.invoke(request)

    def after(self, request: Request, outcome: Outcome) -> Outcome | None:
        """Step 4: look at the outcome.

        Args:
            request: Was run.
            outcome: How it ended.

        Returns:
            Another outcome to give in its place, or None to leave it.
        """

    def reply(self, request: Request, outcome: Outcome) -> None:
        """Step 5: give the outcome to the caller. What is not settled after this step is settled then.

        Args:
            request: Was run.
            outcome: How it ended.
        """
        request.settle(outcome)

    # --- failing, and coming back ---

    def before_restart(self, error: BaseException | None) -> None:
        """Called when this incarnation has failed, before the next one is constructed.

        Not if its process has died. The workers that it created have ended.

        Args:
            error: What a method raised; None if it failed in another way.
        """

    def keep_state(self) -> Any:
        """Override it to have the next incarnation begin with what this one knew.

        Called after requests, in the worker's turn, at the pace of `keep_every`, if the worker may be
        restarted. What it returns is packed at once and kept outside the Env: it survives the death of the
        process. With ``keep_every = 0`` it is kept before the answer of each request leaves.

        Returns:
            Whatever can be packed; handed to `after_restart`.
        """

    def after_restart(self, state: Any) -> None:
        """Called on the next incarnation, after its constructor and before its first request.

        Args:
            state: What `keep_state` has returned last; None if there is nothing.
        """

    def on_ended(self, event: Ended) -> None:
        """Called like a request when an incarnation that this worker watches has ended; see `corps.watch`.

        Args:
            event: Which, and why.
        """

    def cleanup(self) -> None:
        """Called once, when the worker ends in order, after the workers that it created have ended."""


Conc._corps_interface = interface_of(Conc, Conc, _OFFERED, Conc._corps_steps, Conc._corps_declared)
