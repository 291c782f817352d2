"""Workers of which there is one: the first caller makes it, and all others get the same.

One Env makes those of a Corps, that of the Corps object, so that two callers anywhere meet there. Its EnvMgr
becomes their Mgr: they outlive the worker that has asked first. Those of a host are made by that Env too, or
by the first Env of another host. While Envs come and go, two of them may not agree on which one is the first.
Then the Dir of the Corps decides.
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
from corps.services.dirs.dir_copy import DirCopy, MadeElsewhere, Registration
from corps.services.dirs.entries import SINGLETON, Scope
from corps.services.dirs.finding import key_of
from corps.services.dirs.registering import begin_register, registration
from corps.workers.dirs_side import DirsSide
from corps.workers.everywhere import resolved
from corps.workers.factory import Options
from corps.workers.names import Name
from corps.workers.placement import no_env_with, on_this_host, with_label
from corps.workers.properties import NONE, Properties

_HOST: Final = "host "  # before its name, which is empty for the host of the booting process
_TRIES: Final = 3  # if the Env that makes them dies meanwhile


Key: TypeAlias = tuple[Scope, str, str, str | None]


class Order(NamedTuple):
    """A worker of which there is to be one. It travels.

    Attributes:
        key: The Dir that it is in; its class, as all Envs call it; its tag; and its host, if there is one on
            each, by a name that is never empty.
        cls: Its class.
        args: For its constructor.
        kwargs: For its constructor.
        options: How it is created.
    """

    key: Key
    cls: type[Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    options: Options


class Singletons(DirsSide):
    """What one Env makes. Thread-safe."""

    def __init__(self, env: Env) -> None:
        """Make none yet."""
        self._env = env
        self._copy = env.parts.get(DirCopy)
        self._making: dict[Key, list[Future[Any]]] = {}  # protected by the lock of the copy

    def register(
        self,
        name: Name[Any],
        tag: str,
        properties: Properties | None,
        *,
        is_unique: bool,
        group: ConcAddr | None = None,
    ) -> Future[None]:
        """See `DirsSide.register`."""
        wanted = registration(tag, is_unique, "corps", properties or NONE, group=group)
        done: Future[None] = by_others(self._env.errands, begin_register, self._env, name, wanted)
        return done

    def singleton(
        self, options: Options, cls: type[Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Future[Name[Any]]:
        """See `DirsSide.singleton`."""
        env = self._env
        is_of_env = options.per == "env"
        host = _HOST + env.hosts.get(env.id, "") if options.per == "host" else None
        place = env.id if is_of_env else resolved(env, options.env)
        properties = None if options.properties is None else dict(options.properties)  # which can be packed
        plain = replace(options, env=place, register=False, properties=properties, deadline=None, _of=None)
        where: Scope = "env" if is_of_env else "corps"
        order = Order((where, key_of(env, cls), options.tag, host), cls, args, kwargs, plain)
        name = self.known(order)
        if name is not None:
            future: Future[Name[Any]] = Future()
            future.settle(Value(name))
            return future
        maker = env.id if is_of_env or env.peers is None else _maker(env, of_host=host is not None)
        if maker == env.id:
            made: Future[Name[Any]] = by_others(env.errands, self.get, order)
            return made
        there = ConcAddr(env.corps_id, maker, ENV_DIR)
        return env.ask(CALL, there, "singleton", (tuple(order),), {}, retries=_TRIES)

    def known(self, order: Order) -> Name[Any] | None:
        """Return the worker if it is there."""
        copy, (where, cls, tag, host) = self._copy, order.key
        book = copy.own if where == "env" else copy.corps
        with copy.lock:
            entry = book.listing.singleton(cls, tag, host)
        return None if entry is None else copy.name_of(entry)

    def get(self, order: Order) -> Future[Any]:
        """Return a Future of the worker, which is made here if it is not there."""
        future: Future[Any] = Future()
        with self._copy.lock:
            name = self.known(order)
            waiting = self._making.get(order.key)
            if name is None and waiting is not None:
                waiting.append(future)
                return future
            if name is None:
                self._making[order.key] = [future]
        if name is not None:
            future.settle(Value(name))
            return future
        try:
            made = self._make(order)
        except CorpsError as error:
            self._settle(order, Refused(error))
        else:
            made.when_settled(lambda done: self._register(order, _opened(done)))
        return future

    def _make(self, order: Order) -> Future[Any]:
        env = self._env
        mgr = env.registry.find(ENV_MGR)
        if mgr is None:
            raise ClosedError(f"the workers of {env.label} have ended: none can be created there any more")
        options = replace(order.options, _of=env)
        record = options._record(mgr, order.cls, order.args, order.kwargs)
        place = options.env
        if options.per == "host" and place is None:
            place = self._place(options.label)
        return options._begin(env, place, mgr, record)

    def _place(self, label: str | None) -> int:
        """Choose an Env of this host."""
        env = self._env
        here = on_this_host(env, env.worker_envs) or [env.id]  # this one has the booting process alone
        places = with_label(env, here, label)
        if not places and label is not None:
            raise no_env_with(env, label)
        return places[next(env.turns) % len(places)]

    def _register(self, order: Order, made: Outcome) -> None:
        if not isinstance(made, Value):
            self._settle(order, made)
            return
        where, _, tag, host = order.key
        properties = dict(order.options.properties or {})
        try:
            wanted = Registration(tag, SINGLETON, properties, where, host=host)
            entered = begin_register(self._env, made.value, wanted)
        except CorpsError as error:
            self._undo(made.value)
            self._settle(order, Refused(error))
            return

        def is_entered(done: Future[None]) -> None:
            outcome = _opened(done)
            if isinstance(outcome, Value):
                self._settle(order, made)
                return
            self._undo(made.value)
            if isinstance(outcome, Refused) and isinstance(outcome.error, MadeElsewhere):
                outcome = Value(outcome.error.holder)
            self._settle(order, outcome)

        entered.when_settled(is_entered)

    def _undo(self, name: Name[Any]) -> None:
        token = current.set(None)  # it is not this thread's worker that wants the end
        try:
            self._env.exit(name._addr)
        finally:
            current.reset(token)

    def _settle(self, order: Order, outcome: Outcome) -> None:
        with self._copy.lock:
            waiting = self._making.pop(order.key)
        for future in waiting:
            future.settle(outcome)


def _opened(done: Future[Any]) -> Outcome:
    assert done.outcome is not None
    return done.outcome.opened()


def _maker(env: Env, *, of_host: bool) -> int:
    """Return the id of the Env that makes the singletons of a Corps, or of the host of this Env."""
    assert env.peers is not None
    has_front = env.id == FRONT or FRONT in env.peers.ids()
    if not of_host:
        return FRONT if has_front else env.home
    if has_front and on_this_host(env, [FRONT]):
        return FRONT
    return min(on_this_host(env, env.worker_envs), default=env.id)
