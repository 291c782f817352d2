"""Actors over threads and processes: ordinary classes, called as usual, ended in order.

    import corps

    class Counter(corps.Conc):  # a worker: it handles one request at a time
        def __init__(self, start=0):
            self.value = start

        def add(self, n=1):
            self.value += n
            return self.value

    with corps.env() as env:  # workers in this process; corps.boot("app.py") starts further ones
        counter = env.create(Counter, 10)  # a Name: it stands for the worker
        assert counter.add(5).ret == 15  # a call gives a Future; .ret waits for its value

What is public is here, in `corps.__all__`, and in `corps.testing`, which is imported by itself. All other
modules of the package may change without notice.

    applications   boot, aboot, BootedName, env, LocalEnv, freeze_support
    others         connect, ConnectedName, operate, Operator
    workers        Conc, Funcs, Corps, create, create_funcs, singleton, options, Options, envs, my_host
    several        Group, pool, Pool, Scale, pool_state, PoolState
    declaring      Restart, idempotent, interleave, readonly, public, allow, func
    calls          Name, Future, Promise, RemoteIterator, call, ask, asking
    waiting        wait_any, wait_all, as_completed, gather, shield
    many items     map, amap, starmap, imap_unordered, filter, reduce, Results, Executor,
                   register_joblib
    looking on     watch, unwatch, Ended, env_events, EnvEvent, News, statistics, dead_letters, DeadLetters,
                   DeadLetter, Subscription, undelivered_to, aundelivered_to, watch_refusals, Refusal
    finding        register, unregister, find, find_all, watch_dir, aregister, aunregister, afind, Dir,
                   DirWatch, Entered, Left, Changed
    timers         after, every, at, timers, Timer, Timers, clock_offset, ClockOffset
    the log        log_to, log_level, LogSink
    request steps  Request, Outcome, caller, Caller
    credentials    Authenticator, new_token, token_hash
    files          store, load
    settings       Settings
    errors         CorpsError and those derived from it
"""

import importlib

