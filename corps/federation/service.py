"""What other Corps may ask of an Env without a Name of it: a few facts.

Those of the same owner may also read its log, and operate it. What others may ask for is marked as public,
and changes nothing; the verbs of operators need a rule for the class of the Corps object that names them.
"""

import asyncio
from contextlib import suppress
from dataclasses import replace
from typing import Any, ClassVar, Final

from corps.addresses import BOOT_ENV, CORPS_MGR, FRONT, LOG_FOLLOWING, LOGS, ConcAddr
from corps.clock import now
from corps.errors import ConfigError, ContextError, DeadlineExceeded, EnvLost, NotFound, WorkerGone
from corps.federation.border import CorpsBorder
from corps.federation.describing import record_of
from corps.messages.requests import CALL
from corps.runtime.env import Env
from corps.workers.caller import caller
from corps.workers.conc import Conc
from corps.workers.everywhere import all_envs
from corps.workers.marks import public
from corps.workers.names import Name

_LONGEST: Final = 8.0  # seconds to wait for an Env that is started again
_STACKS: Final = 5.0  # seconds that an Env has to say what its threads do
_LOOK: Final = 0.02  # seconds between two looks


class BorderService(Conc):
    """Answers other Corps. It is the only service that they reach, and these are all its methods."""

    interleave: ClassVar[bool | int] = True

    def __init__(self, env: Env) -> None:
        """Serve an Env."""
        self._env = env

    @public
    async def where_is(self, env_id: int, former: str) -> list[object] | None:
        """Give the record of an Env, as a list. Wait for one that has just died; None if it does not come.

        `former` is the incarnation that the caller cannot reach any more; empty for none.
        """
        border = self._env.border
        until = now() + _LONGEST
        while isinstance(border, CorpsBorder) and now() < until:
            record = border.where_is(env_id)
            if record is None:
                return None
            if record.incarnation not in ("", former):
                return record.as_list()
            await asyncio.sleep(_LOOK)
        return None

    @public
    async def identity(self) -> str:
        """Give the identity of the caller, which credentials may have changed."""
        return caller().identity

    @public
    async def incarnation_of(self, number: int) -> int:
        """Give the incarnation of a worker of this Env, by the number of its address; 0 if it is not here."""
        cell = self._env.registry.find(number)
        return 0 if cell is None else cell.incarnation

    @public
    async def connection_record(self) -> str:
        """Give what a process has to know to reach the Corps: the text of a connection file.

        Raises:
            NotFound: The Corps object is not there: the Corps starts or ends.
        """
        name = self._env.corps_name
        if self._env.id != FRONT or not isinstance(name, Name):
            raise NotFound("the Corps object is not here: its Corps starts or ends, or this is no front")
        cell = self._env.registry.find(name._addr.conc)
        tag = "" if cell is None else cell.tag
        record = record_of(self._env, name, tag)
        if not caller().is_own:  # what is not public, and where things lie here, is none of their business
            public = frozenset() if cell is None else cell.interface.public
            face = replace(record.interface, methods=public)
            record = replace(record, interface=face, pid=1, started="", log_file="", addresses=())
        return record.to_json()

    async def describe(self) -> dict[str, Any]:
        """Give facts about the Env for lists of Corps."""
        workers = [cell for cell in self._env.registry.cells() if cell.mgr_addr is not None]
        return {"env": self._env.id, "envs": list(self._env.worker_envs), "workers": len(workers)}

    # --- verbs of operators: `OPERATING` of `corps.security.permissions` says which rules allow them ---

    async def add_env(self) -> int:
        """Start one more Env; see `Corps.add_env`."""
        env_id: int = await self._ask_corps_mgr("add_env")
        return env_id

    async def remove_env(self, env_id: int, timeout: float | None) -> None:
        """End an Env; see `Corps.remove_env`."""
        await self._ask_corps_mgr("remove_env", env_id, timeout)

    async def stacks(self, env_id: int | None) -> list[list[Any]]:
        """Give what all threads of an Env do, or of all Envs: pairs of its id and a text.

        An Env that does not answer is missing.

        Raises:
            ConfigError: There is no such Env.
        """
        self._check_env(env_id, "no stacks can be shown of")
        places = all_envs(self._env) if env_id is None else [env_id]
        env = self._env
        asked = {at: env.ask(CALL, env.manager_of(at), "stacks", (), {}, _STACKS) for at in places}
        found: list[list[Any]] = []
        for at, answer in asked.items():
            with suppress(DeadlineExceeded, EnvLost, WorkerGone):
                found.append([at, await answer])
        return found

    async def _ask_corps_mgr(self, method: str, *args: Any) -> Any:
        if self._env.peers is None:
            raise ContextError("this Corps has one Env that is alone: one that was booted has further ones")
        corps_mgr = ConcAddr(self._env.corps_id, BOOT_ENV, CORPS_MGR)
        return await self._env.ask(CALL, corps_mgr, method, args, {})

    async def set_log_level(self, rule: list[Any]) -> None:
        """Set from which level on all Envs make log records, as `LogCollector.set_level` does.

        Raises:
            ConfigError: The rule is for an Env that is not there.
        """
        self._check_env(rule[2], "no log level can be set for")
        await self._env.ask_service(self._env.home, LOGS, "set_level", rule)

    async def begin_log(self, reader: str, selection: list[Any]) -> None:
        """Keep log records for a reader from now on, as `LogFollowing.begin` does.

        Raises:
            ConfigError: The selection is of an Env that is not there.
        """
        self._check_env(selection[1], "no log can be followed of")
        await self._env.ask_service(self._env.home, LOG_FOLLOWING, "begin", reader, selection)

    async def next_log(self, reader: str) -> list[dict[str, Any]] | None:
        """Give a reader the next log records, as `LogFollowing.next` does.

        Raises:
            NotFound: The reader has not asked for a long time.
        """
        records: list[dict[str, Any]] | None
        records = await self._env.ask_service(self._env.home, LOG_FOLLOWING, "next", reader)
        return records

    def _check_env(self, env_id: object, what: str) -> None:
        envs = all_envs(self._env)
        if env_id is not None and env_id not in envs:
            known = ", ".join(map(str, envs))
            raise ConfigError(f"{what} env={env_id!r:.80}: there are the Envs {known}")
