"""The CorpsMgr: the Conc that answers for the whole Corps. One per Corps."""

from collections.abc import Callable
from threading import Thread
from typing import Any, ClassVar

from corps.addresses import ConcAddr
from corps.membership.membership import Membership
from corps.messages.outcomes import Outcome, Raised, Value
from corps.runtime.calls.futures import Future
from corps.runtime.cells.keeping import Kept
from corps.runtime.env import Env
from corps.runtime.threads.thread_starts import start_thread
from corps.workers.conc import Conc


class CorpsMgr(Conc):
    """The Mgr of the application's Corps. It lives in the booting process, whose end is the Corps's end.

    It interleaves: nobody waits while an Env starts.
    """

    interleave: ClassVar[bool | int] = True

    def __init__(self, env: Env, membership: Membership) -> None:
        """For the boot of a Corps.

        Args:
            env: The Env of the booting process.
            membership: The processes of the Corps.
        """
        self._env = env
        self._membership = membership

    async def add_env(self) -> int:
        """Start one more Env; see `Membership.add_env`."""
        env_id: int = await self._aside(self._membership.add_env)
        return env_id

    async def remove_env(self, env_id: int, timeout: float | None = None) -> None:
        """End an Env; see `Membership.remove_env`.

        Args:
            env_id: Which.
            timeout: Seconds for its workers to be drained.
        """
        await self._aside(lambda: self._membership.remove_env(env_id, timeout))

    async def cannot_reach(self, one: tuple[int, int], by: tuple[int, int], reason: str) -> None:
        """An Env cannot reach another one any more: the process of one of them ends, and it gets another one.

        Args:
            one: The other one: its id, and the generation of its process.
            by: The same of the one that says so.
            reason: Why.
        """
        self._membership.cannot_reach(one, by, reason)

    def _aside(self, work: Callable[[], Any]) -> Future[Any]:
        """Do in a thread of its own what takes a while."""
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

    async def keep(self, worker: ConcAddr, incarnation: int, state: Kept) -> None:
        """Keep the state of a worker in place of the one before.

        Args:
            worker: Whose.
            incarnation: Which of its incarnations it is of.
            state: Packed.
        """
        self._env.lives.kept.keep(worker, incarnation, state)

    async def kept(self, worker: ConcAddr, incarnation: int) -> Kept | None:
        """The last state of a worker, packed; None if none was kept.

        Args:
            worker: Whose.
            incarnation: Which one begins with it.
        """
        return self._env.lives.kept.kept(worker, incarnation)

    async def forget(self, worker: ConcAddr) -> None:
        """A worker has ended for good: its state is not needed any more.

        Args:
            worker: Whose.
        """
        self._env.lives.kept.forget(worker)
