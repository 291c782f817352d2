"""What the Envs of a Corps have gone through: how often they died, and how long each was away."""

from threading import Lock

from corps.addresses import env_label
from corps.clock import now
from corps.errors import RestartLimit
from corps.launchers.launcher import Exit
from corps.messages.endings import ORDERLY, Failure, Reason
from corps.observing.counters import Counters


class EnvHistory:
    """Counts deaths and recoveries of Envs. Thread-safe."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self._lock = Lock()  # protects _died_at
        self._died_at: dict[int, float] = {}  # Envs that have not come back

    def ended(self, ended: Exit, hung: str | None, *, was_stopped: bool) -> Failure:
        """Count the end of a process, and give it as a failure. `hung` says how it hung, if it did."""
        reason: Reason = "error" if ended.code or not was_stopped else "shutdown"
        text = f"its process ({ended.mark}) {ended}"
        if hung is not None and ended.signal is not None:
            reason, text = "hung", f"its process ({ended.mark}) hung, and was killed: {hung}"
        elif ended.signal is not None:
            reason = "memory" if ended.by_memory else "killed"
        elif reason == "shutdown":
            text = "it was removed"
        elif not ended.code:
            text += ", though it got no order to end"
        has_failed = reason not in ORDERLY
        self._counters.ended(env_label(ended.env_id), reason, has_failed=has_failed)
        if has_failed:
            with self._lock:
                self._died_at.setdefault(ended.env_id, ended.seen_at)
        return Failure(reason, text)

    def all_know(self, ended: Exit, failure: Failure) -> None:
        """Note how long it took until all Envs knew of an end. `failure` is from `ended`."""
        if failure.reason not in ORDERLY:
            self._counters.detected(now() - ended.seen_at)

    def forget(self, env_id: int) -> None:
        """Forget an Env that was removed; no other Env gets its id."""
        with self._lock:
            self._died_at.pop(env_id, None)

    def joined(self, env_id: int, generation: int) -> None:
        """Note that all others know the process of an Env, which had so many before."""
        with self._lock:
            died_at = self._died_at.pop(env_id, None)
        if generation:
            self._counters.restarted(env_label(env_id))
        if died_at is not None:
            self._counters.recovered(now() - died_at)


def died_too_often(env_id: int, times: int, seconds: float, failure: Failure) -> RestartLimit:
    """Make the error for an Env that gets no other process any more."""
    return RestartLimit(
        f"{env_label(env_id)} has died {times} times within {seconds:.3g} s, more often than the settings "
        f"env_restart.max and env_restart.within allow; the last time: {failure.text}"
    )