TYPE_CHECKING = False  # type checkers know it by its name; `typing` takes longer to import than all of this
if TYPE_CHECKING:
    from collections.abc import Mapping

    from corps.errors import AlreadySettled as AlreadySettled
    from corps.errors import BootError as BootError
    from corps.errors import BrokenError as BrokenError
    from corps.errors import BrokenPromise as BrokenPromise
    from corps.errors import Cancelled as Cancelled
    from corps.errors import ClosedError as ClosedError
    from corps.errors import ComponentError as ComponentError
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
    from corps.errors import KeyRingError as KeyRingError
    from corps.errors import LoadError as LoadError
    from corps.errors import LoopBlocked as LoopBlocked
    from corps.errors import NameTaken as NameTaken
    from corps.errors import NewerFormat as NewerFormat
    from corps.errors import NoSuchEnv as NoSuchEnv
    from corps.errors import NoSuchKey as NoSuchKey
    from corps.errors import NoSuchMethod as NoSuchMethod
    from corps.errors import NoSuchWorker as NoSuchWorker
    from corps.errors import NotAFile as NotAFile
    from corps.errors import NotAuthenticated as NotAuthenticated
    from corps.errors import NotFound as NotFound
    from corps.errors import NoTimeServer as NoTimeServer
    from corps.errors import NotPermitted as NotPermitted
    from corps.errors import Overloaded as Overloaded
    from corps.errors import PackError as PackError
    from corps.errors import PackingError as PackingError
    from corps.errors import PoisonRequest as PoisonRequest
    from corps.errors import PropertyError as PropertyError
    from corps.errors import RemoteError as RemoteError
    from corps.errors import RequestError as RequestError
    from corps.errors import RestartLimit as RestartLimit
    from corps.errors import StorageError as StorageError
    from corps.errors import SupervisionError as SupervisionError
    from corps.errors import UnpackError as UnpackError
    from corps.errors import Unreachable as Unreachable
    from corps.errors import UnsafeFile as UnsafeFile
    from corps.errors import Untrusted as Untrusted
    from corps.errors import VersionMismatch as VersionMismatch
    from corps.errors import WaitTimeout as WaitTimeout
    from corps.errors import WireError as WireError
    from corps.errors import WorkerGone as WorkerGone
    from corps.launch.boot import aboot as aboot
    from corps.launch.boot import boot as boot
    from corps.launch.boot import freeze_support as freeze_support
    from corps.launch.booted_name import BootedName as BootedName
    from corps.launch.choosing import options as options
    from corps.launch.connecting import ConnectedName as ConnectedName
    from corps.launch.connecting import connect as connect
    from corps.launch.local import LocalEnv as LocalEnv
    from corps.launch.local import env as env
    from corps.launch.operating import Operator as Operator
    from corps.launch.operating import operate as operate
    from corps.messages.callers import Caller as Caller
    from corps.messages.dead_letters import DeadLetter as DeadLetter
    from corps.messages.env_event import EnvEvent as EnvEvent
    from corps.messages.outcomes import Outcome as Outcome
    from corps.messages.refusal import Refusal as Refusal
    from corps.messages.requests import Request as Request
    from corps.packing.storage import load as load
    from corps.packing.storage import store as store
    from corps.parallel.awaiting import amap as amap
    from corps.parallel.executor import Executor as Executor
    from corps.parallel.joblib_backend import register_joblib as register_joblib
    from corps.parallel.mapping import Results as Results
    from corps.parallel.mapping import map as map
    from corps.parallel.others import filter as filter
    from corps.parallel.others import imap_unordered as imap_unordered
    from corps.parallel.others import reduce as reduce
    from corps.parallel.others import starmap as starmap
    from corps.runtime.calls.futures import Future as Future
    from corps.runtime.calls.waiting import as_completed as as_completed
    from corps.runtime.calls.waiting import gather as gather
    from corps.runtime.calls.waiting import shield as shield
    from corps.runtime.calls.waiting import wait_all as wait_all
    from corps.runtime.calls.waiting import wait_any as wait_any
    from corps.scaling.scale import Scale as Scale
    from corps.security.authenticators import Authenticator as Authenticator
    from corps.security.authenticators import new_token as new_token
    from corps.security.authenticators import token_hash as token_hash
    from corps.services.dirs.dir_watch import DirWatch as DirWatch
    from corps.services.dirs.entries import Changed as Changed
    from corps.services.dirs.entries import Entered as Entered
    from corps.services.dirs.entries import Left as Left
    from corps.services.dirs.finding import afind as afind
    from corps.services.dirs.finding import aregister as aregister
    from corps.services.dirs.finding import aunregister as aunregister
    from corps.services.dirs.finding import find as find
    from corps.services.dirs.finding import find_all as find_all
    from corps.services.dirs.finding import register as register
    from corps.services.dirs.finding import unregister as unregister
    from corps.services.dirs.finding import watch_dir as watch_dir
    from corps.services.dirs.service import Dir as Dir
    from corps.services.logs.choosing import LogSink as LogSink
    from corps.services.logs.choosing import log_level as log_level
    from corps.services.logs.choosing import log_to as log_to
    from corps.services.scaling.beginning import PoolState as PoolState
    from corps.services.scaling.beginning import pool_state as pool_state
    from corps.services.timers.clock_offset import ClockOffset as ClockOffset
    from corps.services.timers.clock_offset import clock_offset as clock_offset
    from corps.services.timers.setting import after as after
    from corps.services.timers.setting import at as at
    from corps.services.timers.setting import every as every
    from corps.services.timers.setting import timers as timers
    from corps.services.undelivered import aundelivered_to as aundelivered_to
    from corps.services.undelivered import undelivered_to as undelivered_to
    from corps.settings import Settings as Settings
    from corps.supervision.restarts import Restart as Restart
    from corps.workers.allowing import allow as allow
    from corps.workers.asking import asking as asking
    from corps.workers.caller import caller as caller
    from corps.workers.calling import ask as ask
    from corps.workers.calling import call as call
    from corps.workers.conc import Conc as Conc
    from corps.workers.corps import Corps as Corps
    from corps.workers.dead_letters import DeadLetters as DeadLetters
    from corps.workers.dead_letters import Subscription as Subscription
    from corps.workers.dead_letters import dead_letters as dead_letters
    from corps.workers.env_events import env_events as env_events
    from corps.workers.everywhere import statistics as statistics
    from corps.workers.factory import Options as Options
    from corps.workers.factory import create as create
    from corps.workers.factory import create_funcs as create_funcs
    from corps.workers.factory import envs as envs
    from corps.workers.factory import singleton as singleton
    from corps.workers.func import func as func
    from corps.workers.funcs import Funcs as Funcs
    from corps.workers.groups import Group as Group
    from corps.workers.idempotence import idempotent as idempotent
    from corps.workers.iterators import RemoteIterator as RemoteIterator
    from corps.workers.marks import interleave as interleave
    from corps.workers.marks import public as public
    from corps.workers.marks import readonly as readonly
    from corps.workers.names import Name as Name
    from corps.workers.news import News as News
    from corps.workers.placement import my_host as my_host
    from corps.workers.pools import Pool as Pool
    from corps.workers.pools import pool as pool
    from corps.workers.promise import Promise as Promise
    from corps.workers.refusals import watch_refusals as watch_refusals
    from corps.workers.timers import Timer as Timer
    from corps.workers.timers import Timers as Timers
    from corps.workers.watching import Ended as Ended
    from corps.workers.watching import unwatch as unwatch
    from corps.workers.watching import watch as watch

