"""corps: actors over threads and processes. Ordinary classes, called as usual, ended in order.

This file is for applications: nothing inside the package imports it.
"""

import typing

from corps.errors import AlreadySettled as AlreadySettled
from corps.errors import BootError as BootError
from corps.errors import BrokenError as BrokenError
from corps.errors import BrokenPromise as BrokenPromise
from corps.errors import Cancelled as Cancelled
from corps.errors import ClosedError as ClosedError
from corps.errors import ConfigError as ConfigError
from corps.errors import ContextError as ContextError
from corps.errors import CorpsError as CorpsError
from corps.errors import CorpsLost as CorpsLost
from corps.errors import CorpsStartError as CorpsStartError
from corps.errors import Damaged as Damaged
from corps.errors import DeadlineExceeded as DeadlineExceeded
from corps.errors import DeadlockError as DeadlockError
from corps.errors import DefinitionError as DefinitionError
from corps.errors import EnvLost as EnvLost
from corps.errors import EnvStartError as EnvStartError
from corps.errors import Fail as Fail
from corps.errors import InternalError as InternalError
from corps.errors import JoinRefused as JoinRefused
from corps.errors import LoadError as LoadError
from corps.errors import LoopBlocked as LoopBlocked
from corps.errors import NewerFormat as NewerFormat
from corps.errors import NoSuchMethod as NoSuchMethod
from corps.errors import NoSuchWorker as NoSuchWorker
from corps.errors import NotAFile as NotAFile
from corps.errors import NotPermitted as NotPermitted
from corps.errors import Overloaded as Overloaded
from corps.errors import PackError as PackError
from corps.errors import PackingError as PackingError
from corps.errors import PoisonRequest as PoisonRequest
from corps.errors import RemoteError as RemoteError
from corps.errors import RequestError as RequestError
from corps.errors import RestartLimit as RestartLimit
from corps.errors import SupervisionError as SupervisionError
from corps.errors import UnpackError as UnpackError
from corps.errors import Untrusted as Untrusted
from corps.errors import VersionMismatch as VersionMismatch
from corps.errors import WaitTimeout as WaitTimeout
from corps.errors import WireError as WireError
from corps.errors import WorkerGone as WorkerGone
from corps.launch.boot import BootedName as BootedName
from corps.launch.boot import aboot as aboot
from corps.launch.boot import boot as boot
from corps.launch.boot import freeze_support as freeze_support
from corps.launch.local import LocalEnv as LocalEnv
from corps.launch.local import env as env
from corps.messages.dead_letters import DeadLetter as DeadLetter
from corps.messages.endings import Ended as Ended
from corps.messages.outcomes import Outcome as Outcome
from corps.messages.requests import Request as Request
from corps.packing.storage import load as load
from corps.packing.storage import store as store
from corps.runtime.calls.futures import Future as Future
from corps.runtime.calls.waiting import as_completed as as_completed
from corps.runtime.calls.waiting import gather as gather
from corps.runtime.calls.waiting import shield as shield
from corps.runtime.calls.waiting import wait_all as wait_all
from corps.runtime.calls.waiting import wait_any as wait_any
from corps.supervision.restarts import Restart as Restart
from corps.workers.asking import asking as asking
from corps.workers.calling import ask as ask
from corps.workers.calling import call as call
from corps.workers.conc import Conc as Conc
from corps.workers.corps import Corps as Corps
from corps.workers.dead_letters import DeadLetters as DeadLetters
from corps.workers.dead_letters import Subscription as Subscription
from corps.workers.dead_letters import dead_letters as dead_letters
from corps.workers.everywhere import statistics as statistics
from corps.workers.factory import Options as Options
from corps.workers.factory import create as create
from corps.workers.factory import envs as envs
from corps.workers.factory import options as options
from corps.workers.groups import Group as Group
from corps.workers.idempotence import idempotent as idempotent
from corps.workers.iterators import RemoteIterator as RemoteIterator
from corps.workers.names import Name as Name
from corps.workers.promise import Promise as Promise
from corps.workers.watching import unwatch as unwatch
from corps.workers.watching import watch as watch

if typing.TYPE_CHECKING:
    from corps.settings import Settings as Settings

__version__ = "0.1.0"

__all__ = [
    "AlreadySettled",
    "BootError",
    "BootedName",
    "BrokenError",
    "BrokenPromise",
    "Cancelled",
    "ClosedError",
    "Conc",
    "ConfigError",
    "ContextError",
    "Corps",
    "CorpsError",
    "CorpsLost",
    "CorpsStartError",
    "Damaged",
    "DeadLetter",
    "DeadLetters",
    "DeadlineExceeded",
    "DeadlockError",
    "DefinitionError",
    "Ended",
    "EnvLost",
    "EnvStartError",
    "Fail",
    "Future",
    "Group",
    "InternalError",
    "JoinRefused",
    "LoadError",
    "LocalEnv",
    "LoopBlocked",
    "Name",
    "NewerFormat",
    "NoSuchMethod",
    "NoSuchWorker",
    "NotAFile",
    "NotPermitted",
    "Options",
    "Outcome",
    "Overloaded",
    "PackError",
    "PackingError",
    "PoisonRequest",
    "Promise",
    "RemoteError",
    "RemoteIterator",
    "Request",
    "RequestError",
    "Restart",
    "RestartLimit",
    "Settings",
    "Subscription",
    "SupervisionError",
    "UnpackError",
    "Untrusted",
    "VersionMismatch",
    "WaitTimeout",
    "WireError",
    "WorkerGone",
    "aboot",
    "as_completed",
    "ask",
    "asking",
    "boot",
    "call",
    "create",
    "dead_letters",
    "env",
    "envs",
    "freeze_support",
    "gather",
    "idempotent",
    "load",
    "options",
    "shield",
    "statistics",
    "store",
    "unwatch",
    "wait_all",
    "wait_any",
    "watch",
]

# Public things say that they are from `corps`: files can move, and peers of another version still find them.
for _name in {*__all__} - {"Settings"}:
    globals()[_name].__module__ = "corps"
del _name


def __getattr__(name: str) -> typing.Any:
    """Import Settings when somebody asks for it.

    It stands on pydantic, which takes 65 ms to import, and all the rest 100. No template and no Env needs it.
    """
    if name != "Settings":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from corps.settings import Settings

    globals()[name] = Settings
    return Settings


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
