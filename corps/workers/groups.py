"""Groups with a fixed number of workers in every Env, though Envs come and go."""

import logging
from collections.abc import Callable, Mapping, Sequence
from threading import Lock
from typing import Any, Generic, TypeVar

from corps.addresses import ConcAddr, env_label
from corps.errors import CorpsError
from corps.messages.interfaces import Interface
from corps.runtime.calls.futures import Future
from corps.runtime.calls.waiting import gather, wait_all
from corps.runtime.context import Activity, current
from corps.runtime.env import Env
from corps.workers.names import Name
from corps.workers.placement import with_label
from corps.workers.routed_names import RoutedName
from corps.workers.routes import Listing, Route, Routes
from corps.workers.routing import Routing, how_of

T = TypeVar("T")
_log = logging.getLogger("corps.workers")


class Group(Generic[T]):
    """`n` workers of class `T` in each Env of the Corps, made by `Options.replicate`. Thread-safe.

    An Env that is added gets its workers when it has joined. Those of an Env that is removed leave the group.
    A worker that fails comes back by its restart policy. All of them end with the worker that made the group.
    """

    def __init__(
        self,
        env: Env,
        n: int,
        begin: Callable[[int], Future[Name[T]]],
        interface: Interface,
        room: int,
        parameters: Callable[[], Mapping[str, Sequence[str]]],
        label: str | None = None,
    ) -> None:
        """Make an empty group; `Options.replicate` calls this.

        Args:
            env: Where the group is kept.
            n: How many workers each Env has.
            begin: Creates one in an Env.
            label: Only Envs with this label have workers.
            interface: That of its workers.
            room: How many requests of an Env may be under way in one before it counts as full.
            parameters: Gives the names of the parameters of each method.
        """
        self._env = env
        self._n = n
        self._begin = begin
        self._label = label
        self._interface = interface
        self._room = room
        self._parameters = parameters
        self._lock = Lock()  # protects all below
        self._names: dict[int, list[Name[T]]] = {}
        self._version = 0  # grows with each change of the names
        self._route: Route | None = None  # once there is a Name of any
        self._is_closed = False

    @property
    def any(self) -> Name[T]:
        """The Name of any worker of the group: each call goes to one of them.

        It goes to one in the caller's own Env that has room, or else to one with few requests under way;
        `any_by` gives Names that choose in other ways. A worker whose process dies is left out at once. What
        it had not begun goes to another one by itself; what it had begun fails as ever.

        The Name travels like others. It has methods alone, no attributes.
        """
        return self.any_by()

    def any_by(self, routing: Routing = "local", *, key: int | str | None = None) -> Name[T]:
        """Return a Name as `any` does, that chooses in another way.

        Args:
            routing: ``"local"``: one in the caller's own Env if it has room, else as ``"least"``.
                ``"least"``: of two at random, the one with fewer requests of the caller's Env under way.
                ``"round"``: each in turn.
            key: The place or the name of an argument. Requests with the same value there reach the same
                worker while the Envs stay. `routing` decides for those that do not have it.

        Returns:
            The Name.

        Raises:
            ConfigError: There is no such routing, or no such argument.
        """
        how = how_of(routing, key, self._room, self._parameters() if isinstance(key, str) else {})
        with self._lock:
            route = self._route
        if route is None:
            made = self._env.parts.get(Routes).own(self, self.listing)
            with self._lock:
                route = self._route = self._route or made
            self._changed()  # it may have changed meanwhile
        return RoutedName(route.addr, self._interface, self._env, how, route.listing)

    @property
    def broadcast(self) -> Any:
        """Send to all: ``group.broadcast.method(...)`` asks each worker, and wants no answer."""
        return _Everyone(self, _send)

    @property
    def gather(self) -> Any:
        """Ask all: ``group.gather.method(...)`` gives a Future of the list of their answers, Env by Env."""
        return _Everyone(self, _ask)

    @property
    def listing(self) -> Listing:
        """The workers there are, and a number that grows with each change. For the runtime."""
        with self._lock:
            names = [name for env_id in sorted(self._names) for name in self._names[env_id]]
            return self._version, tuple(name._addr for name in names)

    def _changed(self) -> None:
        with self._lock:
            self._version += 1
            route = self._route
        if route is not None:
            self._env.parts.get(Routes).tell(route, self.listing)

    def names(self) -> list[Name[T]]:
        """Return the workers that there are now, Env by Env."""
        with self._lock:
            return [name for env_id in sorted(self._names) for name in self._names[env_id]]

    def here(self) -> list[Name[T]]:
        """Return those in the Env that made the group, the fastest to reach from there; none in the front."""
        with self._lock:
            return list(self._names.get(self._env.id, ()))

    def fill(self, env_ids: list[int]) -> None:
        """Create the workers of Envs that have none yet, and wait for that. The runtime calls this.

        Raises:
            CorpsError: One was not created; those that were remain in the group.
        """
        env_ids = with_label(self._env, env_ids, self._label)
        with self._lock:  # an Env may come while the group is made
            fresh = [env_id for env_id in env_ids if env_id not in self._names and not self._is_closed]
            self._names.update((env_id, []) for env_id in fresh)
        made = [(env_id, self._begin(env_id)) for env_id in fresh for _ in range(self._n)]
        wait_all([future for _, future in made])
        failed: BaseException | None = None
        for env_id, future in made:
            error = future.failure()
            failed = failed or error
            if error is None:
                with self._lock:
                    if env_id in self._names:  # else the Env has left already
                        self._names[env_id].append(future.result())
        self._changed()
        if failed is not None:
            raise failed

    def env_came(self, env_id: int) -> None:
        """Create the workers of an Env that was added, without waiting. The runtime calls this."""
        self._env.pool.submit(_Filling(self._env, self, env_id))

    def env_left(self, env_id: int) -> None:
        """Forget the workers of an Env that is removed, or will not come back. The runtime calls this."""
        with self._lock:
            self._names.pop(env_id, None)
        self._changed()

    def forget(self, worker: ConcAddr) -> None:
        """Forget a worker that has ended for good. The runtime calls this."""
        with self._lock:
            names = self._names.get(worker.env, [])
            left = [name for name in names if name._addr != worker]
            is_known = len(left) < len(names)
            if is_known:
                self._names[worker.env] = left
        if is_known:
            self._changed()

    def close(self) -> None:
        """Get no workers any more, because all were asked to end. The runtime calls this."""
        with self._lock:
            self._is_closed = True

    def __repr__(self) -> str:
        return f"<Group of {len(self.names())} workers, {self._n} in each Env>"


class _Everyone:
    """The methods of all workers of a group, by name."""

    def __init__(self, group: Group[Any], ask: Callable[..., Any]) -> None:
        self._group = group
        self._ask = ask

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("_"):
            raise AttributeError(f"{name!r} begins with an underscore and cannot be reached")

        def ask(*args: Any, **kwargs: Any) -> Any:
            return self._ask([getattr(each, name) for each in self._group.names()], args, kwargs)

        return ask


def _send(methods: list[Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    for method in methods:
        method.send(*args, **kwargs)


def _ask(methods: list[Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Future[list[Any]]:
    return gather(*[method(*args, **kwargs) for method in methods])


class _Filling:
    """Creates the workers of an Env that came, in a worker thread."""

    def __init__(self, env: Env, group: Group[Any], env_id: int) -> None:
        self._env = env
        self._group = group
        self._env_id = env_id

    def run(self) -> None:
        """See `Runnable.run`."""
        token = current.set(Activity(self._env, pooled=True))
        try:
            self._group.fill([self._env_id])
        except CorpsError as error:
            _log.error("%r got no workers in %s: %s", self._group, env_label(self._env_id), error)
        finally:
            current.reset(token)
