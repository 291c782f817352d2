"""Finding Corps of this user on this host, by what stands in the registry of the host.

The registry is files of other processes, and nothing says that one has come. So a search that waits has a
thread that looks again and again; there is none without a `timeout`.
"""

from collections.abc import Callable
from threading import Event, Thread
from typing import Any, Final

from corps.clock import deadline_after, now
from corps.errors import ClosedError, CorpsError, NotFound, Overloaded
from corps.messages.outcomes import Raised, Refused, Value
from corps.runtime.calls.futures import Future
from corps.runtime.env import Env
from corps.services.dirs.entries import Query
from corps.workers.ext_side import ExtSide
from corps.workers.names import Name

_LOOK: Final = 0.1  # seconds between two looks


def find_ext(env: Env, query: Query, timeout: float | None) -> Future[Name[Any]]:
    """Return a Future of the Name of a Corps that is meant; wait for one if there is a `timeout`."""
    found: Future[Name[Any]] = Future()
    error = _settled(env, query, found)
    if error is None:
        return found
    if timeout is None or not isinstance(error, NotFound):
        found.settle(Refused(error))
        return found
    search = Thread(target=_search, args=(env, query, timeout, found), name=f"{env.label}-finds", daemon=True)
    try:
        search.start()
    except RuntimeError as problem:
        found.settle(Refused(Overloaded(f"no thread could look for a Corps: {problem}", retry_after=_LOOK)))
    return found


def find_all_ext(env: Env, query: Query) -> list[Name[Any]]:
    """Return the Names of all Corps that are meant and can be reached, by their tags."""
    names = []
    for reach in _meant(env, query):
        try:
            names.append(reach())
        except NotFound:  # it has ended meanwhile
            continue
    return names


def _search(env: Env, query: Query, timeout: float, found: Future[Name[Any]]) -> None:
    """Look until a Corps has come, or nobody wants it any more. In a thread of its own."""
    until, pause = deadline_after(timeout), Event()
    try:
        while not found.done():
            error = _settled(env, query, found)
            if error is None:
                return
            if env.closed:
                error = ClosedError(f"{env.label} was closed while it looked for a Corps")
            elif isinstance(error, NotFound) and until is not None and now() < until:
                pause.wait(min(_LOOK, max(0.0, until - now())))
                continue
            elif isinstance(error, NotFound):
                error = NotFound(f"{error}; and none has come within {timeout:g} s")
            found.settle(Refused(error))
    except Exception as error:  # `match` is an author's
        found.settle(Raised.capture(error, None))


def _settled(env: Env, query: Query, found: Future[Name[Any]]) -> CorpsError | None:
    """Give the Name of a Corps that is meant; return why there is none."""
    try:
        if query == Query(query.tag) and query.tag is not None:
            name = env.parts.get(ExtSide).find(query.tag)
        else:
            names = find_all_ext(env, query)
            if not names:
                raise NotFound(f"no Corps of yours on this host that is up has {query}")
            name = names[0]
    except CorpsError as error:
        return error
    found.settle(Value(name))
    return None


def _meant(env: Env, query: Query) -> list[Callable[[], Name[Any]]]:
    return [entry.reach for entry in env.parts.get(ExtSide).entries() if query.fits(entry)]
