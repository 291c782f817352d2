"""Requests of idempotent methods: they are sent again when the process or worker that had them has died."""

import copy
import random
from collections.abc import Sequence
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from corps.addresses import ConcAddr
from corps.clock import now
from corps.errors import CorpsError, EnvLost, Executed, PoisonRequest, RequestError, WorkerGone
from corps.messages.outcomes import Outcome, Refused
from corps.messages.requests import Request
from corps.packing.plain import is_plain
from corps.runtime.calls.futures import Future
from corps.supervision.restarts import spread

if TYPE_CHECKING:
    from corps.runtime.env import Env

FIRST_DELAY: Final = 0.05  # seconds; doubled each time
CHANCE: Final = random.SystemRandom().random  # the generator of the module is the same in all forked Envs
_POISONOUS: Final = 3  # processes that died while they ran it


class _Try:
    """The promise of one of the requests that are sent for one caller. Thread-safe."""

    __slots__ = ("_is_over", "_lock", "_of")

    def __init__(self, of: "Retrying") -> None:
        self._of = of
        self._lock = Lock()  # protects _is_over
        self._is_over = False

    @property
    def answers(self) -> Future[Any]:
        """The Future of the caller."""
        return self._of.future

    @property
    def may_have_run(self) -> bool:
        """Return whether a try that is over may have begun."""
        return self._of.executed != "no"

    @property
    def is_argument(self) -> bool:
        """See `Future.is_argument`."""
        return self._of.future.is_argument

    @property
    def hears_late(self) -> bool:
        """Whether it has to hear how the try ends, even though the caller has given up."""
        return self._of.hears_late

    @property
    def received(self) -> Outcome | None:
        """See `Future.received`."""
        return self._of.future.received

    @received.setter
    def received(self, outcome: Outcome) -> None:
        self._of.future.received = outcome

    def done(self) -> bool:
        """Return whether this try is over, or the caller waits no more."""
        return self._is_over or self._of.done()

    def occupants(self) -> Sequence[Request] | None:
        """See `Retrying.occupants`."""
        return self._of.occupants()

    def note_arguments(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Take the arguments for the next tries. Before the first one is sent."""
        self._of.note_arguments(args, kwargs)

    def settle(self, outcome: Outcome) -> bool:
        """Settle this try. What comes later, such as the end of a worker that hung, does not count."""
        with self._lock:
            if self._is_over:
                return False
            self._is_over = True
        return self._of.tried(outcome)


class Retrying:
    """One request of a caller that may be sent several times. Thread-safe.

    It is one request for its caller: one Future, one deadline. It is sent again when the process that had it
    has died, or when the incarnation that ran it has ended; after a delay that doubles each time. A request
    that was running when three processes died is not sent again.
    """

    __slots__ = ("_args", "_deaths", "_env", "_kwargs", "_last", "_left", "_tries", "executed", "future")

    hears_late = False

    def __init__(
        self, env: "Env", future: Future[Any], args: tuple[Any, ...], kwargs: dict[str, Any], retries: int
    ) -> None:
        """Make it for a request that is about to be sent. The arguments must not change before the answer."""
        self._env = env
        self.future = future
        self._args = args
        self._kwargs = kwargs
        # There is one try at a time, so what follows needs no lock.
        self._left = retries
        self._last: RequestError = WorkerGone("it was not sent yet", executed="no")
        self._tries = 0
        self._deaths = 0
        self.executed: Executed = "no"  # as far as is known of all tries that are over

    def note_arguments(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Take the arguments for the next tries, because Futures stood in their places."""
        self._args, self._kwargs = args, kwargs

    def occupants(self) -> Sequence[Request] | None:
        """Return the requests of which one must end before this one is sent; None if there are none."""
        return None

    def next_try(self) -> _Try:
        """Return the promise of the next request."""
        return _Try(self)

    def done(self) -> bool:
        """Return whether the caller waits no more."""
        return self.future.done()

    def tried(self, outcome: Outcome) -> bool:
        """Take the outcome of a try; return whether that made a difference."""
        request = self.future.request
        if outcome.failed and request is not None:
            outcome = outcome.opened()
            if isinstance(outcome, Refused) and isinstance(outcome.error, RequestError):
                error = outcome.error
                self._note(error)
                if self._deaths >= _POISONOUS:
                    outcome = Refused(self._poison(request, error))
                elif self._is_worth_it(error):
                    self._again_later(request, error)
                    return True
                elif error.executed != self.executed:
                    error = copy.copy(error)  # others may have the same one
                    error.executed = self.executed
                    outcome = Refused(error)
        return self.future.settle(outcome)

    def _note(self, error: RequestError) -> None:
        if isinstance(error, EnvLost):
            self._deaths += error.executed != "no"
        if self.executed == "no" or error.executed == "yes":
            self.executed = error.executed

    def _is_worth_it(self, error: RequestError) -> bool:
        if self._left <= 0 or self._env.closed:
            return False
        # Of a worker: if the request did not begin, it has ended for good.
        return isinstance(error, EnvLost) or (isinstance(error, WorkerGone) and error.executed != "no")

    def _poison(self, request: Request, error: Exception) -> PoisonRequest:
        text = (
            f"{request.method!r} of {request.target} was running when {self._deaths} processes died: {error}"
        )
        return PoisonRequest(text, executed=self.executed, target=str(request.target))

    def _again_later(self, request: Request, error: RequestError) -> None:
        self._last = error
        self._env.retrying[self] = None
        delay = self._delay(error)
        self._env.alarms.at(now() + delay, lambda: self._again(request))
        if self._env.closed:  # at this very moment
            self.give_up()

    def _next_target(self, former: Request) -> ConcAddr | None:
        """Return the worker that gets the request that follows on `former`; None if there is none."""
        return former.target

    def _delay(self, error: RequestError) -> float:
        """Count a further try, and return after how many seconds it is due."""
        self._left -= 1
        self._tries += 1
        return spread(FIRST_DELAY * 2 ** (self._tries - 1), CHANCE)

    def give_up(self) -> None:
        """Send nothing again, because the Env has closed. Thread-safe."""
        error = copy.copy(self._last)
        error.executed = self.executed
        self.future.settle(Refused(error))

    def _again(self, former: Request, *, is_in_time: bool = False) -> None:
        """Send it again. It never waits for room, because threads call this that others wait for.

        These do not pack what an author's code may pack. `is_in_time`: the caller's own thread calls this.
        """
        self._env.retrying.pop(self, None)
        if self.future.done() or (former.deadline is not None and now() >= former.deadline):
            return  # its deadline has an alarm of its own
        target = self._next_target(former)
        if target is None:
            self.give_up()
            return
        request = Request(
            former.kind,
            target,
            former.method,
            self._args,
            self._kwargs,
            self.next_try(),
            former.sender,
            former.deadline,
        )
        request.sent, request.travelling = former.sent, former.travelling  # it is one request for its caller
        self.future.request = request
        is_here = target.env == self._env.id and target.corps == self._env.corps_id
        if is_in_time or is_here or is_plain((self._args, self._kwargs)):
            self._send(request)
        else:
            self._env.resender.put(partial(self._send, request))
            self._env.resender.help()

    def _send(self, request: Request) -> None:
        if self.future.done():  # meanwhile
            return
        try:
            self._env.dispatch(request)
        except Exception as error:  # the caller must hear of it
            request.settle(Refused(self._not_sent(error)))
        if self.future.done() and request.route is not None:  # given up at this very moment
            request.route.take_back(request)
            request.route.withdraw(request)

    def _not_sent(self, error: Exception) -> CorpsError:
        """Return what the caller gets if a further try cannot be sent, with what is known of the others."""
        if isinstance(error, RequestError) or (isinstance(error, CorpsError) and self.executed == "no"):
            return error
        return RequestError(str(error), executed="no")  # `tried` says what was executed
