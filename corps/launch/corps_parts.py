"""What a Corps that runs is made of, in the booting process."""

from dataclasses import dataclass
from typing import Any

from corps.launch.death_follower import DeathFollower
from corps.launchers.local.processes import ProcessHost
from corps.membership.membership import Membership
from corps.runtime.cells.cell import Cell
from corps.runtime.env import Env
from corps.workers.names import Name


@dataclass(frozen=True, slots=True)
class CorpsParts:
    """The parts, all of them at work.

    Attributes:
        host: Starts processes on this host.
        env: The Env of this process.
        membership: The processes of the Corps.
        deaths: Tells all Envs which processes have ended.
        mgr: The CorpsMgr.
        name: The application's Corps.
        finish_timeout: Seconds that requests of the script may take when the end begins.
    """

    host: ProcessHost
    env: Env
    membership: Membership
    deaths: DeathFollower
    mgr: Cell
    name: Name[Any]
    finish_timeout: float
