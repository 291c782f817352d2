"""Groups with a fixed number of workers in every Env, though Envs come and go: what authors use of them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

from corps.exporting import exported
from corps.messages.interfaces import Interface
from corps.runtime.calls.futures import Future
from corps.runtime.calls.waiting import gather
from corps.runtime.env import Env
from corps.workers.funcs import room_in
from corps.workers.names import Name
from corps.workers.routed_names import RoutedName
from corps.workers.routes import Route
from corps.workers.routing import Routing, how_of

T = TypeVar("T")


@exported
class Group(Generic[T]):
    """`n` workers of class `T` in each Env of the Corps, made by `Options.replicate`. Thread-safe.

    An Env that is added gets its workers when it has joined. Those of an Env that is removed leave the group.
    A worker that fails comes back by its restart policy. All of them end with the worker that made the group,
    or with the Corps object if that is their Mgr.
    """

    def __init__(
        self,
        env: Env,
        n: int,
        route: Route,
        interface: Interface,
        parameters: Callable[[], Mapping[str, Sequence[str]]],
        deadline: float | None = None,
    ) -> None:
        """Stand for the workers behind a route; `Options.replicate` calls this.

        Args:
            env: Where the group is used.
            n: How many workers each Env has.
            route: To its workers.
            interface: That of its workers.
            parameters: Gives the names of the parameters of each method.
            deadline: Seconds that each request of its Names may take; None for no limit.
        """
        self._env = env
        self._n = n
        self._route = route
        self._interface = interface
        self._parameters = parameters
        self._deadline = deadline

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
        room = room_in(self._interface, self._env.options.threads_max)
        how = how_of(routing, key, room, self._parameters() if isinstance(key, str) else {})
        parts = self._interface, self._env, how, self._route.listing, self._deadline
        return RoutedName(self._route.addr, *parts)

    @property
    def broadcast(self) -> Any:
        """Send to all: ``group.broadcast.method(...)`` asks each worker, and wants no answer."""
        return _Everyone(self, _send)

    @property
    def gather(self) -> Any:
        """Ask all: ``group.gather.method(...)`` gives a Future of the list of their answers, Env by Env."""
        return _Everyone(self, _ask)

    def names(self) -> list[Name[T]]:
        """Return the workers that there are now, Env by Env."""
        members = self._route.listing[1]
        return [Name(member, self._interface, self._env, self._deadline) for member in members]

    def here(self) -> list[Name[T]]:
        """Return those in the Env that uses the group, the fastest to reach from there; none in the front."""
        return [name for name in self.names() if name._addr.env == self._env.id]

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
