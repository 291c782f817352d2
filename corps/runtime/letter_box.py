"""The dead letters of one Env: the last ones, how many there were, and who wants to hear of them."""

import logging
from collections import Counter
from collections.abc import Callable
from threading import Lock
from typing import Final, Protocol

from corps.addresses import ENV_MGR, ConcAddr, env_label
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
"""Kinds of requests that are sent since an author wanted so; all others are the runtime's own."""


class Listener(Protocol):
    """Hears of every dead letter of an Env. It must be quick: it is told by whoever finds the letter."""

    def hear(self, letter: DeadLetter) -> None:
        """There is another one. Any thread, whatever locks that holds."""
        ...

    def end(self) -> None:
        """There will be no more."""
        ...


class DeadLetterBox:
    """The dead letters of one Env: a `LetterBox`. Any thread may call.

    What the runtime asks of its own EnvMgrs is no letter of anybody, unless nobody else hears that it failed.
    """

    def __init__(self, env_id: int, generation: int, size: int) -> None:
        """There is none yet.

        Args:
            env_id: The Env.
            generation: How many processes it has had before this one.
            size: How many are kept.
        """
        self._env_id = env_id
        self.generation = generation
        # Protects what follows. Nothing is logged, settled or told under it.
        self._lock = Lock()
        self._ring: Ring[DeadLetter] = Ring(size)
        self._counts: Counter[DeadReason] = Counter()
        self._limit: LogLimit[tuple[DeadReason, int]] = LogLimit()
        self._listeners: tuple[Listener, ...] = ()  # replaced as a whole, never changed
        self._is_closed = False

    # --- what is found: see LetterBox ---

    def note(
        self, reason: DeadReason, sender: ConcAddr | None, target: ConcAddr | int, method: str, why: str = ""
    ) -> None:
        """Keep one whose sender knows of it, or can know: the log says little.

        Args:
            reason: Why it reached nobody.
            sender: Who sent it, where that is known.
            target: Who it was for; the id of an Env where no more is known.
            method: Name of the method; empty where it is not known.
            why: The same in words, for the log.
        """
        self._keep(reason, sender, target, method, why, logging.INFO)

    def settle(self, request: Request, outcome: Outcome) -> bool:
        """Settle a request, and keep it if the outcome says that it reached nobody.

        Args:
            request: The caller's.
            outcome: How it ended.

        Returns:
            False if it had been settled before.
        """
        is_first = request.settle(outcome)
        if is_first and isinstance(outcome, Refused) and outcome.letter is not None:
            self.undelivered(request, outcome)
        return is_first

    def undelivered(self, request: Request, outcome: Refused) -> None:
        """Keep a request that reached nobody, as its outcome says. One that wants no answer tells so itself.

        Args:
            request: It.
            outcome: Has a reason.
        """
        is_authors = request.kind in _AUTHORS and not isinstance(request.promise, NoAnswer)
        if outcome.letter is not None and is_authors:
            self.note(outcome.letter, request.sender, request.target, request.method, str(outcome.error))

    def unanswered(self, sender: ConcAddr | None, target: ConcAddr, method: str, outcome: Outcome) -> None:
        """Keep a request that wanted no answer, and failed. Nobody else hears of it: the log says how.

        Args:
            sender: Who sent it.
            target: Who it was for.
            method: Name of the method.
            outcome: How it ended.
        """
        reason: DeadReason = "failed"
        why = f"{method!r} of {target}, sent without wanting an answer, failed"
        if isinstance(outcome, Raised):
            why = f"{why}: {outcome.summary}\n{outcome.traceback}".rstrip()
        elif isinstance(outcome, Refused):
            why = f"{why}: {outcome.error}"
            reason = outcome.letter or ("lost" if isinstance(outcome.error, EnvLost) else "failed")
        self._keep(reason, sender, target, method, why, logging.ERROR)

    def lost_with(self, env_id: int, number: int) -> None:
        """Up to so many requests that wanted no answer went with another Env.

        Args:
            env_id: That Env.
            number: How many; what the Env had run, but not said so, is among them.
        """
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
            if target.conc == ENV_MGR and level < logging.ERROR:
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
                "dead letter, %s: %r from %s to %s, since %s%s%s",
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
        """What has come since somebody looked last.

        Args:
            generation: Of the process that he asked then; -1 for the first time.
            number: `News.next` of that time.

        Returns:
            The generation of this process, and the news.
        """
        with self._lock:
            return self.generation, self._ring.since(number if generation == self.generation else 0)

    def counts(self) -> dict[DeadReason, int]:
        """How many there ever were, by reason; those that never were are missing."""
        with self._lock:
            return dict(self._counts)

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Tell somebody of every letter from now on.

        Args:
            listener: Told until it is taken back, or the Env closes.

        Returns:
            What takes it back.
        """
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
        """The Env has closed. Letters that come now are counted, but nobody is told."""
        with self._lock:
            self._is_closed = True
            listeners, self._listeners = self._listeners, ()
        for listener in listeners:
            listener.end()
