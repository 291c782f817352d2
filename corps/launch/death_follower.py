"""The thread of a booting process that tells all Envs which process has ended.

To tell of a lost Env runs callbacks of the application and may block. The thread of the launcher that reports
ends must not block, so it puts them into a queue.
"""

import logging
from collections.abc import Set
from queue import SimpleQueue

from corps.addresses import FRONT, env_label
from corps.errors import CorpsLost
from corps.launch.corps_end import CorpsEnd
from corps.launchers.launcher import Exit
from corps.membership.membership import Membership
from corps.messages.endings import Failure
from corps.runtime.threads.watched_thread import WatchedThread

_log = logging.getLogger("corps.launch")


class DeathFollower:
    """Follows the ends of processes."""

    def __init__(
        self, exits: "SimpleQueue[Exit | None]", membership: Membership, end: CorpsEnd, *, comes_back: bool
    ) -> None:
        """Start nothing yet. The `start` of `membership` is done: it has seen the ends before that."""
        self.killed: Set[int] = frozenset()  # Envs whose processes the end of the Corps has killed
        self._exits = exits
        self._membership = membership
        self._end = end
        self._comes_back = comes_back
        self._is_end_expected = False
        self._thread = WatchedThread("corps-exits", self._follow, end.thread_failed)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def expect_ends(self) -> None:
        """Take no end for a loss from now on: the processes are ordered to end."""
        self._is_end_expected = True

    def finish(self, seconds: float) -> None:
        """Have the thread follow the last ends, and wait so long for it.

        It may run a callback of the application that waits for the end of the Corps.
        """
        self._exits.put(None)
        self._thread.join(seconds)

    def _follow(self) -> None:
        while (ended := self._exits.get()) is not None:
            failure = self._membership.failure_of(ended)
            if failure is None:
                continue
            if ended.env_id == FRONT and not (
                self._is_end_expected or self._comes_back or FRONT in self.killed
            ):
                self._end.fail(_lost(failure, is_ending=self._end.is_wanted.is_set()))
            try:
                self._membership.env_ended(ended, failure)
            except BaseException:  # the end of the next process must be followed too
                _log.exception("the end of %s was not passed on; please report it", env_label(ended.env_id))
                continue
            if not self._is_end_expected and failure.reason != "shutdown":
                _log.warning("%s is lost: %s", env_label(ended.env_id), failure.text)


def _lost(failure: Failure, *, is_ending: bool) -> CorpsLost:
    """Make the error for a front that died, where nothing brings the Corps object back."""
    if is_ending:
        return CorpsLost(
            f"the Corps object was lost with its Env, the front, while the Corps ended: {failure.text}"
        )
    return CorpsLost(
        f"the Corps object is lost with its Env, the front: {failure.text}; it comes back if its class "
        "declares that: restart = corps.Restart()"
    )
