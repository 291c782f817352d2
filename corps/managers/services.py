"""The services of an Env: which there are, and the Mgr that starts those again that fail."""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from corps.addresses import (
    BORDER,
    CORPS_DIR,
    CORPS_TIMERS,
    ENV_DIR,
    ENV_TIMERS,
    LOG_AGENT,
    LOG_FOLLOWING,
    LOGS,
    ROUTES,
    SERVICES_MGR,
)
from corps.federation.finding import ExtCorps
from corps.federation.service import BorderService
from corps.runtime.cells.records import Record
from corps.runtime.env import Env
from corps.runtime.options import WorkerOptions
from corps.runtime.parts import Part
from corps.services.dirs.dir_copy import DirCopy
from corps.services.dirs.primary import DirPrimary
from corps.services.dirs.service import CorpsDir, EnvDir
from corps.services.dirs.singletons import Singletons
from corps.services.logs.hub import LogCollector, LogFollowing, LogHub
from corps.services.logs.outlet import LogAgent, LogOutlet
from corps.services.refusal_file import RefusalFile
from corps.services.timers.env_timers import EnvTimers
from corps.services.timers.service import CorpsTimers, TimersOfCorps, TimersOfOthers
from corps.services.timers.setting import SettingTimers
from corps.services.undelivered import UndeliveredBox
from corps.supervision.restarts import Restart
from corps.workers.conc import Conc
from corps.workers.ended_with import EndedWith
from corps.workers.env_events import EnvEvents
from corps.workers.func import Asked
from corps.workers.routes import Routes, RoutesService

_ROOM: Final = 1_000_000  # requests that may wait: those of other Envs must never meet a full mailbox


class Service(NamedTuple):
    """One service of the runtime. What is None or False below is left out.

    Attributes:
        part: Its local side, made with the Env before that runs anything. It must do next to nothing then.
        number: Conc id of the worker that answers for it, from `corps.addresses`; None if nothing asks.
        cls: The class of that worker, constructed with the Env at its first request.
        is_corps_wide: A Corps has one: it lives in the Env `Env.home`.
    """

    part: Callable[[Env], Part] | None = None
    number: int | None = None
    cls: type[Conc] | None = None
    is_corps_wide: bool = False


SERVICES_OF_EACH: Final[Sequence[Service]] = (
    Service(DirCopy, ENV_DIR, EnvDir),
    Service(Singletons),
    Service(EnvEvents),
    Service(EndedWith),
    Service(ExtCorps),
    Service(RefusalFile),
    Service(UndeliveredBox),
    Service(DirPrimary, CORPS_DIR, CorpsDir, is_corps_wide=True),
    Service(EnvTimers, ENV_TIMERS, TimersOfOthers),
    Service(SettingTimers),
    Service(TimersOfCorps, CORPS_TIMERS, CorpsTimers, is_corps_wide=True),
    Service(Routes, ROUTES, RoutesService),
    Service(Asked),
    Service(LogHub, LOGS, LogCollector, is_corps_wide=True),
    Service(None, LOG_FOLLOWING, LogFollowing, is_corps_wide=True),
    Service(LogOutlet, LOG_AGENT, LogAgent),
    Service(None, BORDER, BorderService),
)
"""All services."""


class ServicesMgr(Conc):
    """Starts the services of its Env again that fail."""


def start_services(env: Env, services: Sequence[Service]) -> None:
    """Make the Parts of an Env, and offer its services. Before it runs anything."""
    options = WorkerOptions(mailbox=_ROOM, restart=Restart())
    records = {SERVICES_MGR: Record(ServicesMgr, (), {}, WorkerOptions("ServicesMgr"))}
    for service in services:
        if service.is_corps_wide and env.id != env.home:
            continue
        if service.part is not None:
            env.parts.add(service.part(env))
        if service.cls is not None and service.number is not None:
            records[service.number] = Record(service.cls, (env,), {}, options)
    env.services.offer(records)
