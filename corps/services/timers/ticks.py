"""One call of a timer, from the moment at which it is due until it is over. A worker gets it as a request.

A tick that has not begun can be withdrawn for certain. For a worker of this Env its mailbox decides that. For
one of another Env the service of that Env does, to which all ticks for its workers go. So a withdrawal never
overtakes its tick.
"""

from collections.abc import Callable, Mapping
from enum import IntEnum
from threading import RLock
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from corps.addresses import ENV_TIMERS, ConcAddr
from corps.errors import ClosedError, CorpsError, NoSuchMethod, NoSuchWorker, WorkerGone
from corps.messages.outcomes import Outcome, Raised, Refused
from corps.messages.promises import NoAnswer
from corps.messages.requests import Kind, Request
from corps.runtime.calls.futures import Future
from corps.runtime.cells.keeping import PackedState

if TYPE_CHECKING:
    from corps.runtime.env import Env

Origin = tuple[int, int, int]
"""Which tick it is: the Env of its timer, the generation of that Env, and a number."""


class End(IntEnum):
    """How a tick ended. Its number is what goes over a link."""

    OVER = 0  # the worker has run it, or may have
    NOT_RUN = 1  # it certainly was not run
    GONE = 2  # the same, and no other one can reach the worker


Then: TypeAlias = "Callable[[Tick, End], object]"
"""Called when a tick is over, unless it was withdrawn."""


class Target(NamedTuple):
    """What a timer calls."""

    worker: ConcAddr
    method: str
    kind: Kind
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]  # never changed
    takes_skipped: bool = False  # whether the method wants to know how many ticks were missed
    packed: PackedState | None = None  # the arguments, for a worker of another Env; then they are empty above


class LocalTick(NoAnswer):
    """A tick for a worker of this Env: the promise of its request. Thread-safe."""

    __slots__ = ("_env", "_sender", "_target", "_then", "request")

    def __init__(
        self,
        env: "Env",
        target: Target,
        skipped: int,
        sender: ConcAddr | None,
        then: Then,
        begins: Callable[[], object] | None = None,
    ) -> None:
        self._open = [True]
        self._env = env
        self._target = target
        self._sender = sender
        self._then = then
        # A dict of its own for each: a step `before` of the worker may change it.
        kwargs, packed = dict(target.kwargs), None
        if target.packed is not None:
            packed = _opening(env, target.packed, skipped if target.takes_skipped else None)
        elif target.takes_skipped:
            kwargs["skipped"] = skipped
        if begins is not None:
            packed = _noting(begins, packed or (lambda: (target.args, kwargs)))
        args = target.args if packed is None else ()
        request = Request(
            target.kind, target.worker, target.method, args, kwargs, self, sender, packed=packed
        )
        # What decides whether it begins is known before it is sent, so that it can be withdrawn at any time.
        request.route = env.registry.find(target.worker.conc) or env.registry
        self.request: Request | None = request  # None when it is over

    def send(self) -> None:
        """Send it. It never waits."""
        assert self.request is not None
        try:
            self._env.dispatch_at_once(self.request)
        except CorpsError as error:  # in a fork of the process
            self.settle(Refused(error))

    def withdraw(self, *, waits: bool = False) -> bool:
        """Keep it from ever beginning; False if it has begun, or is over."""
        request = self.request
        if request is None or request.route is None or not self._open:
            return False
        if request.route is self._env.registry:
            self._open.clear()  # before a worker can come that looks
        never_begins = request.route.take_back(request)
        if never_begins:
            self._open.clear()
        return never_begins

    def withdrawal(self) -> bool:
        """Do as `withdraw`; see `FarTick.withdrawal`."""
        return self.withdraw()

    def settle(self, outcome: Outcome) -> bool:
        """See `Promise.settle`."""
        try:
            self._open.pop()
        except IndexError:
            return False
        if outcome.failed:
            self._failed(outcome)
        self._then(self, end_of(outcome))
        self.request = (
            None  # which holds this as its promise: else both would wait for the garbage collection
        )
        return True

    def _failed(self, outcome: Outcome) -> None:
        target, letters = self._target, self._env.letters
        if isinstance(outcome, Refused) and end_of(outcome) is End.GONE:
            if target.worker != self._sender:  # else it ends, and its timers with it
                letters.note(outcome.letter or "ended", self._sender, target.worker, target.method)
        else:
            letters.unanswered(self._sender, target.worker, target.method, outcome)


