"""What a timer calls: made of what an author gives, and found again after a restart of the Corps."""

import functools
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from corps.addresses import ConcAddr
from corps.errors import ConfigError, NoSuchWorker, WorkerGone
from corps.runtime.calls.futures import Future
from corps.runtime.env import Env
from corps.services.timers.ticks import Target
from corps.workers.names import Attribute, Method

NO_KEYWORDS: Final[Mapping[str, Any]] = MappingProxyType({})  # one for all: a dict each takes 64 bytes


def method_of(
    what: str, method: object, args: tuple[Any, ...]
) -> tuple[Method, tuple[Any, ...], Mapping[str, Any]]:
    """Return the method of a Name that a timer is to call, with its arguments."""
    if isinstance(method, Method):
        return method, args, NO_KEYWORDS
    if isinstance(method, functools.partial) and isinstance(method.func, Method):
        return method.func, (*method.args, *args), dict(method.keywords)
    if isinstance(method, Attribute):
        method()  # raises what says which methods there are
    if isinstance(method, Future):
        advice = "a Future, because it was called here: give the method itself, without its parentheses"
    elif callable(method):
        advice = (
            f"{method!r:.100}: a timer calls a worker, so that what it does runs in the turn of one. Give a "
            "method of a Name, such as name.refresh; self.my_name().refresh inside a worker"
        )
    else:
        advice = f"{method!r:.100}: give a method of a Name, such as name.refresh"
    raise ConfigError(f"corps.{what}() wants a method of a worker, and got {advice}")


def target_of(method: Method, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[Env, Target]:
    """Return the Env that calls, and what it calls; raise if the worker is known to be gone."""
    env, worker, name, kind, args = method.as_request(args)
    if worker.corps != env.corps_id:
        raise NoSuchWorker(f"{worker} is not in this Corps ({env.corps_id[:6]})", target=str(worker))
    packed = None
    if worker.env == env.id:
        _check_is_there(env, worker)
    elif env.peers is None:
        raise NoSuchWorker(f"{worker} is in another Env, and this one is alone", target=str(worker))
    elif args or kwargs:
        packed = env.upper.pack((args, dict(kwargs)), what="arguments")
        args, kwargs = (), NO_KEYWORDS
    return env, Target(worker, name, kind, args, kwargs, method.takes("skipped"), packed)


def _check_is_there(env: Env, worker: ConcAddr) -> None:
    if env.registry.find(worker.conc) is None and env.registry.is_gone(worker.conc):
        text = f"the worker {worker} has ended: no timer can call it"
        raise WorkerGone(text, executed="no", target=str(worker))