__version__ = "0.1.0"

__all__ = [
    "AlreadySettled",
    "Authenticator",
    "BootError",
    "BootedName",
    "BrokenError",
    "BrokenPromise",
    "Caller",
    "Cancelled",
    "Changed",
    "ClockOffset",
    "ClosedError",
    "ComponentError",
    "Conc",
    "ConfigError",
    "ConnectedName",
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
    "Dir",
    "DirWatch",
    "Ended",
    "Entered",
    "EnvEvent",
    "EnvLost",
    "EnvStartError",
    "Executor",
    "Fail",
    "Funcs",
    "Future",
    "Group",
    "InternalError",
    "JoinRefused",
    "KeyRingError",
    "Left",
    "LoadError",
    "LocalEnv",
    "LogSink",
    "LoopBlocked",
    "Name",
    "NameTaken",
    "NewerFormat",
    "News",
    "NoSuchEnv",
    "NoSuchKey",
    "NoSuchMethod",
    "NoSuchWorker",
    "NoTimeServer",
    "NotAFile",
    "NotAuthenticated",
    "NotFound",
    "NotPermitted",
    "Operator",
    "Options",
    "Outcome",
    "Overloaded",
    "PackError",
    "PackingError",
    "PoisonRequest",
    "Pool",
    "PoolState",
    "Promise",
    "PropertyError",
    "Refusal",
    "RemoteError",
    "RemoteIterator",
    "Request",
    "RequestError",
    "Restart",
    "RestartLimit",
    "Results",
    "Scale",
    "Settings",
    "StorageError",
    "Subscription",
    "SupervisionError",
    "Timer",
    "Timers",
    "UnpackError",
    "Unreachable",
    "UnsafeFile",
    "Untrusted",
    "VersionMismatch",
    "WaitTimeout",
    "WireError",
    "WorkerGone",
    "aboot",
    "afind",
    "after",
    "allow",
    "amap",
    "aregister",
    "as_completed",
    "ask",
    "asking",
    "at",
    "aundelivered_to",
    "aunregister",
    "boot",
    "call",
    "caller",
    "clock_offset",
    "connect",
    "create",
    "create_funcs",
    "dead_letters",
    "env",
    "env_events",
    "envs",
    "every",
    "filter",
    "find",
    "find_all",
    "freeze_support",
    "func",
    "gather",
    "idempotent",
    "imap_unordered",
    "interleave",
    "load",
    "log_level",
    "log_to",
    "map",
    "my_host",
    "new_token",
    "operate",
    "options",
    "pool",
    "pool_state",
    "public",
    "readonly",
    "reduce",
    "register",
    "register_joblib",
    "shield",
    "singleton",
    "starmap",
    "statistics",
    "store",
    "timers",
    "token_hash",
    "undelivered_to",
    "unregister",
    "unwatch",
    "wait_all",
    "wait_any",
    "watch",
    "watch_dir",
    "watch_refusals",
]

