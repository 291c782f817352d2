"""How an Env shows that it lives.

Its main thread gives a sign at each beat, and has the thread that reads from the links give one too: that
thread wakes, goes once around its loop, and counts. Workers never keep them from it, however many compute,
because the interpreter goes on to the next thread after `switch_interval`. What does is a call into C that
does not give the GIL back, a callback that blocks its thread, or a signal that stops the process.

Worker threads give no sign while they work, for that may take any time. But if no thread takes the work that
waits, although one more may start, something is wrong, and the log says so.
"""

import logging
from collections.abc import Callable

from corps.clock import now
from corps.runtime.env import Env

_log = logging.getLogger("corps.env")


class VitalSigns:
    """The signs of life of an Env. One thread: its main thread."""

    def __init__(
        self, env: Env, main_lives: Callable[[], object], reading_lives: Callable[[], object]
    ) -> None:
        """Give none yet. `reading_lives` is called in the thread that reads, and is quick."""
        self._env = env
        self._main_lives = main_lives
        self._reading_lives = reading_lives
        self._is_stall_told = False

    def show(self) -> None:
        """Give a sign, and ask the reading thread for one. Once for each beat."""
        env = self._env
        self._main_lives()
        if env.readers is not None:
            env.readers.ask_for_sign(self._reading_lives)
        self._watch_pool()

    def _watch_pool(self) -> None:
        pool, patience = self._env.pool, self._env.options.beat_dead
        seconds = pool.stalled(now())
        is_stalled = patience is not None and seconds >= patience
        if is_stalled and not self._is_stall_told:
            _log.error(
                "%s: work has waited for %.3g s, and no worker thread takes it, though one more may run: %s",
                self._env.label,
                seconds,
                pool.statistics(),
            )
        self._is_stall_told = is_stalled
