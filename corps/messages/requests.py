"""The request: what one worker or thread asks of a worker.

A request is made by its caller, owned by one holder at a time (mailbox, running cell, link), and not
shared after that; only `promise` is safe to touch from several threads.
"""

import concurrent.futures
from collections.abc import Callable
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from corps.addresses import ConcAddr
from corps.clock import now
from corps.core import native
from corps.errors import RequestError
from corps.exporting import exported
from corps.messages.callers import Caller, own_caller
from corps.messages.outcomes import Outcome, Raised, Value, note_time
from corps.messages.promises import Promise, Settled

if TYPE_CHECKING:
    from corps.messages.waits import LinkReaders, Wait

T = TypeVar("T")


class Kind(IntEnum):
    """What a request asks for. Its number is what goes over a link."""

    CALL = 1  # call the method with the arguments
    GET = 2  # read the data attribute `method`
    SET = 3  # set the data attribute `method` to ``args[0]``
    PULL = 4  # give the next item of the generator number ``args[0]``, and make up to ``args[1]`` more ahead
    DROP = 5  # an iterator of the generator number ``args[0]`` was dropped, or has come to an Env
    EXIT = 6  # end the worker in order
    CREATE = 7  # construct the worker, or its next incarnation, before all else. Only its own Env sends it
    HALT = 8  # end this incarnation; the others wait for the next one. Only the worker's own Env sends it
    WATCH = 9  # answer when this incarnation of the worker has ended
    PINNED = 10  # the kind with the number ``args[1]``, for the incarnation ``args[0]`` alone
    TOLD = 11  # call `on_ended` or its like, because something has happened. Only its own Env sends it
    KEEP = 12  # have the worker's state kept. Only its own Env sends it
    AHEAD = 13  # make an item of the generator number ``args[0]`` ahead. Only the worker itself sends it
    STILL = 14  # answer when what the worker runs has ended; begin nothing else. Only its own Env sends it
    BACK = 15  # a coroutine has its turn again, which it had given up. Only the worker itself sends it


# Constants, because Python 3.11 takes 40 ns to find a member in its class. Compare them by `is`: `==` of two
# members costs three times as much.
CALL: Final = Kind.CALL
GET: Final = Kind.GET
SET: Final = Kind.SET
PULL: Final = Kind.PULL
DROP: Final = Kind.DROP
EXIT: Final = Kind.EXIT
CREATE: Final = Kind.CREATE
HALT: Final = Kind.HALT
WATCH: Final = Kind.WATCH
PINNED: Final = Kind.PINNED
TOLD: Final = Kind.TOLD
KEEP: Final = Kind.KEEP
AHEAD: Final = Kind.AHEAD
STILL: Final = Kind.STILL
BACK: Final = Kind.BACK

NEXT: Final = "next"  # method of a PULL
ANEXT: Final = "anext()"  # the same for an asynchronous generator. No method of an author can be called so

REACHING: Final[frozenset[Kind]] = frozenset({CALL, GET, SET})  # kinds of requests for what the author wrote

ASKING: Final[frozenset[Kind]] = REACHING | {PINNED}  # the same, for one incarnation too

EXIT_NOW: Final = "kill"  # method of an EXIT: wait for nothing
EXIT_LAST: Final = "drain"  # method of an EXIT: run first what waits already
EXIT_DOWN: Final = "exit:shutdown"  # method of an EXIT: the Mgr ends. No author's method can be called so

WAITING: Final = 0  # in a mailbox, or on its way there
BEGUN: Final = 1  # taken out of the mailbox to be run
WITHDRAWN: Final = 2  # taken back by its caller: it never begins
AWAY: Final = 3  # begun, and its coroutine has given up its turn


class Helper(Protocol):
    """A thread that waits, as a holder of requests sees it: a `corps.runtime.context.Activity`."""

    depth: int
    pooled: bool


class OfMainThread(Protocol):
    """What does the errands of the main thread: a `corps.runtime.calls.errands.Errands`."""

    main: int | None

    def do(self, function: Callable[..., T], *args: Any) -> T:
        """Call a function in another thread, and wait for it."""


class Route(Protocol):
    """What holds a request that was sent: the cell of its worker, or the peer it was sent to.

    A holder whose requests do not run inherits this, and does nothing where there is nothing to do.
    """

    @property
    def readers(self) -> "LinkReaders | None":
        """What reads the answer from a link, where it comes by one; None for a worker of this Env."""

    @property
    def incarnation(self) -> int:
        """Which incarnation of its worker that is; 0 where it is not known."""

    def take_back(self, request: "Request") -> bool:
        """Keep a request from ever beginning; False if it has begun, or if that is not known here."""

    def ask_back(self, request: "Request") -> None:
        """Ask for the return of a request that has left this Env. It is settled as cancelled then."""
        return

    def is_alive(self, request: "Request") -> bool:
        """Return whether what has to answer still lives, as far as is known here; see `Future.alive`."""
        return True

    def help(self, promise: Promise, here: Helper) -> None:
        """Let the calling thread, which does `here` and waits for the promise, do the work, if it can."""
        return

    def relay(self, request: "Request", answer: "concurrent.futures.Future[Any]") -> None:
        """Settle the request with what a Future gives, when it is there. For the worker that was asked."""
        return

    def withdraw(self, request: "Request") -> None:
        """End gently what can be ended, because the caller has given up and the promise is done."""
        return


