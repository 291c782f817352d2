"""A Name of any of several workers: each request goes to the one that is chosen for it."""

from functools import partial
from typing import Any, NoReturn, TypeVar

from corps.addresses import ROUTES, ConcAddr
from corps.errors import ConfigError, NoSuchMethod
from corps.messages.interfaces import Interface
from corps.messages.outcomes import Value
from corps.messages.requests import CALL, EXIT_LAST, EXIT_NOW, Request
from corps.runtime.calls.arguments import await_arguments
from corps.runtime.calls.futures import Future
from corps.runtime.calls.waiting import gather
from corps.runtime.context import acting
from corps.runtime.env import Env
from corps.runtime.options import WhenFull
from corps.runtime.this_process import this_process
from corps.workers.names import Limited, Method, Name, no_env
from corps.workers.rerouting import ask_any
from corps.workers.routes import Listing, PlainListing, Route, Routes, as_plain, listing_in
from corps.workers.routing import How
from corps.workers.unheard_futures import unheard_future

T_co = TypeVar("T_co", covariant=True)


class RoutedName(Name[T_co]):
    """The Name of any worker of a group: `Group.any`. Thread-safe.

    Each call goes to a worker of the group. It goes to another one by itself if it had not begun when its
    worker's process died. Attributes cannot be reached, because each worker has its own.
    """

    _how: How
    _listing: Listing
    _known: Route | None

    def __init__(
        self,
        addr: ConcAddr,
        interface: Interface,
        env: Env | None,
        how: How,
        listing: Listing,
        deadline: float | None = None,
        prefetch: int | None = None,
        when_full: WhenFull = "wait",
    ) -> None:
        """Make a Name; the runtime calls this."""
        super().__init__(addr, interface, env, deadline, prefetch=prefetch, when_full=when_full)
        object.__setattr__(self, "_how", how)
        object.__setattr__(self, "_listing", listing)  # as it came, for an Env that knows no newer one
        object.__setattr__(self, "_known", None)

    @property
    def _route(self) -> Route:
        route = self._known
        if route is None:
            route = self._bound().parts.get(Routes).route(self._addr, self._listing)
            object.__setattr__(self, "_known", route)
        return route

    def options(
        self,
        *,
        deadline: float | None = None,
        prefetch: int | None = None,
        when_full: WhenFull = "wait",
    ) -> "RoutedName[T_co]":
        """See `Name.options`."""
        plain = super().options(deadline=deadline, prefetch=prefetch, when_full=when_full)
        parts = self._addr, self._interface, self._env, self._how, self._listing
        return RoutedName(*parts, plain._deadline, prefetch, plain._when_full)

    @property
    def _of_one(self) -> ConcAddr:
        raise ConfigError(f"{self!r} stands for several workers: take each of `Group.names()` here")

    def used_from(self, env: Env) -> "RoutedName[T_co]":
        """Return the same Name for use in an Env. For the runtime."""
        parts = self._addr, self._interface, env, self._how, self._listing
        return RoutedName(*parts, self._deadline, self._prefetch, self._when_full)

    @property
    def pinned(self) -> NoReturn:
        """Refuse: several workers have no common incarnation.

        Raises:
            NoSuchMethod: Always.
        """
        raise NoSuchMethod(f"{self!r} stands for several workers, so there is no incarnation to pin it to")

    def exit(self) -> Future[None]:
        """End all workers of the group in order, each as `Name.exit` does. It gets none any more."""
        return self._end("exit")

    def drain(self) -> Future[None]:
        """End all workers of the group, each as `Name.drain` does. It gets none any more."""
        return self._end(EXIT_LAST)

    def kill(self) -> Future[None]:
        """End all workers of the group at once, each as `Name.kill` does. It gets none any more."""
        return self._end(EXIT_NOW)

    def _end(self, how: str) -> Future[None]:
        env = self._bound()
        if self._how.is_scaled:
            return self._end_scaled(how)
        ends = gather(*[env.exit(member, how) for member in self._route.listing[1]])
        over: Future[None] = Future()

        def ended(done: Future[Any]) -> None:
            outcome = done.outcome
            if outcome is None or not outcome.failed:  # it was permitted
                env.ask_service(self._addr.env, ROUTES, "close_group", self._addr.conc)
                outcome = Value(None)
            over.settle(outcome)

        ends.when_settled(ended)
        return over

    def _end_scaled(self, how: str) -> Future[None]:
        """End the worker that has created all of them, and replaces those that end."""
        env, keeper = self._bound(), self._addr
        if how != EXIT_LAST:
            return env.exit(keeper, how)
        over: Future[None] = Future()
        drained: Future[None] = env.ask(CALL, keeper, "drain_all", (), {})
        drained.when_settled(lambda _: env.exit(keeper).when_settled(partial(_settle_as, over)))
        return over

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name in self._interface.methods:
            return super().__getattr__(name)
        raise NoSuchMethod(
            f"{self!r} stands for several workers, and each has its own attribute {name!r}; its methods are: "
            f"{self._interface.known_methods}"
        )

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        """Refuse: several workers have no common attribute.

        Raises:
            NoSuchMethod: Always.
        """
        raise NoSuchMethod(f"{self!r} stands for several workers, so {name!r} cannot be set")

    def _method(self, name: str) -> "RoutedMethod":
        method = RoutedMethod(self._addr, name, self._env, self._deadline, self._interface)
        method.begin(self._route, self._how, dict(self._interface.idempotent).get(name, 0))
        method.apply(self._deadline, self._prefetch, self._when_full)
        return method

    def __repr__(self) -> str:
        return f"<Name of any {self._interface.short_name} of {self._addr}>"

    def __reduce__(self) -> tuple[Any, ...]:
        listing = self._listing if self._env is None else self._route.listing
        return restore_routed_name, (
            tuple(self._addr),
            self._interface.as_tuple(),
            tuple(self._how),
            as_plain(listing),
            self._deadline,
            self._prefetch,
            self._when_full,
        )