_FILES: "Mapping[str, str]" = {
    "errors": (
        "AlreadySettled BootError BrokenError BrokenPromise Cancelled ClosedError ComponentError "
        "ConfigError ContextError CorpsError CorpsLost CorpsStartError Damaged DeadlineExceeded "
        "DeadlockError DefinitionError EnvLost EnvStartError Fail InternalError JoinRefused KeyRingError "
        "LoadError LoopBlocked NameTaken NewerFormat NoSuchEnv NoSuchKey NoSuchMethod NoSuchWorker NotAFile "
        "NotAuthenticated NotFound NoTimeServer NotPermitted Overloaded PackError PackingError "
        "PoisonRequest PropertyError RemoteError RequestError RestartLimit StorageError SupervisionError "
        "UnpackError Unreachable UnsafeFile Untrusted VersionMismatch WaitTimeout WireError WorkerGone"
    ),
    "launch.boot": "aboot boot freeze_support",
    "launch.booted_name": "BootedName",
    "launch.choosing": "options",
    "launch.connecting": "ConnectedName connect",
    "launch.local": "LocalEnv env",
    "launch.operating": "Operator operate",
    "messages.callers": "Caller",
    "messages.dead_letters": "DeadLetter",
    "messages.env_event": "EnvEvent",
    "messages.outcomes": "Outcome",
    "messages.refusal": "Refusal",
    "messages.requests": "Request",
    "packing.storage": "load store",
    "parallel.awaiting": "amap",
    "parallel.executor": "Executor",
    "parallel.joblib_backend": "register_joblib",
    "parallel.mapping": "Results map",
    "parallel.others": "filter imap_unordered reduce starmap",
    "runtime.calls.futures": "Future",
    "runtime.calls.waiting": "as_completed gather shield wait_all wait_any",
    "security.authenticators": "Authenticator new_token token_hash",
    "services.dirs.dir_watch": "DirWatch",
    "services.dirs.entries": "Changed Entered Left",
    "services.dirs.finding": "afind aregister aunregister find find_all register unregister watch_dir",
    "services.dirs.service": "Dir",
    "scaling.scale": "Scale",
    "services.logs.choosing": "LogSink log_level log_to",
    "services.scaling.beginning": "PoolState pool_state",
    "services.timers.clock_offset": "ClockOffset clock_offset",
    "services.timers.setting": "after at every timers",
    "services.undelivered": "aundelivered_to undelivered_to",
    "settings": "Settings",
    "supervision.restarts": "Restart",
    "workers.allowing": "allow",
    "workers.asking": "asking",
    "workers.caller": "caller",
    "workers.calling": "ask call",
    "workers.conc": "Conc",
    "workers.corps": "Corps",
    "workers.dead_letters": "DeadLetters Subscription dead_letters",
    "workers.env_events": "env_events",
    "workers.everywhere": "statistics",
    "workers.factory": "Options create create_funcs envs singleton",
    "workers.func": "func",
    "workers.funcs": "Funcs",
    "workers.groups": "Group",
    "workers.idempotence": "idempotent",
    "workers.iterators": "RemoteIterator",
    "workers.marks": "interleave public readonly",
    "workers.names": "Name",
    "workers.news": "News",
    "workers.placement": "my_host",
    "workers.pools": "Pool pool",
    "workers.promise": "Promise",
    "workers.refusals": "watch_refusals",
    "workers.timers": "Timer Timers",
    "workers.watching": "Ended unwatch watch",
}
"""The files that define what is public, and what: the imports for type checkers above, once more."""


if not TYPE_CHECKING:  # for type checkers nothing is here but what is imported above

    def __getattr__(name):
        """Import what is public when it is first asked for: all of it takes as long as ten interpreters."""
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        file = next(file for file, names in _FILES.items() if name in names.split())
        importlib.import_module(f"{__name__}.main_interpreter")  # which refuses others
        value = globals()[name] = getattr(importlib.import_module(f"{__name__}.{file}"), name)
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
