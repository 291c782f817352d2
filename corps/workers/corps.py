"""The Corps: the Conc that fronts an application."""

from contextvars import ContextVar
from typing import Any, ClassVar

from corps.addresses import BOOT_ENV, CORPS_MGR, ConcAddr
from corps.errors import ContextError, DefinitionError
from corps.exporting import exported
from corps.messages.requests import CALL
from corps.runtime.calls.futures import Future
from corps.runtime.calls.travelling import fault_of
from corps.workers.conc import Conc


@exported
class Corps(Conc):
    """An application, or a part of one: its public methods are its API.

    `corps.boot` starts one over several Envs; `corps.create` makes one that is contained in its creator.
    If the class defines ``run(self, *args)``, ``corps run`` calls that, prints what it returns, and ends.

    Attributes:
        travels: The context variables whose values travel with each request, if `corps.boot` starts the
            class. The worker that runs the request sees them, and so do the workers that it asks meanwhile.
    """

    travels: ClassVar[tuple[ContextVar[Any], ...]] = ()

    _corps_declared: ClassVar[frozenset[str]] = frozenset({"travels"})

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Check what the class declares, as `Conc` does.

        Raises:
            DefinitionError: As there; or `travels` is no tuple of ContextVars whose names differ.
        """
        super().__init_subclass__(**kwargs)
        if fault := fault_of(cls.travels):
            raise DefinitionError(f"{cls.__qualname__}.travels is {cls.travels!r:.200}: {fault}")

    def add_env(self, *, host: str | None = None) -> Future[int]:
        """Start one more Env. Workers elsewhere stay where they are. New ones are created there, too.

        The Corps goes on with its requests meanwhile.

        Args:
            host: The name of its host, if the Corps has several; None for that of the booting process.

        Returns:
            A Future of its id, for ``corps.options(env=...)``. No Env of the Corps has it again.

        Raises:
            BootError: It did not start.
            ConfigError: The Corps has no such host.
            ContextError: This Corps was not booted.
        """
        return self._ask_corps_mgr("add_env", host)

    def remove_env(self, env_id: int, timeout: float | None = None) -> Future[None]:
        """End an Env. It gets no new workers; each that it has is drained; then its process ends.

        The Corps goes on with its requests meanwhile.

        Args:
            env_id: Its id; not that of the front, where the Corps object lives.
            timeout: Seconds for the workers to do what waits for them; None for as long as it takes. Then
                they end as in the end of a Corps.

        Returns:
            A Future of None, done when its process has ended.

        Raises:
            ConfigError: There is no such Env, or it cannot be removed.
            ContextError: This Corps was not booted.
        """
        return self._ask_corps_mgr("remove_env", env_id, timeout)

    def _ask_corps_mgr(self, method: str, *args: Any) -> Future[Any]:
        cell = self._corps_own_cell()
        if cell.env.peers is None:
            raise ContextError(
                f"{cell} lives in an Env that is alone: a Corps that was booted has further ones"
            )
        corps_mgr = ConcAddr(cell.addr.corps, BOOT_ENV, CORPS_MGR)
        answer: Future[Any] = cell.env.ask(CALL, corps_mgr, method, args, {})
        return answer
