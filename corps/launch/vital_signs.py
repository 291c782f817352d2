"""How an Env shows that it lives.

Its main thread gives a sign at each beat, and has the thread that reads from the links give one too: that is
woken, goes once around its loop, and counts. Neither is ever kept from that by workers, however many of them
compute, since the interpreter goes on to the next thread after `switch_interval`; what keeps them from it is
a call into C that does not give the GIL back, a callback that blocks the thread which runs it, or the end of
the process as far as it can be told: it was stopped.

Worker threads give no sign while they work, for nobody knows how long that may take. But if there is work
that no thread takes, although one may be started, something is wrong; that is logged.
"""

import logging
from collections.abc import Callable

from corps.clock import now
from corps.runtime.env import Env

_log = logging.getLogger("corps.env")


class VitalSigns:
    """The signs of life of an Env. For its main thread."""

    def __init__(
        self, env: Env, main_lives: Callable[[], object], reading_lives: Callable[[], object]
    ) -> None:
        """Make it.

        Args:
            env: The Env.
            main_lives: Called by the main thread.
            reading_lives: Called in the thread that reads. Quick.
        """
        self._env = env
        self._main_lives = main_lives
        self._reading_lives = reading_lives
        self._is_stall_told = False

    def show(self) -> None:
        """Give a sign, and ask for one. Once for each beat."""
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
