"""Where a worker lives.

A `ConcAddr` is a logical address inside its Corps. It names no host, no socket and no process, so it stays
true when an Env moves or starts again. Values only.
"""

from typing import Any, Final, NamedTuple

BOOT_ENV: Final = 0  # id of the Env inside the process that booted the Corps, which hosts the CorpsMgr
FRONT: Final = -1
"""Id of the front Env, the one in which the Corps object lives. No worker is placed there unless asked."""

ENV_MGR = 0  # conc id of the EnvMgr, in every Env
CORPS_MGR = 1  # conc id of the CorpsMgr, in the Env of the process that booted

SERVICES: Final = 2**31
"""The first of the conc ids of services, the same in every process of every Env. No other worker has one."""

SERVICES_MGR: Final = SERVICES  # conc id of the Mgr of the services of an Env

CORPS_DIR: Final = SERVICES + 1
"""Conc id of the service that keeps the Dir of the Corps, in the Env `Env.home`."""

ENV_DIR: Final = SERVICES + 2
"""Conc id of the service that keeps the Dir of an Env, and a copy of that of the Corps."""

ENV_TIMERS: Final = SERVICES + 3
"""Conc id of the service that calls workers of an Env for the timers of other Envs."""

ROUTES: Final = SERVICES + 4
"""Conc id of the service that knows which workers are behind a Name of "any of them"."""

LOGS: Final = SERVICES + 7  # conc id of the service that takes log records, in the Env `Env.home`
LOG_AGENT: Final = SERVICES + 8  # conc id of the service that says to an Env what log records are wanted
LOG_FOLLOWING: Final = SERVICES + 6  # conc id of the service that gives log records to readers, in `Env.home`

CORPS_TIMERS: Final = SERVICES + 5
"""Conc id of the service that keeps the durable timers of the Corps, in the Env `Env.home`."""

BORDER: Final = SERVICES + 9
"""Conc id of the service that other Corps may ask: where an Env is, and what there is."""

FOREIGN: Final = 2**40
"""The first of the numbers by which an Env knows Envs of other Corps. No other Env knows them."""

GENERATION: Final = 2**32
"""Workers that one process of an Env can have: the conc ids of its next process begin there."""


class ConcAddr(NamedTuple):
    """The address of one worker. It is never given to another one."""

    corps: str  # random id of the Corps, 16 hexadecimal digits
    env: int  # id of the Env inside the Corps: from 1 on, or BOOT_ENV, or FRONT
    conc: int  # id of the worker inside its Env

    def as_plain(self) -> tuple[Any, ...]:
        """Return it as plain data: what a Name is packed with."""
        return tuple(self)

    def __str__(self) -> str:
        generation, number = divmod(self.conc, GENERATION)
        process = f".{generation}" if generation else ""
        return f"{self.corps[:6]}/{env_label(self.env)}{process}/{number}"


def env_label(env_id: int) -> str:
    """Return what texts call an Env."""
    return "front" if env_id == FRONT else f"env{env_id}"


def first_number(generation: int) -> int:
    """Return the lowest conc id that a process of an Env gives to a worker other than its EnvMgr."""
    return max(ENV_MGR, generation * GENERATION)


def generation_of(number: int) -> int:
    """Return the number of processes that the Env had before the one that gave this conc id."""
    return number // GENERATION


def is_service(number: int) -> bool:
    """Return whether a conc id is that of a service, or of the Mgr of services."""
    return SERVICES <= number < GENERATION


def is_runtimes_own(number: int) -> bool:
    """Return whether a conc id is that of an EnvMgr, or of a service."""
    return number == ENV_MGR or SERVICES <= number < GENERATION