def _opening(env: "Env", packed: PackedState, skipped: int | None) -> Callable[[], tuple[Any, ...]]:
    def unpack() -> tuple[Any, ...]:
        args, kwargs = env.upper.unpack(packed)
        return args, kwargs if skipped is None else {**kwargs, "skipped": skipped}

    return unpack


def _noting(
    begins: Callable[[], object], opening: Callable[[], tuple[Any, ...]]
) -> Callable[[], tuple[Any, ...]]:
    """Call `begins` first: a request is opened when its worker begins it."""

    def unpack() -> tuple[Any, ...]:
        begins()
        return opening()

    return unpack


def end_of(outcome: Outcome) -> End:
    """Return what an outcome means for its timer."""
    if not isinstance(outcome, Refused) or getattr(outcome.error, "executed", "no") != "no":
        return End.OVER
    is_gone = isinstance(outcome.error, WorkerGone | NoSuchWorker | NoSuchMethod | ClosedError)
    return End.GONE if is_gone else End.NOT_RUN


class FarTick:
    """A tick for a worker of another Env, by way of the service there. Thread-safe."""

    __slots__ = ("_env", "_is_sent", "_is_withdrawn", "_lock", "_origin", "_skipped", "_target", "_then")

    def __init__(self, env: "Env", target: Target, skipped: int, number: int, then: Then) -> None:
        self._env = env
        self._target = target
        self._skipped = skipped
        self._origin: Origin = (env.id, env.generation, number)
        self._then = then
        # Protects what follows; held while it is sent, which never waits, so that no withdrawal overtakes it.
        self._lock = RLock()
        self._is_sent = self._is_withdrawn = False

    def send(self) -> None:
        """Send it. It never waits."""
        with self._lock:
            if self._is_withdrawn:
                return
            self._is_sent = True
            try:
                answer = self._ask("tick", self._target, self._skipped)
            except CorpsError as error:
                failed = Refused(error)
                answer = Future()
                answer.settle(failed)
        answer.when_settled(self._over)

    def _ask(self, what: str, *args: Any) -> Future[Any]:
        return self._env.ask_service(self._target.worker.env, ENV_TIMERS, what, self._origin, *args)

    def _over(self, answer: Future[int]) -> None:
        if answer.failure() is None:
            self._then(self, End(answer.result()))
            return
        outcome = answer.outcome
        assert outcome is not None
        target, letters = self._target, self._env.letters
        if isinstance(outcome, Raised):  # a defect of the service there
            letters.unanswered(None, target.worker, target.method, outcome)
        elif isinstance(outcome, Refused) and not self._is_withdrawn:
            letters.note(outcome.letter or "lost", None, target.worker, target.method)
        self._then(self, end_of(outcome))

    def withdrawal(self) -> "Future[bool] | bool | None":
        """Keep it from ever beginning, and return whether that was done. None: it cannot be asked."""
        with self._lock:
            if not self._is_sent:
                self._is_withdrawn = True
                return True
            try:
                answer: Future[bool] = self._ask("withdraw")
            except CorpsError:
                return None
            self._is_withdrawn = True
            return answer

    def withdraw(self, *, waits: bool = False) -> bool | None:
        """Keep it from ever beginning; False if it has begun, None if that is not known without waiting."""
        answer = self.withdrawal()
        if not isinstance(answer, Future):
            return answer
        if not waits or not self._env.may_wait_for_room():
            return None
        # The process that was to run it may have died. What it had not begun is not begun by the next one:
        # both requests are lost, or both arrive.
        return answer.result() if answer.failure() is None else True


Tick = LocalTick | FarTick
