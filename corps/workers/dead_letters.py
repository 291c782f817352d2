"""Dead letters for people to look at: the last ones, how many there were, and those to come."""

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from threading import Condition, Lock, Thread, current_thread
from typing import Any, Final, Literal

from corps.addresses import env_label
from corps.clock import deadline_after, now, remaining
from corps.errors import ConfigError, CorpsError, LoopBlocked, WaitTimeout
from corps.exporting import exported
from corps.messages.dead_letters import DeadLetter
from corps.messages.requests import CALL
from corps.observing.ring import Backlog
from corps.runtime.calls.futures import Future
from corps.runtime.env import Env
from corps.runtime.threads.sleeping import join
from corps.workers.everywhere import all_envs, ask_everywhere, env_here, resolved

_log = logging.getLogger("corps.dead_letters")

_PERIOD: Final = 0.1  # seconds between two questions to another Env
_PATIENCE: Final = 5.0  # seconds that an Env has to answer


@exported
class DeadLetters:
    """The dead letters of a Corps, or of one Env of it. Thread-safe.

    Iterating over it gives the last ones, oldest first: those that each Env has kept (setting
    `dead_letters`). If the process of an Env dies, its letters are lost.
    """

    def __init__(self, env: Env, place: int | None) -> None:
        """Make it; `corps.dead_letters` calls this."""
        self._env = env
        self._place = place

    @classmethod
    def of(cls, mine: Env, env: int | Literal["here", "front"] | None) -> "DeadLetters":
        """Make it for `dead_letters`, and for what stands for an Env.

        Raises:
            ConfigError: There is no such Env.
        """
        place = resolved(mine, env)
        if place is not None and place not in all_envs(mine):
            known = ", ".join(map(str, all_envs(mine)))
            raise ConfigError(f"dead_letters(env={env!r}): the Envs of this Corps are {known}")
        return cls(mine, place)

    def __iter__(self) -> Iterator[DeadLetter]:
        answers = ask_everywhere(self._env, "dead_letters", -1, 0, envs=self._envs(), timeout=_PATIENCE)
        letters = [letter for _, found, _, _ in answers.values() for letter in found]
        return iter(sorted(letters, key=lambda letter: letter.time))

    def counts(self) -> dict[str, int]:
        """Count all that there ever were, by reason, also those that are not kept any more.

        Returns:
            The numbers. Reasons that never came up are missing, and so is what a process had counted before
            it died.

        Raises:
            LoopBlocked: Called in a coroutine.
        """
        total: Counter[str] = Counter()
        for answer in ask_everywhere(self._env, "statistics", envs=self._envs(), timeout=_PATIENCE).values():
            total.update(answer["dead_letters"])
        return dict(total)

    def subscribe(
        self, callback: Callable[[DeadLetter], object] | None = None, *, queue: int = 1000
    ) -> "Subscription":
        """Get every dead letter from now on.

        Letters of the subscriber's own Env come at once, those of others within a fraction of a second. What
        an Env had not reported before its process died is lost.

        Args:
            callback: Called with each letter, one after the other, in a thread of its own. What it raises is
                logged. None: iterate over the subscription instead.
            queue: How many letters may wait for the subscriber. If there are more, the oldest are dropped.

        Returns:
            The subscription: close it, use it in a ``with`` statement, or let it end with the Env.

        Raises:
            ConfigError: `queue` is less than 1.
            LoopBlocked: Called in a coroutine.
        """
        if queue < 1:
            raise ConfigError(f"subscribe(queue={queue!r}): at least one letter must have room")
        return Subscription(self._env, self._envs, queue, callback)

    def _envs(self) -> list[int]:
        return all_envs(self._env) if self._place is None else [self._place]


