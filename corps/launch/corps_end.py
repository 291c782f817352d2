"""What a Corps knows of its end, from its first moment on: what wants it, why, and whether it is over."""

from collections.abc import Callable
from threading import Event, Lock

from corps.errors import RestartLimit, SupervisionError
from corps.messages.endings import Failure
from corps.messages.outcomes import Outcome, Refused, Value
from corps.runtime.calls.futures import Future
from corps.runtime.threads.watched_thread import note_failure


class CorpsEnd:
    """The end of a Corps. Thread-safe."""

    def __init__(self) -> None:
        self.is_wanted = Event()  # set when the Corps is to end
        self.hurry: Future[None] = Future()  # settled when the end waits for workers no more
        self.is_over = Event()  # set when nothing of the Corps is left
        self.failure: Failure | None = None  # of the Corps object; written before `is_wanted` is set
        self._lock = Lock()  # protects what follows
        self._asked: list[Future[None]] = []
        self._error: SupervisionError | None = None
        self._is_killed = False
        self._at_kill: list[Callable[[], object]] = []

    @property
    def has_failed(self) -> bool:
        """Whether the Corps ends because it cannot go on."""
        return self._error is not None

    def object_ended(self, failure: Failure | None) -> None:
        """Begin the end, because the Corps object has ended for good, with this failure if it had one."""
        self.failure = failure
        self.is_wanted.set()

    def ask(self) -> Future[None]:
        """Begin the end. Return a Future that is done when it is over; it fails if the Corps has failed."""
        ended: Future[None] = Future()
        with self._lock:
            over = self.is_over.is_set()
            if not over:
                self._asked.append(ended)
        if over:
            ended.settle(self.outcome(Value(None)))
        self.is_wanted.set()
        return ended

    def fail(self, error: SupervisionError) -> None:
        """Begin the end: the Corps cannot go on. The first reason wins; what fails after `kill` is none."""
        with self._lock:
            if not self._is_killed:
                self._error = self._error or error
        self.is_wanted.set()

    def limit_passed(self, failure: Failure) -> None:
        """Begin the end, because a worker failed too often and no Mgr could heal it."""
        self.fail(RestartLimit(f"{failure.text}\n{failure.traceback}".rstrip()))

    def fail_at_once(self, text: str) -> None:
        """Begin an end without patience: where a thread of the Corps is missing, it cannot end in order."""
        self.hurry.settle(Value(None))
        self.fail(SupervisionError(text))

    def thread_failed(self, name: str, error: BaseException) -> None:
        """Begin the same, because a thread of the Corps has ended with an exception."""
        note_failure(name, error)
        self.fail_at_once(f"the Corps cannot go on, because its thread {name} has ended: {error!r}")

    def at_kill(self, action: Callable[[], object]) -> None:
        """Have `kill` call this idempotent function; call it now if it is too late for that."""
        with self._lock:
            is_late = self._is_killed
            self._at_kill.append(action)
        if is_late:
            action()

    def kill(self) -> None:
        """Begin the end at once: what `at_kill` knows is called here, the latest first. Idempotent."""
        self.hurry.settle(Value(None))
        self.is_wanted.set()
        with self._lock:
            self._is_killed = True
            actions = list(reversed(self._at_kill))
        for action in actions:
            action()

    def be_over(self, outcome: Outcome) -> None:
        """Say that nothing of the Corps is left, to all that have asked."""
        with self._lock:
            self.is_over.set()
            asked, self._asked = self._asked, []
        for ended in asked:
            ended.settle(outcome)

    def outcome(self, otherwise: Outcome) -> Outcome:
        """Give how the Corps has ended: with its failure if it had one."""
        return otherwise if self._error is None else Refused(self._error)
