"""The CorpsMgr: the Conc that answers for the application's Corps. One per Corps."""

from typing import Any

from corps.addresses import ConcAddr
from corps.runtime.env import Env
from corps.runtime.keeping import Kept
from corps.workers.conc import Conc
from corps.workers.everywhere import ask_everywhere


class CorpsMgr(Conc):
    """The Mgr of the application's Corps. It lives in the booting process, whose end is the Corps's end."""

    def __init__(self, env: Env) -> None:
        """For the boot of a Corps.

        Args:
            env: The Env of the booting process.
        """
        self._env = env

    def keep(self, worker: ConcAddr, incarnation: int, state: Kept) -> None:
        """Keep the state of a worker in place of the one before.

        Args:
            worker: Whose.
            incarnation: Which of its incarnations it is of.
            state: Packed.
        """
        self._env.lives.kept.keep(worker, incarnation, state)

    def kept(self, worker: ConcAddr) -> Kept | None:
        """The last state of a worker, packed; None if none was kept.

        Args:
            worker: Whose.
        """
        return self._env.lives.kept.kept(worker)

    def forget(self, worker: ConcAddr) -> None:
        """A worker has ended for good: its state is not needed any more.

        Args:
            worker: Whose.
        """
        self._env.lives.kept.forget(worker)

    def statistics(self) -> dict[int, Any]:
        """What goes on in each Env of the Corps, and what went wrong so far, by the id of the Env."""
        return ask_everywhere(self._env, "statistics", timeout=None)