@exported
class Subscription:
    """Dead letters as they come. Iterating waits for the next one. Thread-safe.

    It ends when it or its Env is closed. The letters that wait then are still given; then the iteration is
    over.
    """

    def __init__(
        self,
        env: Env,
        envs: Callable[[], list[int]],
        queue: int,
        callback: Callable[[DeadLetter], object] | None,
    ) -> None:
        """Subscribe; `DeadLetters.subscribe` calls this."""
        self._env = env
        self._envs = envs
        # Protects what follows. Nothing is asked or called under it.
        self._arrival = Condition(Lock())
        self._backlog: Backlog[DeadLetter] = Backlog(queue)
        self._is_closed = False
        self._asked: set[int] = set()  # Envs that have not answered yet
        self._thread: Thread | None = None
        places = envs()
        others = [place for place in places if place != env.id]
        answers = ask_everywhere(env, "dead_letters", -1, 0, envs=others, timeout=_PATIENCE)
        # Of other Envs: generation and number.
        self._cursors = {place: (answer[0], answer[3]) for place, answer in answers.items()}
        self._wants_own = env.id in places
        self._forget = env.letters.listen(self)
        if others:
            self._ask_soon()
        if callback is not None:
            self._thread = Thread(
                target=self._call, args=(callback,), name=f"{env.label}-letters", daemon=True
            )
            self._thread.start()

    @property
    def missed(self) -> int:
        """The number of letters that were lost because the subscription, or an Env, had no room for them."""
        with self._arrival:
            return self._backlog.missed

    def take(self, timeout: float | None = None) -> DeadLetter:
        """Wait for the next letter, and take it.

        Args:
            timeout: Seconds to wait; None for as long as it takes.

        Returns:
            The letter.

        Raises:
            WaitTimeout: The time was over first.
            EOFError: The subscription has ended.
            LoopBlocked: Called in a coroutine, or in a callback of the runtime.
        """
        deadline = deadline_after(timeout)
        if not self._env.may_block():
            raise LoopBlocked("waiting for a dead letter here would stop others: do it in a plain method")
        self._env.enter_blocked()
        try:
            with self._arrival:
                if not self._arrival.wait_for(
                    lambda: len(self._backlog) or self._is_closed, remaining(deadline)
                ):
                    raise WaitTimeout(f"no dead letter came within {timeout} s")
                if not len(self._backlog):
                    raise EOFError("the subscription has ended")
                return self._backlog.take()
        finally:
            self._env.leave_blocked()

    def _wait_for_one(self, seconds: float) -> bool:
        return bool(self._arrival.wait_for(lambda: len(self._backlog) or self._is_closed, seconds))

    def __iter__(self) -> Iterator[DeadLetter]:
        return self

    def __next__(self) -> DeadLetter:
        try:
            return self.take()
        except EOFError:
            raise StopIteration from None

    def close(self) -> None:
        """Get no more letters. Wait for a callback that runs. Idempotent."""
        self.end()
        if self._thread is not None and self._thread is not current_thread():
            join(self._thread)

    def __enter__(self) -> "Subscription":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    # --- for the runtime ---

    def hear(self, letter: DeadLetter) -> None:
        """Take a letter of its own Env. The thread that found it calls this."""
        if self._wants_own:
            self._add([letter], 0)

    def end(self) -> None:
        """Take no more letters. The runtime calls this."""
        with self._arrival:
            self._is_closed = True
            self._arrival.notify_all()
        self._forget()

    def _add(self, letters: list[DeadLetter], missed: int) -> None:
        with self._arrival:
            if not self._is_closed:
                self._backlog.add(letters, missed)
                self._arrival.notify(len(letters))

    def _call(self, callback: Callable[[DeadLetter], object]) -> None:
        for letter in self:
            try:
                callback(letter)
            except BaseException:  # an author's: the next letter may be one that it understands
                _log.exception("a subscriber of dead letters raised")

    # --- other Envs: each is asked for its news, in a moment again when it has answered ---

    def _ask_soon(self) -> None:
        self._env.alarms.at(now() + _PERIOD, self._ask)

    def _ask(self) -> None:
        """Ask all Envs that are due. The alarm thread calls this, so it does not block."""
        if self._is_closed or self._env.closed:
            return
        for place in self._envs():
            with self._arrival:
                is_due = place != self._env.id and place not in self._asked
                if is_due:
                    self._asked.add(place)
                generation, number = self._cursors.get(place, (-1, 0))
            if is_due:
                self._ask_one(place, generation, number)
        self._ask_soon()

    def _ask_one(self, place: int, generation: int, number: int) -> None:
        manager = self._env.manager_of(place)
        try:
            news = self._env.ask(CALL, manager, "dead_letters", (generation, number), {})
        except CorpsError as error:  # the next time, then
            _log.debug("%s could not be asked for dead letters: %s", env_label(place), error)
            with self._arrival:
                self._asked.discard(place)
        else:
            news.when_settled(lambda done: self._learn(place, done))

    def _learn(self, place: int, news: Future[Any]) -> None:
        """Take the answer of an Env. If it was lost, its next process is asked later."""
        found: list[DeadLetter] = []
        missed = 0
        cursor: tuple[int, int] | None = None
        if news.failure() is None:
            generation, found, missed, number = news.result()
            cursor = generation, number
        with self._arrival:
            self._asked.discard(place)
            if cursor is not None:
                self._cursors[place] = cursor
        self._add(found, missed)


@exported
def dead_letters(env: int | Literal["here", "front"] | None = None) -> DeadLetters:
    """Look at the messages that reached nobody: the last ones, how many there were, and those to come.

    Call it inside a worker, inside a ``with`` block of an Env, or where the process has one open Env. Dead
    letters are for people who look for a fault. No part of the application should depend on them.

    Args:
        env: The id of the Env whose letters are wanted; ``"here"`` for the caller's own; ``"front"`` for that
            of the Corps object; None for all Envs of the Corps, the booting process among them.

    Returns:
        An object to iterate over, with `counts` and `subscribe`.

    Raises:
        ContextError: There is no Env here.
        ConfigError: There is no such Env.
    """
    return DeadLetters.of(env_here("to ask for dead letters"), env)
