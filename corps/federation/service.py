"""What other Corps may ask of an Env without a Name of it: a few facts.

Those of the same owner may also set the levels of its log, and read it. What others may ask for is marked as
public, and changes nothing.
"""

import asyncio
from dataclasses import replace
from typing import Any, ClassVar, Final

from corps.addresses import FRONT, LOG_FOLLOWING, LOGS
from corps.clock import now
from corps.errors import ConfigError, NotFound
from corps.federation.border import CorpsBorder
from corps.federation.describing import record_of
from corps.runtime.env import Env
from corps.workers.caller import caller
from corps.workers.conc import Conc
from corps.workers.everywhere import all_envs
from corps.workers.marks import public
from corps.workers.names import Name

_LONGEST: Final = 8.0  # seconds to wait for an Env that is started again
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
