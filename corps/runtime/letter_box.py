"""The dead letters of one Env: the last ones, how many there were, and the listeners that hear of them."""

import logging
from collections import Counter
from collections.abc import Callable
from threading import Lock
from typing import Final, Protocol

from corps.addresses import ConcAddr, env_label, is_runtimes_own
from corps.clock import now, wall_time
from corps.errors import EnvLost
from corps.messages.dead_letters import DEAD_REASONS, DeadLetter, DeadReason
from corps.messages.outcomes import Outcome, Raised, Refused
from corps.messages.promises import NoAnswer
from corps.messages.requests import CALL, GET, PINNED, PULL, SET, Request
from corps.observing.log_limit import LogLimit
from corps.observing.ring import News, Ring

_log = logging.getLogger("corps.dead_letters")

_AUTHORS: Final = frozenset({CALL, GET, SET, PULL, PINNED})
"""Kinds of requests that an author's code sends; all others are the runtime's own."""


class Listener(Protocol):
    """Hears of every dead letter of an Env. It must be quick: the finder of the letter calls it."""

    def hear(self, letter: DeadLetter) -> None:
        """Take a letter. Any thread calls this, under any locks."""

    def end(self) -> None:
        """Note that no letter will come any more."""


class DeadLetterBox:
    """The dead letters of one Env: a `LetterBox`. Thread-safe.

    What the runtime asks of its own EnvMgrs is no dead letter, unless its failure would otherwise go unheard.
    """

    def __init__(self, env_id: int, generation: int, size: int) -> None:
        """Keep no letter yet, and later the last ones. `generation` counts the Env's former processes."""
        self._env_id = env_id
        self.generation = generation
        # Protects what follows. Nothing is logged or settled under it, and no listener is called.
        self._lock = Lock()
        self._ring: Ring[DeadLetter] = Ring(size)
        self._counts: Counter[DeadReason] = Counter()
        self._limit: LogLimit[tuple[DeadReason, int]] = LogLimit()
        self._listeners: tuple[Listener, ...] = ()  # replaced as a whole, never changed
        self._is_closed = False
        self.hand_over: Callable[[Request, DeadReason], object] | None = None
        """Called with a request that reached no worker, and has its arguments still. It must be quick."""

    # --- what is found: see LetterBox ---

    def note(
        self, reason: DeadReason, sender: ConcAddr | None, target: ConcAddr | int, method: str, why: str = ""
    ) -> None:
        """Keep a letter whose sender knows of it, or can know: the log says little."""
        self._keep(reason, sender, target, method, why, logging.INFO)

    def settle(self, request: Request, outcome: Outcome) -> bool:
        """Settle a request, and keep it if it reached no worker; False if it had been settled before."""
        is_first = request.settle(outcome)
        if is_first and isinstance(outcome, Refused) and outcome.letter is not None:
            self.undelivered(request, outcome)
        return is_first

    def undelivered(self, request: Request, outcome: Refused) -> None:
        """Keep a request that reached no worker, as its outcome says; but for one that wants no answer."""
        # The promise of that one calls `unanswered` itself.
        if outcome.letter is not None and self.hand_over is not None:
            self.hand_over(request, outcome.letter)
        is_authors = request.kind in _AUTHORS and not isinstance(request.promise, NoAnswer)
        if outcome.letter is not None and is_authors:
            self.note(outcome.letter, request.sender, request.target, request.method, str(outcome.error))

    def unanswered(self, sender: ConcAddr | None, target: ConcAddr, method: str, outcome: Outcome) -> None:
        """Keep a request that wanted no answer, and failed. No caller hears of it, so the log says how."""
        reason: DeadReason = "failed"
        why = f"{method!r} of {target}, sent without wanting an answer, failed"
        if isinstance(outcome, Raised):
            why = f"{why}: {outcome.remote.summary}\n{outcome.remote.traceback}".rstrip()
        elif isinstance(outcome, Refused):
            why = f"{why}: {outcome.error}"
            reason = outcome.letter or ("lost" if isinstance(outcome.error, EnvLost) else "failed")
        self._keep(reason, sender, target, method, why, logging.ERROR)

    def lost_with(self, env_id: int, number: int) -> None:
        """Keep that so many requests which wanted no answer, at most, were lost with another Env."""
        # It may have run some, and not have said so.
        self._keep("lost", None, env_id, "", "", logging.DEBUG, number)

    def _keep(
        self,
        reason: DeadReason,
        sender: ConcAddr | None,
        target: ConcAddr | int,
        method: str,
        why: str,
        level: int,
        number: int = 1,
    ) -> None:
        if isinstance(target, ConcAddr):
            if is_runtimes_own(target.conc) and level < logging.ERROR:
                return
            to = str(target)
        else:
            to = env_label(target)
        letter = DeadLetter(
            reason, None if sender is None else str(sender), to, method, wall_time(), self._env_id
        )
        with self._lock:
            self._counts[reason] += number
            self._ring.add(letter)
            hidden = self._limit.passes((reason, level), now())
            listeners = self._listeners
        if hidden is not None:
            others = f" ({hidden} more like this were not shown)" if hidden else ""
            _log.log(
                level,
                "dead letter, %s: %r from %s to %s, because %s%s%s",
                reason,
                method,
                letter.sender or "a plain thread",
                to,
                DEAD_REASONS[reason],
                others,
                f"; {why}" if why else "",
            )
        for listener in listeners:
            listener.hear(letter)

    # --- for those who want to know ---

    def since(self, generation: int, number: int) -> tuple[int, News[DeadLetter]]:
        """Return this process's generation, and what came since `News.next` was `number` in that one."""
        with self._lock:
            return self.generation, self._ring.since(number if generation == self.generation else 0)

    def counts(self) -> dict[DeadReason, int]:
        """Return how many letters there ever were, by reason; a reason without letters is missing."""
        with self._lock:
            return dict(self._counts)

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Have a listener hear of every letter until the Env closes; return what takes the listener back."""
        with self._lock:
            is_closed = self._is_closed
            if not is_closed:
                self._listeners = (*self._listeners, listener)
        if is_closed:
            listener.end()

        def forget() -> None:
            with self._lock:
                self._listeners = tuple(other for other in self._listeners if other is not listener)

        return forget

    def close(self) -> None:
        """End the listeners, because the Env has closed. Letters that come now are only counted."""
        with self._lock:
            self._is_closed = True
            listeners, self._listeners = self._listeners, ()
        for listener in listeners:
            listener.end()
