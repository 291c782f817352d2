"""The CorpsMgr: the Conc that starts the application's Corps and answers for it. One per Corps."""

from typing import Any

from corps.addresses import ENV_MGR, ConcAddr
from corps.messages.requests import CALL
from corps.runtime.context import current
from corps.runtime.env import Env
from corps.workers.conc import Conc
from corps.workers.names import Name


class CorpsMgr(Conc):
    """The Mgr of the application's Corps. It lives in the booting process, whose end is the Corps's end."""

    def __init__(self, env: Env) -> None:
        """For the boot of a Corps.

        Args:
            env: The Env of the booting process.
        """
        self._env = env
        self._application: Name[Any] | None = None

    def start_application(self, args: tuple[Any, ...], kwargs: dict[str, Any], tag: str) -> Name[Any]:
        """Create the application's Corps in the first Env.

        Args:
            args: For its constructor.
            kwargs: For its constructor.
            tag: Its tag.

        Returns:
            Its Name.

        Raises:
            As its constructor.
        """
        env = self._env
        me = self.my_name()
        here = current.get()
        assert here is not None
        cell = here.cell
        home = ConcAddr(env.corps_id, env.worker_envs[0], ENV_MGR)
        name: Name[Any] = env.ask(
            CALL, home, "start_application", (args, kwargs, tag, me, cell.addr), {}
        ).result()
        cell.family.adopt(name._addr, name)
        self._application = name
        return name

    def statistics(self) -> dict[int, Any]:
        """What goes on in each Env of the Corps."""
        env = self._env
        asked = {
            place: env.ask(CALL, ConcAddr(env.corps_id, place, ENV_MGR), "statistics", (), {})
            for place in env.worker_envs
        }
        return {place: future.result() for place, future in asked.items()}