def _settle_as(over: Future[None], done: Future[Any]) -> None:
    over.settle(done.outcome or Value(None))


class RoutedMethod(Method):
    """A method of any worker of a group. Thread-safe."""

    __slots__ = ("_how", "_retries", "_route")

    def begin(self, route: Route, how: How, retries: int) -> None:
        """Know where requests go."""
        self._route = route
        self._how = how
        self._retries = retries

    def _held(self, args: tuple[Any, ...], kwargs: dict[str, Any], future: Future[Any] | None) -> Future[Any]:
        env = self._env or no_env(self)
        how = self._deadline, self._retries, future
        return ask_any(env, self._route, self._how, self._method, args, kwargs, *how)

    def __call__(self, /, *args: Any, **kwargs: Any) -> Future[Any]:
        """See `Method.__call__`."""
        future = self._held(args, kwargs, None if self.limits is None else Limited(*self.limits))
        self._dispatch(future)
        return future

    def _dispatch(self, future: Future[Any]) -> None:
        env, request = self._env or no_env(self), self._hurried(future)
        if request is None or await_arguments(env, request):
            return
        env.send_held(future)

    def _hurried(self, future: Future[Any]) -> Request | None:
        """Return the request of a Future, which is marked with what it does without room."""
        request = future.request
        if request is not None:
            self.mark(request)
        return request

    def send(self, /, *args: Any, **kwargs: Any) -> None:
        """See `Method.send`. The request has an answer, so that one that is lost is sent again."""
        future = self._sent(args, kwargs)
        self._dispatch(future)

    def _sent(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Future[Any]:
        env = self._env or no_env(self)
        future = unheard_future(env, self._addr, self._method)
        return ask_any(env, self._route, self._how, self._method, args, kwargs, None, self._retries, future)

    def as_request(self, args: tuple[Any, ...]) -> NoReturn:
        """Refuse: a timer calls one worker.

        Raises:
            ConfigError: Always.
        """
        raise ConfigError(f"{self!r}: a timer calls one worker; set one for each of `Group.names()`")

    async def asend(self, /, *args: Any, **kwargs: Any) -> None:
        """See `Method.asend`."""
        await self._dispatch_when_room(self._sent(args, kwargs))

    async def _ask_when_room(self, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future = self._held(args, kwargs, None)
        await self._dispatch_when_room(future)
        return future

    async def _dispatch_when_room(self, future: Future[Any]) -> None:
        env, request = self._env or no_env(self), self._hurried(future)
        if request is None or await_arguments(env, request):
            return
        await env.send_when_room(future)

    def __repr__(self) -> str:
        return f"<method {self._method!r} of any {self._interface.short_name} of {self._addr}>"


def restore_routed_name(
    addr: tuple[str, int, int],
    interface: tuple[Any, ...],
    how: tuple[Any, ...],
    listing: PlainListing,
    deadline: float | None,
    prefetch: int | None,
    when_full: WhenFull = "wait",
) -> RoutedName[Any]:
    """Make a Name of its packed form, for the Env of the calling code or the open one of the same Corps."""
    here = acting()
    env = here.env if here is not None else this_process.env_of(addr[0])
    parts = Interface.from_tuple(*interface), env, How(*how), listing_in(addr[0], listing)
    return RoutedName(ConcAddr(*addr), *parts, deadline, prefetch, when_full)
