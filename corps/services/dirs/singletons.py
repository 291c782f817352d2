"""Workers of which there is one: the first caller makes it, and all others get the same.

One Env makes those of a Corps, that of the Corps object, so that two callers anywhere meet there. Its EnvMgr
becomes their Mgr: they outlive the worker that has asked first.
"""

from dataclasses import replace
from typing import Any, Final, NamedTuple, TypeAlias

from corps.addresses import ENV_DIR, ENV_MGR, FRONT, ConcAddr
from corps.errors import ClosedError, CorpsError
from corps.messages.outcomes import Outcome, Refused, Value
from corps.messages.requests import CALL
from corps.runtime.calls.futures import Future, by_others
from corps.runtime.context import current
from corps.runtime.env import Env
from corps.runtime.parts import Part
from corps.services.dirs.dir_copy import DirCopy, Registration
from corps.services.dirs.entries import SINGLETON, Scope
from corps.services.dirs.finding import key_of
from corps.services.dirs.registering import begin_register
from corps.workers.everywhere import resolved
from corps.workers.factory import Options
from corps.workers.names import Name

_TRIES: Final = 3  # if the Env that makes them dies meanwhile


Key: TypeAlias = tuple[bool, tuple[str, str]]


class Order(NamedTuple):
    """A worker of which there is to be one. It travels.

    Attributes:
        key: Its class, as all Envs call it, and its tag.
        cls: Its class.
        args: For its constructor.
        kwargs: For its constructor.
        options: How it is created.
        is_of_env: There is one in each Env, and not in the Corps.
    """

    key: tuple[str, str]
    cls: type[Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    options: Options
    is_of_env: bool


class Singletons(Part):
    """What one Env makes. Thread-safe."""

    def __init__(self, env: Env) -> None:
        """Make none yet."""
        self._env = env
        self._copy = env.parts.get(DirCopy)
        self._making: dict[Key, list[Future[Any]]] = {}  # protected by the lock of the copy

    def known(self, order: Order) -> Name[Any] | None:
        """Return the worker if it is there."""
        copy = self._copy
        book = copy.own if order.is_of_env else copy.corps
        with copy.lock:
            entry = book.listing.singleton(*order.key)
        return None if entry is None else copy.name_of(entry)

    def get(self, order: Order) -> Future[Any]:
        """Return a Future of the worker, which is made here if it is not there."""
        future: Future[Any] = Future()
        key = (order.is_of_env, order.key)
        with self._copy.lock:
            name = self.known(order)
            waiting = self._making.get(key)
            if name is None and waiting is not None:
                waiting.append(future)
                return future
            if name is None:
                self._making[key] = [future]
        if name is not None:
            future.settle(Value(name))
            return future
        try:
            made = self._make(order)
        except CorpsError as error:
            self._settle(key, Refused(error))
        else:
            made.when_settled(lambda done: self._register(order, key, _opened(done)))
        return future

    def _make(self, order: Order) -> Future[Any]:
        env = self._env
        mgr = env.registry.find(ENV_MGR)
        if mgr is None:
            raise ClosedError(f"the workers of {env.label} have ended: none can be created there any more")
        options = replace(order.options, _of=env)
        record = options._record(mgr, order.cls, order.args, order.kwargs)
        return options._begin(env, options.env, mgr, record)

    def _register(self, order: Order, key: Key, made: Outcome) -> None:
        if not isinstance(made, Value):
            self._settle(key, made)
            return
        where: Scope = "env" if order.is_of_env else "corps"
        properties = dict(order.options.properties or {})
        try:
            wanted = Registration(order.options.tag, SINGLETON, properties, where)
            entered = begin_register(self._env, made.value, wanted)
        except CorpsError as error:
            self._undo(made.value)
            self._settle(key, Refused(error))
            return

        def is_entered(done: Future[None]) -> None:
            outcome = _opened(done)
            if not isinstance(outcome, Value):
                self._undo(made.value)
            self._settle(key, made if isinstance(outcome, Value) else outcome)

        entered.when_settled(is_entered)

    def _undo(self, name: Name[Any]) -> None:
        token = current.set(None)  # it is not this thread's worker that wants the end
        try:
            self._env.exit(name._addr)
        finally:
            current.reset(token)

    def _settle(self, key: Key, outcome: Outcome) -> None:
        with self._copy.lock:
            waiting = self._making.pop(key)
        for future in waiting:
            future.settle(outcome)


def _opened(done: Future[Any]) -> Outcome:
    assert done.outcome is not None
    return done.outcome.opened()


def singleton_in(
    env: Env, options: Options, cls: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Future[Any]:
    """Return a Future of the only worker of a class and tag; see `Options.singleton_nowait`.

    Raises:
        ConfigError: `cls` is no class of workers, or the Env is none.
        PackError: It is made in another Env, and an argument cannot be packed.
    """
    singletons = env.parts.get(Singletons)
    is_of_env = options.per == "env"
    place = env.id if is_of_env else resolved(env, options.env)
    properties = None if options.properties is None else dict(options.properties)  # which can be packed
    plain = replace(options, env=place, register=False, properties=properties, deadline=None, _of=None)
    order = Order((key_of(env, cls), options.tag), cls, args, kwargs, plain, is_of_env)
    name = singletons.known(order)
    if name is not None:
        future: Future[Any] = Future()
        future.settle(Value(name))
        return future
    maker = env.id if is_of_env or env.peers is None else _maker(env)
    if maker == env.id:
        made: Future[Any] = by_others(env.errands, singletons.get, order)
        return made
    return env.ask(
        CALL, ConcAddr(env.corps_id, maker, ENV_DIR), "singleton", (tuple(order),), {}, retries=_TRIES
    )


def _maker(env: Env) -> int:
    """Return the id of the Env that makes the singletons of a Corps."""
    assert env.peers is not None
    return FRONT if env.id == FRONT or FRONT in env.peers.ids() else env.home
