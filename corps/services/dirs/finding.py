"""The functions of Dirs that authors call."""

from collections.abc import Callable
from typing import Any, Final, TypeVar, overload

from corps.errors import ConfigError
from corps.exporting import exported
from corps.messages.interfaces import Interface
from corps.runtime.calls.futures import Future, by_others
from corps.runtime.context import current
from corps.runtime.env import Env
from corps.services.dirs.dir_copy import DirCopy, find_soon
from corps.services.dirs.dir_watch import DirWatch
from corps.services.dirs.entries import FindScope, Query, Scope, query_of
from corps.services.dirs.ext_finding import find_all_ext, find_ext
from corps.services.dirs.registering import begin_register, begin_unregister, registration
from corps.workers.everywhere import env_here
from corps.workers.names import Name
from corps.workers.properties import Properties

T = TypeVar("T")

Match = Callable[[Properties], object] | None
_WHERE: Final = "in whose Dirs to look"
_REGISTER: Final = "in whose Dirs to register"


def key_of(env: Env, cls: Any) -> str:
    """Return what all Envs call a class of workers.

    Raises:
        ConfigError: It is none.
    """
    interface = getattr(cls, "_corps_interface", None)  # which Box[int] has from Box
    if not isinstance(interface, Interface):
        raise ConfigError(f"{cls!r:.80} cannot be looked up in a Dir: wants a tag, or a class of workers")
    return env.class_key(interface.class_name)


def query_in(
    env: Env, what: Any, tag: str | None, where: Scope | None, match: Match, properties: Properties
) -> Query:
    """Make a Query of what an author has asked; raise as `query_of`."""
    return query_of(what, lambda cls: key_of(env, cls), tag, where, match, properties)


def afind_in(
    env: Env,
    what: Any,
    /,
    *,
    tag: str | None = None,
    where: FindScope | None = None,
    timeout: float | None = None,
    match: Match = None,
    **properties: Any,
) -> Future[Name[Any]]:
    """Do as `afind`, in a given Env."""
    if where == "ext":
        return find_ext(env, query_in(env, what, tag, None, match, properties), timeout)
    query = query_in(env, what, tag, where, match, properties)
    return find_soon(env.parts.get(DirCopy), query, timeout)


def find_in(env: Env, what: Any, /, **wanted: Any) -> Name[Any]:
    """Do as `find`, in a given Env."""
    return afind_in(env, what, **wanted).result()


def find_all_in(
    env: Env,
    what: Any = None,
    /,
    *,
    tag: str | None = None,
    where: FindScope | None = None,
    match: Match = None,
    **properties: Any,
) -> list[Name[Any]]:
    """Do as `find_all`, in a given Env."""
    if where == "ext":
        return find_all_ext(env, query_in(env, what, tag, None, match, properties))
    return env.parts.get(DirCopy).find_all(query_in(env, what, tag, where, match, properties))


def watch_in(
    env: Env,
    what: Any = None,
    /,
    *,
    tag: str | None = None,
    where: Scope | None = None,
    match: Match = None,
    **properties: Any,
) -> DirWatch[Any]:
    """Do as `watch_dir`, in a given Env."""
    return DirWatch(env, query_in(env, what, tag, where, match, properties))


def register_in(
    env: Env,
    name: Name[Any],
    /,
    *,
    tag: str = "",
    unique: bool = False,
    where: Scope = "corps",
    **properties: Any,
) -> Future[None]:
    """Do as `aregister`, in a given Env."""
    wanted = registration(tag, unique, where, properties)
    done: Future[None] = by_others(env.errands, begin_register, env, name, wanted)
    return done


def unregister_in(
    env: Env, name: Name[Any], /, *, tag: str | None = None, where: Scope | None = None
) -> Future[bool]:
    """Do as `aunregister`, in a given Env."""
    done: Future[bool] = by_others(env.errands, begin_unregister, env, name, tag, where)
    return done


