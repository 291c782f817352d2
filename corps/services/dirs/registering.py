"""Entering workers into Dirs, and taking them out, from any Env."""

from typing import Any

from corps.addresses import CORPS_DIR, ENV_DIR, ConcAddr
from corps.errors import ConfigError
from corps.messages.outcomes import Refused, Value
from corps.messages.requests import CALL
from corps.runtime.calls.futures import Future
from corps.runtime.env import Env
from corps.services.dirs.dir_copy import DirCopy, Registration
from corps.services.dirs.entries import OPEN, UNIQUE, Scope, check_scope
from corps.workers.names import Name
from corps.workers.properties import Properties, checked_properties


def registration(
    tag: object,
    unique: object,
    where: Scope | None,
    properties: Properties,
    owner: ConcAddr | None = None,
    group: ConcAddr | None = None,
) -> Registration:
    """Check what an author says of an entry.

    Raises:
        ConfigError: The tag is no str, or `where` is no Dir.
        PropertyError: A property cannot be.
    """
    if not isinstance(tag, str):
        raise ConfigError(f"tag={tag!r:.80}: wants a str")
    check_scope(where)
    kept = dict(checked_properties(properties))
    owned_by = None if owner is None else (owner.env, owner.conc)
    of_group = None if group is None else (group.env, group.conc)
    return Registration(tag, UNIQUE if unique else OPEN, kept, where or "corps", owned_by, group=of_group)


def begin_register(env: Env, name: Name[Any], wanted: Registration) -> Future[None]:
    """Register a worker. The Future is done when all Envs have that; or it fails with NameTaken, WorkerGone.

    Raises:
        ConfigError: It is no Name of a worker of this Corps.
    """
    copy, addr = env.parts.get(DirCopy), _addr_of(env, name)
    if addr.env == env.id:
        asked: Future[Any] = copy.enter(addr.conc, wanted)
    else:
        there = ConcAddr(env.corps_id, addr.env, ENV_DIR)
        asked = env.ask(CALL, there, "enter", (addr.conc, wanted), {})
    done: Future[None] = Future()

    def arrived(answer: Future[Any]) -> None:
        outcome = answer.outcome
        assert outcome is not None
        opened = outcome.opened()
        if isinstance(opened, Value):
            error = copy.opened(name, wanted, opened.value)
            opened = Value(None) if error is None else Refused(error)
        done.settle(opened)

    asked.when_settled(arrived)
    return done


def begin_unregister(
    env: Env, name: Name[Any], tag: str | None, where: Scope | None, owner: ConcAddr | None = None
) -> Future[bool]:
    """Take a worker out. The Future of whether it was registered is done when all Envs know that.

    Raises:
        ConfigError: It is no Name of a worker of this Corps, or another argument has a bad value.
    """
    addr = _addr_of(env, name)
    check_scope(where)
    if tag is not None and not isinstance(tag, str):
        raise ConfigError(f"tag={tag!r:.80}: wants a str, or None")
    asked: list[Future[int]] = []
    if where != "corps" and owner is None:
        there = ConcAddr(env.corps_id, addr.env, ENV_DIR)
        asked.append(env.ask(CALL, there, "leave_own", (addr.conc, tag), {}))
    if where != "env":
        owned_by = None if owner is None else (owner.env, owner.conc)
        args = ((addr.env, addr.conc), tag, owned_by)
        asked.append(env.ask(CALL, ConcAddr(env.corps_id, env.home, CORPS_DIR), "leave", args, {}))
    done: Future[bool] = Future()
    left = list(asked)

    def arrived(answer: Future[int]) -> None:
        outcome = answer.outcome
        assert outcome is not None
        if outcome.failed and answer is asked[-1]:
            done.settle(outcome.opened())
        left.remove(answer)
        if not left:
            found = [each.result() for each in asked if each.failure() is None]
            done.settle(Value(any(found)))

    for each in asked:
        each.when_settled(arrived)
    return done


def _addr_of(env: Env, name: Name[Any]) -> ConcAddr:
    if not isinstance(name, Name):
        raise ConfigError(f"{name!r:.80} cannot be registered: wants the Name of a worker")
    if name._addr.corps != env.corps_id:
        raise ConfigError(f"{name!r} cannot be registered here: it is of another Corps")
    return name._of_one
