"""The application's Corps: its creation, the last step of a boot, and its end."""

from collections.abc import Callable, Sequence
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
    WaitTimeout,
    remote_of,
)
from corps.managers.places import Place, kill_silent
from corps.messages.outcomes import Outcome, Refused, Value
from corps.messages.requests import CALL
from corps.runtime.cell import Cell
from corps.runtime.env import Env
from corps.runtime.futures import Future
from corps.runtime.records import Record, kept
from corps.runtime.waiting import wait_any
from corps.workers.names import Name


def create_application(env: Env, mgr: Cell, application: Record) -> Name[Any]:
    """Have the front Env construct the application's Corps.

    Args:
        env: Of the booting process.
        mgr: The CorpsMgr.
        application: How to construct it.

    Returns:
        Its Name. The CorpsMgr has adopted it.

    Raises:
        PackError: An argument of its constructor cannot be packed.
        CorpsStartError: The constructor raised.
        EnvStartError: The process did not survive it.
    """
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
    mgr.family.adopt(name._addr, name, kept(application))
    env.lives.adopted(mgr.family, name._addr)
    return name


def end_worker(
    env: Env,
    addr: ConcAddr,
    hurry: Future[None],
    places: Callable[[], Sequence[Place]],
    *,
    has_threads: bool,
) -> Outcome:
    """End a worker in order when the Corps ends; it takes as long as it takes, as long as somebody answers.

    Args:
        env: Of the booting process.
        addr: Of the worker.
        hurry: Done when nobody waits for workers any more.
        places: Gives the processes that have not ended.
        has_threads: Whether further threads can be started there: not while the interpreter ends.

    Returns:
        How it ended. What cannot end in order ends with its process, which is no failure.
    """
    if hurry.done():
        return Value(None)
    try:
        ended = env.exit(addr)
        while not ended.done() and not hurry.done():
            try:
                wait_any([ended, hurry], env.options.grace)
            except WaitTimeout:
                if not has_threads:
                    break  # it may want one
                # It may take long, as each of many workers may. But what does not even answer is stopped,
                # or hangs for ever, and nobody could end it later.
                kill_silent(env, places(), env.options.grace)
        error = ended.failure() if ended.done() else None
    except CorpsError as failed:
        error = failed
    return Refused(error) if isinstance(error, RemoteError) else Value(None)
