"""The CorpsMgr: the Conc that answers for the application's Corps. One per Corps."""

from typing import Any

from corps.messages.requests import CALL
from corps.runtime.env import Env
from corps.workers.conc import Conc


class CorpsMgr(Conc):
    """The Mgr of the application's Corps. It lives in the booting process, whose end is the Corps's end."""

    def __init__(self, env: Env) -> None:
        """For the boot of a Corps.

        Args:
            env: The Env of the booting process.
        """
        self._env = env

    def statistics(self) -> dict[int, Any]:
        """What goes on in each Env of the Corps."""
        env = self._env
        asked = {
            env_id: env.ask(CALL, env.manager_of(env_id), "statistics", (), {}) for env_id in env.worker_envs
        }
        return {env_id: future.result() for env_id, future in asked.items()}
