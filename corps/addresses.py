"""Where a worker lives.

A `ConcAddr` is a logical address inside its Corps. It names no host, no socket and no process, so it
stays true when an Env moves or is started again. Values only: any thread may use them.
"""

from typing import NamedTuple

FRONT_ENV = 0
"""Id of the Env inside the process that booted the Corps. It hosts the CorpsMgr."""

ENV_MGR = 0
"""Conc id of the EnvMgr, in every Env."""


class ConcAddr(NamedTuple):
    """The address of one worker. It is never given to another one.

    Attributes:
        corps: Random id of the Corps, 16 hexadecimal digits.
        env: Id of the Env inside the Corps; 0 is the process that booted it.
        conc: Id of the worker inside its Env.
    """

    corps: str
    env: int
    conc: int

    def __str__(self) -> str:
        return f"{self.corps[:6]}/env{self.env}/{self.conc}"