@overload
def find(
    what: type[T],
    /,
    *,
    tag: str | None = None,
    where: FindScope | None = None,
    timeout: float | None = None,
    match: Match = None,
    **properties: Any,
) -> Name[T]: ...
@overload
def find(
    what: str,
    /,
    *,
    where: FindScope | None = None,
    timeout: float | None = None,
    match: Match = None,
    **properties: Any,
) -> Name[Any]: ...
@exported
def find(
    what: Any,
    /,
    *,
    tag: str | None = None,
    where: FindScope | None = None,
    timeout: float | None = None,
    match: Match = None,
    **properties: Any,
) -> Name[Any]:
    """Find a worker that is registered in the Dirs: ``corps.find("index")``, ``corps.find(Index, zone="a")``.

    This sends nothing: each Env has a copy of the Dir of the Corps. Of several that fit, it gives one of the
    caller's own Env, or else the one that was registered first.

    Args:
        what: A tag, or a class of workers. A subclass of it is another class.
        tag: A tag, together with a class.
        where: ``"env"`` to look only in the Dir of the caller's own Env, ``"corps"`` for that of the Corps;
            None for both, in this order. ``"ext"``: an external Corps of this user on this host, by its tag,
            its class as it says itself, or both. Its properties are `class_name`, `corps` (its id), `pid`,
            `since`, `user` and `host`.
        timeout: Seconds to wait until there is one; None not to wait.
        match: A function that says of the properties of an entry, a mapping, whether it is meant. It runs
            here. It must be quick, and may not wait.
        **properties: Values that the entry must have; ``...`` for any value.

    Returns:
        The Name of the worker.

    Raises:
        NotFound: There is none.
        PropertyError: A property that is asked for cannot be one.
        ConfigError: An argument has a bad value.
        ContextError: There is no Env here, or several are open and it is not clear which is meant.
        LoopBlocked: Called with `timeout` in a coroutine: use `afind` there.
    """
    here = current.get()
    env: Env = here.env if here is not None and here.cell is not None else env_here(_WHERE)
    if where is None and tag is None and match is None and not properties:  # the most common, and fast
        copy = env.dirs
        assert isinstance(copy, DirCopy)
        entry = copy.by_tag.get(what) if type(what) is str else copy.by_class.get(key_of(env, what))
        if entry is not None:
            return entry.name or copy.found(entry)
    return find_in(env, what, tag=tag, where=where, timeout=timeout, match=match, **properties)


@overload
def afind(
    what: type[T],
    /,
    *,
    tag: str | None = None,
    where: FindScope | None = None,
    timeout: float | None = None,
    match: Match = None,
    **properties: Any,
) -> Future[Name[T]]: ...
@overload
def afind(
    what: str,
    /,
    *,
    where: FindScope | None = None,
    timeout: float | None = None,
    match: Match = None,
    **properties: Any,
) -> Future[Name[Any]]: ...
@exported
def afind(
    what: Any,
    /,
    *,
    tag: str | None = None,
    where: FindScope | None = None,
    timeout: float | None = None,
    match: Match = None,
    **properties: Any,
) -> Future[Name[Any]]:
    """Find a worker as `find` does, without blocking: ``await corps.afind("index", timeout=5.0)``.

    Args:
        what: See `find`.
        tag: See `find`.
        where: See `find`.
        timeout: See `find`.
        match: See `find`.
        **properties: See `find`.

    Returns:
        A Future of the Name of the worker; it fails with NotFound if there is none.

    Raises:
        PropertyError: A property that is asked for cannot be one.
        ConfigError: An argument has a bad value.
        ContextError: There is no Env here, or it is not clear which.
    """
    env = env_here(_WHERE)
    return afind_in(env, what, tag=tag, where=where, timeout=timeout, match=match, **properties)


@overload
def find_all(
    what: type[T],
    /,
    *,
    tag: str | None = None,
    where: FindScope | None = None,
    match: Match = None,
    **properties: Any,
) -> list[Name[T]]: ...
@overload
def find_all(
    what: str | None = None,
    /,
    *,
    where: FindScope | None = None,
    match: Match = None,
    **properties: Any,
) -> list[Name[Any]]: ...
@exported
def find_all(
    what: Any = None,
    /,
    *,
    tag: str | None = None,
    where: FindScope | None = None,
    match: Match = None,
    **properties: Any,
) -> list[Name[Any]]:
    """Find all workers that fit. This sends nothing; it looks at each entry under the tag or class.

    Args:
        what: A tag, or a class of workers; None for all.
        tag: See `find`.
        where: See `find`.
        match: See `find`.
        **properties: See `find`.

    Returns:
        The Names of the workers, those of the caller's own Env first.

    Raises:
        PropertyError: A property that is asked for cannot be one.
        ConfigError: An argument has a bad value.
        ContextError: There is no Env here, or it is not clear which.
    """
    return find_all_in(env_here(_WHERE), what, tag=tag, where=where, match=match, **properties)


