"""What authors call: pools that begin, and what is known of one."""

from dataclasses import replace
from typing import Any, NamedTuple, TypeVar

from corps.addresses import ConcAddr
from corps.errors import ConfigError, CorpsError
from corps.exporting import exported
from corps.messages.interfaces import Interface
from corps.messages.outcomes import Refused, Value
from corps.messages.requests import CALL
from corps.runtime.calls.futures import Future
from corps.runtime.env import Env
from corps.services.scaling.berth import Berth
from corps.services.scaling.scaler import PoolPlan, Scaler
from corps.workers.creating import with_deadline
from corps.workers.factory import BootWish, Options, WorkerWish
from corps.workers.funcs import room_in
from corps.workers.names import Name
from corps.workers.routed_names import RoutedName
from corps.workers.routes import Listing
from corps.workers.routing import How, how_of

T = TypeVar("T")


@exported
class PoolState(NamedTuple):
    """What is known of a pool whose size follows its load: what `corps.pool_state` returns. A value.

    Attributes:
        up: Instances that get requests.
        starting: Instances that will.
        leaving: Instances that do the requests that they have, and then end.
        load: Requests that were not answered when the pool was looked at last.
        kind: What that look has found: ``"short"`` of instances, ``"high"``, ``"calm"`` or ``"low"``.
    """

    up: int
    starting: int
    leaving: int
    load: int
    kind: str


def begin_scaled(env: Env, options: Options, wish: BootWish | WorkerWish) -> Future[Name[Any]]:
    """Begin a pool below the calling worker; return a Future of the Name of any of its instances.

    Raises:
        ConfigError: The key of its scale is none.
        CorpsError: As `corps.create`.
    """
    scale = options.scale
    assert scale is not None  # it was checked
    if isinstance(wish, WorkerWish):
        how = how_of("least", scale.key, 1, wish.parameters)
        of_each = replace(options, scale=None, deadline=None, _of=env, _is_soon=True)
        plan = PoolPlan(scale, of_each, wish.cls, wish.args, wish.kwargs)
    else:
        # Only the Corps itself knows where its methods have an argument of that name.
        how = How("least", scale.key) if isinstance(scale.key, str) else how_of("least", scale.key, 1, {})
        of_each = Options(label=options.label, _of=env, _is_soon=True)
        plan = PoolPlan(scale, of_each, Berth, (options._boots, wish), {})
    begun = _Begun(env, how._replace(is_scaled=True))
    keeper = Options(tag=options.tag, env="here", _of=env, _is_soon=True).create_nowait(Scaler, plan)
    keeper.when_settled(begun.kept)
    return begun.name if options.deadline is None else with_deadline(begun.name, options.deadline)


class _Begun:
    """A pool that begins. `name` is a Future of its Name. One thread at a time calls its methods."""

    def __init__(self, env: Env, how: How) -> None:
        self.name: Future[Name[Any]] = Future()
        self._env = env
        self._how = how

    def kept(self, done: Future[Name[Scaler]]) -> None:
        """Ask the worker that keeps the pool, which is there, how its instances are reached."""
        if (keeper := self._value(done)) is not None:
            if self.name.cancelled():  # its caller has given up
                self._env.exit(keeper._addr)
                return
            try:
                asked = self._env.at_once(self._env.ask, CALL, keeper._addr, "route", (), {})
            except CorpsError as error:  # it ends already
                self.name.settle(Refused(error))
            else:
                asked.when_settled(self.routed)

    def routed(self, done: Future[tuple[ConcAddr, Interface, Listing]]) -> None:
        """Make the Name."""
        if (found := self._value(done)) is not None:
            addr, interface, listing = found
            how = self._how._replace(room=room_in(interface, self._env.options.threads_max))
            if not self.name.settle(Value(RoutedName(addr, interface, self._env, how, listing))):
                self._env.exit(addr)  # its caller has given up

    def _value(self, done: Future[T]) -> T | None:
        """Return the value of a Future, or fail with what it has."""
        outcome = done.outcome
        assert outcome is not None
        opened = outcome.opened()
        if isinstance(opened, Value):
            value: T = opened.value
            return value
        self.name.settle(opened)
        return None


@exported
def pool_state(name: Name[Any]) -> Future[PoolState]:
    """Ask for the state of a pool whose size follows its load.

    Args:
        name: What `Options.create_scaled` or `Options.boot_scaled` has returned, in any Env of the Corps.

    Returns:
        A Future of its state.

    Raises:
        ConfigError: It is no Name of such a pool.
        ContextError: The Name was unpacked where no Env of its Corps was open.
    """
    if not isinstance(name, RoutedName) or not name._how.is_scaled:
        raise ConfigError(f"pool_state({name!r:.200}): wants a Name of create_scaled or boot_scaled")
    env = name._bound()
    state: Future[PoolState] = Future()
    asked = env.ask(CALL, name._addr, "state", (), {})

    def answered(done: Future[tuple[int, int, int, int, str]]) -> None:
        outcome = done.outcome
        assert outcome is not None
        opened = outcome.opened()
        state.settle(Value(PoolState(*opened.value)) if isinstance(opened, Value) else opened)

    asked.when_settled(answered)
    return state
