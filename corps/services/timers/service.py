"""The worker that answers for the timers of an Env: it calls workers there for timers of other Envs."""

from corps.runtime.calls.futures import Future
from corps.runtime.env import Env
from corps.services.timers.env_timers import EnvTimers
from corps.services.timers.ticks import Origin, Target
from corps.workers.conc import Conc


class TimersOfOthers(Conc):
    """Takes ticks from the timers of other Envs. It runs one request at a time, in order."""

    def __init__(self, env: Env) -> None:
        """Serve an Env."""
        self._timers = env.parts.get(EnvTimers)

    def tick(self, origin: Origin, target: Target, skipped: int) -> Future[int]:
        """Call a worker of this Env; see `EnvTimers.take`."""
        return self._timers.take(origin, target, skipped)

    def withdraw(self, origin: Origin) -> bool:
        """Withdraw a tick; see `EnvTimers.take_back`."""
        return self._timers.take_back(origin)
