"""How an Env shows that it lives.

Its main thread gives a sign at each beat, and has the thread that reads from the links give one too: that
thread wakes, goes once around its loop, and counts. Workers never keep them from it, however many compute,
because the interpreter goes on to the next thread after `switch_interval`. What does is a call into C that
does not give the GIL back, a callback that blocks its thread, or a signal that stops the process.

Worker threads give no sign while they work, for that may take any time. But if no thread takes the work that
waits, although one more may start, something is wrong, and the log says so.
"""

import logging

from corps.clock import now
from corps.launchers.launcher import MAIN, READING
from corps.launchers.local.pulse import Pulse
from corps.runtime.env import Env

_log = logging.getLogger("corps.env")


class VitalSigns:
    """The signs of life of an Env. One thread: its main thread."""

    def __init__(self, env: Env, pulse: Pulse) -> None:
        self._env = env
        self._pulse = pulse
        self._is_stall_told = False

    def show(self) -> None:
        """Give a sign, and ask the reading thread for one. Once for each beat."""
        self._pulse.beat(MAIN)
        if self._env.readers is not None:
            self._env.readers.ask_for_sign(lambda: self._pulse.beat(READING))
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