@exported
def register(
    name: Name[Any],
    /,
    *,
    tag: str = "",
    unique: bool = False,
    where: Scope = "corps",
    **properties: Any,
) -> None:
    """Register a worker, under a tag and under its class, and wait until every Env finds it.

    The entry goes when the worker has ended for good. A worker that fails and comes back keeps it meanwhile.
    To register it under the same tag again changes the properties.

    Args:
        name: The worker.
        tag: What it can be found by; empty for its class alone.
        unique: No other worker may be registered under this tag; or without a tag, under its class without
            a tag.
        where: ``"corps"`` for the Dir of the Corps; ``"env"`` for that of the worker's own Env, which other
            Envs do not see. If that Env dies, its Dir is lost.
        **properties: Data that nobody can change: None, bool, int, float, str, bytes, and tuples and
            frozensets of these. All together have at most 4 KiB.

    Raises:
        NameTaken: Another worker is registered there, and one of them is to be the only one.
        PropertyError: A property cannot be.
        WorkerGone: The worker has ended, or is away at the moment.
        ConfigError: Another argument has a bad value.
        ContextError: There is no Env here, or it is not clear which.
        LoopBlocked: Called in a coroutine: use `aregister` there.
    """
    env = env_here(_REGISTER)
    register_in(env, name, tag=tag, unique=unique, where=where, **properties).result()


@exported
def aregister(
    name: Name[Any],
    /,
    *,
    tag: str = "",
    unique: bool = False,
    where: Scope = "corps",
    **properties: Any,
) -> Future[None]:
    """Register a worker as `register` does, without blocking: ``await corps.aregister(name, tag="index")``.

    Args:
        name: See `register`.
        tag: See `register`.
        unique: See `register`.
        where: See `register`.
        **properties: See `register`.

    Returns:
        A Future that is done when every Env finds the worker. It may fail with NameTaken or WorkerGone.

    Raises:
        PropertyError: A property cannot be.
        ConfigError: Another argument has a bad value.
        ContextError: There is no Env here, or it is not clear which.
    """
    env = env_here(_REGISTER)
    return register_in(env, name, tag=tag, unique=unique, where=where, **properties)


@exported
def unregister(name: Name[Any], /, *, tag: str | None = None, where: Scope | None = None) -> bool:
    """Take a worker out of the Dirs, and wait until no Env finds it.

    Args:
        name: The worker.
        tag: Under which it was registered, empty for none; None for all its entries.
        where: ``"env"`` for the Dir of the worker's own Env, ``"corps"`` for that of the Corps; None for
            both.

    Returns:
        Whether it was registered.

    Raises:
        ConfigError: An argument has a bad value.
        ContextError: There is no Env here, or it is not clear which.
        LoopBlocked: Called in a coroutine: use `aunregister` there.
    """
    return unregister_in(env_here("in whose Dirs it stands"), name, tag=tag, where=where).result()


@exported
def aunregister(name: Name[Any], /, *, tag: str | None = None, where: Scope | None = None) -> Future[bool]:
    """Take a worker out as `unregister` does, without blocking.

    Args:
        name: See `unregister`.
        tag: See `unregister`.
        where: See `unregister`.

    Returns:
        A Future of whether it was registered.

    Raises:
        ConfigError: An argument has a bad value.
        ContextError: There is no Env here, or it is not clear which.
    """
    return unregister_in(env_here("in whose Dirs it stands"), name, tag=tag, where=where)


@overload
def watch_dir(
    what: type[T],
    /,
    *,
    tag: str | None = None,
    where: Scope | None = None,
    match: Match = None,
    **properties: Any,
) -> DirWatch[T]: ...
@overload
def watch_dir(
    what: str | None = None,
    /,
    *,
    where: Scope | None = None,
    match: Match = None,
    **properties: Any,
) -> DirWatch[Any]: ...
@exported
def watch_dir(
    what: Any = None,
    /,
    *,
    tag: str | None = None,
    where: Scope | None = None,
    match: Match = None,
    **properties: Any,
) -> DirWatch[Any]:
    """Watch what changes in the Dirs: first all that is registered, then what comes, changes and goes.

    ``with corps.watch_dir("index") as changes: ...`` iterates over `Entered`, `Left` and `Changed`. Inside a
    worker whose class overrides `on_dir_change`, the runtime calls that with each of them, like a request.

    Args:
        what: A tag, or a class of workers; None for all.
        tag: See `find`.
        where: See `find`.
        match: See `find`.
        **properties: See `find`.

    Returns:
        The watch: close it, use it in a ``with`` statement, or let it end with the Env.

    Raises:
        ConfigError: An argument has a bad value.
        ContextError: There is no Env here, or it is not clear which.
    """
    env = env_here("whose Dirs to watch")
    return watch_in(env, what, tag=tag, where=where, match=match, **properties)
