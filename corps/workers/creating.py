"""Creating one worker, in the Env that is chosen for it, and below the Mgr that it gets."""

from typing import TYPE_CHECKING, Any, Final

from corps.addresses import BOOT_ENV, CORPS_MGR, ENV_MGR, FRONT
from corps.errors import ClosedError
from corps.messages.outcomes import Value
from corps.messages.requests import CALL
from corps.runtime.calls.futures import Future
from corps.runtime.cells.constructing import construct_here, construct_soon
from corps.runtime.cells.records import Record, if_needed
from corps.runtime.context import current
from corps.runtime.env import Env
from corps.workers.names import Name

if TYPE_CHECKING:
    from corps.runtime.cells.cell import Cell
    from corps.runtime.cells.family import Family

_TRIES: Final = 3  # a worker that dies with its Env before its Mgr knows it is created again


def create_at(
    env: Env, place: int, mgr: "Cell", record: Record, seconds: float | None, *, is_soon: bool = False
) -> Future[Any]:
    """Create a worker below a Mgr of this Env; its constructor runs in a thread of the pool if `is_soon`."""
    if place == env.id:
        cell = env.lives.new_cell(record, mgr.name, mgr.addr)
        if not mgr.family.adopt(cell.addr, cell.name, if_needed(record)):
            cell.ending.finish()
            raise ClosedError(f"{mgr} ends, and its workers with it: it can create no more")
        return construct_soon(cell, record) if is_soon else construct_here(cell, record)
    order, family = (record, mgr.name, mgr.addr), mgr.family
    made = env.ask(CALL, env.manager_of(place), "create", order, {}, seconds, retries=_TRIES)
    made.when_settled(lambda done: _adopt(env, family, done, if_needed(record)))
    return made


def create_for_corps(env: Env, place: int, record: Record, seconds: float | None) -> Future[Any]:
    """Create a worker below the Corps object, from any Env."""
    return env.ask(CALL, env.manager_of(_env_of_corps(env)), "create_for_corps", (record, place), {}, seconds)


def replicate_for_corps(env: Env, order: tuple[Any, ...], seconds: float | None) -> Future[Any]:
    """Create a group of workers below the Corps object, from any Env; see `EnvMgr.replicate_for_corps`."""
    return env.ask(CALL, env.manager_of(_env_of_corps(env)), "replicate_for_corps", order, {}, seconds)


def _env_of_corps(env: Env) -> int:
    """Return the id of the Env with the Corps object; of one that is alone its own."""
    if env.peers is None or env.id == FRONT:
        return env.id
    return FRONT if FRONT in env.peers.ids() else env.home


def corps_here(env: Env) -> "Cell":
    """Return the cell of the Corps object, if it lives here, or else that of the EnvMgr.

    Raises:
        ClosedError: The EnvMgr has ended.
    """
    for cell in env.registry.cells() if env.peers is not None else ():
        mgr = cell.mgr_addr
        if mgr is not None and mgr.env == BOOT_ENV and mgr.conc == CORPS_MGR:
            return cell
    return _env_mgr(env)


def _env_mgr(env: Env) -> "Cell":
    mgr = env.registry.find(ENV_MGR)
    if mgr is None:
        raise ClosedError(f"the workers of {env.label} have ended: none can be created there any more")
    return mgr


def mgr_here(env: Env) -> "Cell":
    """Return the cell of the worker that creates others here: the one that runs, or else the EnvMgr.

    Raises:
        ClosedError: The EnvMgr has ended.
    """
    here = current.get()
    if here is not None and here.env is env and here.cell is not None:
        return here.cell
    return _env_mgr(env)


def _adopt(env: Env, family: "Family", made: Future[Name[Any]], record: Record | None) -> None:
    """Let the Mgr of a worker in another Env know it, or end the worker if its Mgr is ending."""
    if made.outcome is None or made.outcome.failed:
        return
    name = made.result()
    if family.adopt(name._addr, name, record):
        env.others.adopted(family, name._addr)
    else:
        env.exit(name._addr)


def with_deadline(made: Future[Any], seconds: float) -> Future[Any]:
    """Return a Future of the same Name whose requests have a deadline."""
    limited: Future[Any] = Future()

    def arrived(done: Future[Any]) -> None:
        outcome = done.outcome
        assert outcome is not None
        opened = outcome.opened()
        if isinstance(opened, Value):
            opened = Value(opened.value.options(deadline=seconds))
        limited.settle(opened)

    made.when_settled(arrived)
    return limited
