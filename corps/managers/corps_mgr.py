"""The CorpsMgr: the Conc that answers for the whole Corps. One per Corps."""

from collections.abc import Callable
from threading import Thread
from typing import Any, ClassVar

from corps.addresses import ConcAddr
from corps.membership.membership import Membership
from corps.messages.outcomes import Outcome, Raised, Value
from corps.runtime.calls.futures import Future
from corps.runtime.cells.keeping import PackedState
from corps.runtime.env import Env
from corps.runtime.threads.thread_starts import start_thread
from corps.workers.conc import Conc


class CorpsMgr(Conc):
    """The Mgr of the application's Corps, in the booting process. No request waits while an Env starts."""

    interleave: ClassVar[bool | int] = True

    def __init__(self, env: Env, membership: Membership) -> None:
        """Serve a Corps, from the Env of the booting process."""
        self._env = env
        self._membership = membership

    async def add_env(self, host: str | None = None) -> int:
        """Start one more Env; see `Membership.add_env`."""
        env_id: int = await self._aside(lambda: self._membership.add_env(host))
        return env_id

    async def remove_env(self, env_id: int, timeout: float | None = None) -> None:
        """End an Env; see `Membership.remove_env`."""
        await self._aside(lambda: self._membership.remove_env(env_id, timeout))

    async def cannot_reach(self, one: tuple[int, int], by: tuple[int, int], reason: str) -> None:
        """Hear of an Env that cannot reach another one any more; see `Membership.cannot_reach`."""
        self._membership.cannot_reach(one, by, reason)

    def _aside(self, work: Callable[[], Any]) -> Future[Any]:
        """Do long work in a thread of its own."""
        future: Future[Any] = Future()

        def run() -> None:
            try:
                outcome: Outcome = Value(work())
            except BaseException as error:  # the one that waits gets it
                outcome = Raised.capture(error, str(self._corps_cell))
            future.settle(outcome)

        name = "corps-envs"
        start_thread(name, lambda: Thread(target=run, name=name, daemon=True), self._env.alarms)
        return future

    async def keep(self, worker: ConcAddr, incarnation: int, state: PackedState) -> None:
        """Keep the packed state of an incarnation of a worker in place of the one before."""
        self._env.lives.kept.keep(worker, incarnation, state)

    async def kept(self, worker: ConcAddr, incarnation: int) -> PackedState | None:
        """Give the last packed state of a worker to the incarnation that begins with it; None without one."""
        return self._env.lives.kept.kept(worker, incarnation)

    async def forget(self, worker: ConcAddr) -> None:
        """Forget the state of a worker that has ended for good."""
        self._env.lives.kept.forget(worker)
