"""How long the end of a Corps may take, and when the log says what it waits for."""

import logging
from collections.abc import Callable, Sequence
from typing import Any, Final

from corps.addresses import env_label
from corps.clock import now
from corps.errors import WaitTimeout
from corps.membership.places import Place, kill_silent
from corps.runtime.calls.futures import Future
from corps.runtime.calls.waiting import wait_any
from corps.runtime.calls.winding_down import Unfinished, unfinished
from corps.runtime.env import Env

_log = logging.getLogger("corps.launch")

_TELL_AFTER: Final = 1.0  # seconds of an end after which the log says what it waits for
_ANSWERS_WITHIN: Final = 2.0  # seconds, for an Env that is not to be killed
_ASK_FOR: Final = 0.5  # seconds that an Env has to say what it is busy with
_SHOWN: Final = 5  # so many workers are named in one line
_RESERVE: Final = 0.1  # share of the time that is kept for killing and reaping


class Patience:
    """The time limit of one end. One thread: the Corps's own."""

    def __init__(
        self,
        env: Env,
        places: Callable[[], Sequence[Place]],
        hurry: Future[None],
        seconds: float,
        *,
        has_threads: bool = True,
    ) -> None:
        """Begin to count: the end, of so many seconds, begins now.

        `places` gives the processes that have not ended. `hurry` is done when the end waits for workers no
        more. `has_threads`: further ones can be started, because the interpreter does not end.
        """
        self.env = env
        self._places = places
        self._hurry = hurry
        self._seconds = seconds
        self._until = now() + seconds * (1 - _RESERVE)
        self._tells_at: float | None = now() + _TELL_AFTER
        self._looks_every = min(env.options.grace, seconds / 3)  # so that the others have time left
        self._looks_at = now() + self._looks_every
        self._has_threads = has_threads
        self.killed: set[int] = set()
        """Ids of the Envs whose processes were killed because they gave no answer."""

    @property
    def is_over(self) -> bool:
        """Whether the end waits for workers no more."""
        return self._hurry.done() or now() >= self._until

    def left(self, most: float) -> float:
        """Give the seconds that a step may take: `most`, or less if there is less time."""
        return 0.0 if self._hurry.done() else max(0.0, min(most, self._until - now()))

    def wait(self, future: Future[Any]) -> bool:
        """Wait for a Future of a step; log what for if that takes long. Return whether it is done in time."""
        while not future.done():
            if self.is_over:
                return False
            steps = [self._until, self._looks_at, *([] if self._tells_at is None else [self._tells_at])]
            try:
                wait_any([future, self._hurry], max(0.0, min(steps) - now()))
            except WaitTimeout:
                self._look()
        return True

    def _look(self) -> None:
        if self._tells_at is not None and now() >= self._tells_at:
            self._tells_at = None
            ending = f"it ends at the latest in {self._until - now():.1f} s, and at once at another Ctrl-C"
            _log.warning("the end waits for %s; %s", self._waited_for(), ending)
        if now() >= self._until and not self._hurry.done():
            why = "not ended in time (shutdown_timeout = %g s), and given up: %s"
            _log.warning(why, self._seconds, self._waited_for())
        elif now() >= self._looks_at:
            self._looks_at = now() + self._looks_every
            if self._has_threads:  # it takes one to notice that nothing comes
                # What does not even answer is stopped, or hangs for ever: no later phase could end it.
                kill_silent(self.env, self._places(), self.left(_ANSWERS_WITHIN), self.killed)

    def _waited_for(self) -> str:
        if not self._has_threads:  # it takes one to notice that an Env does not answer
            return in_words(unfinished(self.env))
        asked = {
            place.process.env_id: self.env.ask_manager(place.process.env_id, "unfinished", seconds=_ASK_FOR)
            for place in self._places()
        }
        found = unfinished(self.env)
        silent = []
        for env_id, answer in asked.items():
            if answer.failure() is None:
                found += answer.result()
            else:
                silent.append(f"{env_label(env_id)}, which gives no answer")
        return in_words(found, silent)


def in_words(found: Sequence[Unfinished], silent: Sequence[str] = ()) -> str:
    """Say what an end waits for: `found`, of which more is known, and `silent`."""
    longest = sorted(found, key=lambda each: -each.seconds)
    said = [f"{each.worker} in {each.what} for {each.seconds:.1f} s" for each in longest[:_SHOWN]]
    if len(longest) > _SHOWN:
        said.append(f"{len(longest) - _SHOWN} further workers")
    return ", ".join([*said, *silent]) or "its workers"
