"""The application's Corps: its creation, the last step of a boot, and its end."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from corps.addresses import FRONT, ConcAddr
from corps.errors import (
    CorpsError,
    CorpsStartError,
    EnvLost,
    EnvStartError,
    PackError,
    Remote,
    RemoteError,
    remote_of,
)
from corps.launch.patience import Patience
from corps.messages.outcomes import Outcome, Refused, Value
from corps.messages.requests import CALL
from corps.runtime.calls.futures import Future
from corps.runtime.cells.cell import Cell
from corps.runtime.cells.records import Record, if_needed
from corps.runtime.env import Env
from corps.workers.names import Name


def create_application(env: Env, mgr: Cell, application: Record) -> Name[Any]:
    """Have the front construct the application's Corps, which the CorpsMgr `mgr` adopts."""
    try:
        order = (application, mgr.name, mgr.addr)
        name: Name[Any] = env.ask(CALL, env.manager_of(FRONT), "create", order, {}).result()
    except PackError:
        raise
    except RemoteError as error:
        remote = remote_of(error) or Remote()
        text = f"the constructor of the Corps raised {remote.summary}\n{remote.traceback}"
        raise CorpsStartError(text) from error
    except EnvLost as error:
        raise EnvStartError(f"the constructor of the Corps did not survive: {error}") from error
    except CorpsError as error:
        raise CorpsStartError(f"the Corps could not be constructed: {error}") from error
    mgr.family.adopt(name._addr, name, if_needed(application))
    env.others.adopted(mgr.family, name._addr)
    return name


def end_workers(env: Env, addrs: Sequence[ConcAddr], patience: Patience) -> list[Outcome]:
    """End workers in order, all at once, when the Corps ends, and return how each ended.

    What cannot end in order ends with its process, which is no failure.
    """
    outcomes: list[Outcome] = [Value(None)] * len(addrs)
    asked: dict[int, Future[Any]] = {}
    for index, addr in enumerate(() if patience.is_over else addrs):
        with suppress(CorpsError):
            asked[index] = env.exit(addr)
    for index, ended in asked.items():
        error = ended.failure() if patience.wait(ended) else None
        if isinstance(error, RemoteError):
            outcomes[index] = Refused(error)
    return outcomes