class Awaited(Protocol):
    """What a worker waits for, as the search for circles sees it: a `corps.Future`."""

    @property
    def parts(self) -> "tuple[Awaited, ...]":
        """Those that `gather` has joined in this one."""

    @property
    def request(self) -> "Request | None":
        """The request while it is under way, else None."""

    def give_up(self, error: RequestError) -> bool:
        """Settle with an error, and tell the holder of the request; whether this call settled it."""


def caller_of(request: "Request") -> Caller:
    """Return who has sent a request: the owner, unless it has come from another Corps and says so."""
    known: Caller | None = getattr(request, "caller", None)
    if known is not None:
        return known
    return own_caller("" if request.sender is None else request.sender.corps)


@exported
@native
class Request:
    """One request.

    Attributes:
        kind: CALL, GET, ...
        target: The worker it is for.
        method: Name of the method or attribute.
        args, kwargs: The arguments; empty until `open` if they came packed.
        promise: Where the outcome goes.
        sender: The worker that asks; None for a plain thread.
        deadline: Point on this process's monotonic clock; None for none.
        packed: Opens the packed arguments, and what travels with them; None when they are live.
        travelling: Values of its caller's context variables, by name: `runtime.travelling`. None for none.
        route: What holds it now; set when it is sent.
        number: Its number on the link it left by.
        stage: WAITING, BEGUN, WITHDRAWN or AWAY; changed under the lock of the cell that has it.
        behind: The request behind it in the mailbox.
        cancel_run: Ends the coroutine that runs it; None while nothing of that kind runs.
        relayed: The Future of another request whose answer is its own, or those of its arguments before it
            is sent; None if it waits for none.
        wait: What its coroutine waits for, beside others of an interleaving worker; of the WaitGraph.
        sent: When it was sent, on this process's monotonic clock; None if it came from another Env.
        came: When it came from another Env, on this process's monotonic clock; unset if it did not.
        mark: What its log records have in common; unset until the first of them.
        errands: Of the Env that sends it, where the main thread has any.
        caller: Who sends it, of an AHEAD and of what another Corps has sent; else unset: see `caller_of`.
        is_hasty: Where there is no room for it, its sender does not wait; unset for one that waits.
        is_given_up: Its caller wants no outcome any more. Set before its promise is done, for that reason.
        yields: Where there is no room, it takes the place of an older one that yields, and gives up its own.
    """

    __slots__ = (
        "args",
        "behind",
        "caller",
        "came",
        "cancel_run",
        "deadline",
        "errands",
        "is_given_up",
        "is_hasty",
        "kind",
        "kwargs",
        "mark",
        "method",
        "number",
        "packed",
        "promise",
        "relayed",
        "route",
        "sender",
        "sent",
        "stage",
        "target",
        "travelling",
        "wait",
        "yields",
    )

    came: float
    caller: Caller
    is_hasty: bool
    mark: str

    def __init__(
        self,
        kind: Kind,
        target: ConcAddr,
        method: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        promise: Promise,
        sender: ConcAddr | None = None,
        deadline: float | None = None,
        packed: Callable[[], tuple[Any, ...]] | None = None,
    ) -> None:
        self.kind = kind
        self.target = target
        self.method = method
        self.args = args
        self.kwargs = kwargs
        self.promise = promise
        self.sender = sender
        self.deadline = deadline
        self.packed = packed
        self.travelling: dict[str, Any] | None = None
        self.route: Route | None = None
        self.number = 0
        self.stage = WAITING
        self.behind: Request | None = None
        self.cancel_run: Callable[[], object] | None = None
        self.wait: Wait | None = None
        self.relayed: Awaited | None = None
        self.sent: float | None = None
        self.errands: OfMainThread | None = None
        self.is_given_up = False
        self.yields = False

    @property
    def waits_for_room(self) -> bool:
        """Whether its sender waits where there is no room for it."""
        return not getattr(self, "is_hasty", False)

    def open(self) -> None:
        """Unpack the arguments if they came packed. Called in the thread that will use them.

        Raises:
            UnpackError: They cannot be unpacked here.
        """
        if self.packed is not None:
            opened = self.packed()
            if len(opened) == 2:
                self.args, self.kwargs = opened
            else:
                self.args, self.kwargs, self.travelling = opened
            self.packed = None

    def let_go(self) -> None:
        """Hold neither its arguments nor its outcome any more, because it is settled. By its holder."""
        self.args, self.kwargs, self.packed = (), {}, None
        self.promise = Settled()

    def answer(self, value: Any) -> bool:
        """Settle the request with a value.

        Args:
            value: What the caller's Future will give. That of a Future, when it is there.

        Returns:
            False if it had been settled before.
        """
        if issubclass(type(value), concurrent.futures.Future) and self.route is not None:
            is_open = not self.promise.done()
            self.route.relay(self, value)
            return is_open
        return self.promise.settle(Value(value))

    def fail(self, error: BaseException) -> bool:
        """Settle the request with an error: the caller sees a RemoteError of that type.

        Args:
            error: The exception.

        Returns:
            False if it had been settled before.
        """
        incarnation = self.route.incarnation if self.route is not None else 0
        return self.settle(Raised.capture(error, str(self.target), incarnation))

    def settle(self, outcome: Outcome) -> bool:
        """Settle the request with an outcome, as `Conc.reply` does.

        Args:
            outcome: How it ended.

        Returns:
            False if it had been settled before.
        """
        if outcome.failed:
            self.note_time(outcome)
        return self.promise.settle(outcome)

    def note_time(self, outcome: Outcome) -> None:
        """Have the error of a failed outcome say how long the request took, where that is known here."""
        if self.sent is not None:
            note_time(outcome, now() - self.sent)

    def __repr__(self) -> str:
        return f"<Request {self.method!r} to {self.target}>"
