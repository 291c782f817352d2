"""Undelivered requests with what was in them, for a worker that wants them: from every Env of the Corps.

The worker stands in the Dir of the Corps under a tag of its own, so each Env finds it without a message, and
an Env that comes later does. It is asked for when a request reaches nobody, and costs nothing before that.
"""

import logging
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from corps.addresses import ConcAddr, is_runtimes_own
from corps.clock import wall_time
from corps.errors import ConfigError
from corps.exporting import exported
from corps.messages.dead_letters import DeadLetter, DeadReason
from corps.messages.outcomes import Value
from corps.messages.requests import CALL, PINNED, REACHING, Kind, Request
from corps.peers.answering import contents_of
from corps.runtime.calls.futures import Future
from corps.runtime.context import Activity, current
from corps.runtime.env import Env
from corps.runtime.parts import Part
from corps.services.dirs.dir_copy import DirCopy
from corps.services.dirs.entries import Entry
from corps.services.dirs.finding import register_in, unregister_in
from corps.workers.everywhere import env_here
from corps.workers.names import Method, Name

_log = logging.getLogger("corps.dead_letters")

TAG: Final = "corps.undelivered"
"""Under which the worker stands in the Dir of the Corps."""

_METHOD: Final = "method"  # the property that names the method


class Contents(NamedTuple):
    """What was in a request that reached nobody, and may have to be unpacked."""

    letter: DeadLetter
    kind: Kind
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    packed: Callable[[], tuple[Any, ...]] | None


class UndeliveredBox(Part):
    """Hands on what reached nobody in one Env. Thread-safe."""

    def __init__(self, env: Env) -> None:
        """Look for a worker that wants it when there is something."""
        self._env = env
        self._dir = env.parts.get(DirCopy)
        env.letters.hand_over = self.hand_over

    def hand_over(self, request: Request, reason: DeadReason) -> None:
        """Hand a request on, in a thread of the pool, if a worker of the Corps wants it."""
        entry = self._wanted()
        target = request.target
        if entry is None or entry.addr == target or is_runtimes_own(target.conc):
            return
        if request.kind not in REACHING and request.kind is not PINNED:
            return
        sender = None if request.sender is None else str(request.sender)
        letter = DeadLetter(reason, sender, str(target), request.method, wall_time(), self._env.id)
        packed = None if request.packed is None else contents_of(request.packed)
        contents = Contents(letter, request.kind, request.args, request.kwargs, packed)
        self._env.pool.submit(_Handing(self._env, entry.addr, str(entry.properties[_METHOD]), contents))

    def _wanted(self) -> Entry | None:
        found = self._dir.by_tag_in_corps(TAG)
        return found if found is not None and _METHOD in found.properties else None


class _Handing:
    """Unpacks one request, and sends it to the worker that wants it."""

    def __init__(self, env: Env, worker: ConcAddr, method: str, contents: Contents) -> None:
        self._env = env
        self._worker = worker
        self._method = method
        self._contents = contents

    def run(self) -> None:
        """See `Runnable.run`."""
        letter, kind, args, kwargs, packed = self._contents
        token = current.set(Activity(self._env, pooled=True))
        try:
            if packed is not None:
                args, kwargs = packed()[:2]
            if kind is PINNED:  # before the arguments stand the incarnation and the kind
                args = args[2:]
            given = (letter, args, kwargs)
            self._env.dispatch(self._env.one_way(CALL, self._worker, self._method, given, {}))
        except BaseException as error:  # an author's class may raise anything; the letter itself is kept
            _log.warning("what was in %s could not be handed on: %s", letter, error)
        finally:
            current.reset(token)


@exported
def undelivered_to(method: Any, /) -> None:
    """Have a worker get every request of this Corps that reaches nobody, with what was in it.

    ``corps.undelivered_to(name.take)``: for each one the runtime sends ``take(letter, args, kwargs)``, until
    that worker has ended. The letter is a `DeadLetter`. Requests for that worker itself are not sent, nor
    those that a process had when it died.

    Args:
        method: A method of the Name of a worker; None: the requests are wanted no more.

    Raises:
        NameTaken: Another worker gets them already.
        ConfigError: This is no method of a Name.
        ContextError: There is no Env here, or it is not clear which.
        LoopBlocked: Called in a coroutine: use `aundelivered_to` there.
    """
    aundelivered_to(method).result()


@exported
def aundelivered_to(method: Any, /) -> Future[Any]:
    """Do as `undelivered_to` without waiting, as coroutines must.

    Args:
        method: As there.

    Returns:
        A Future that is done when every Env knows of it.

    Raises:
        ConfigError, ContextError: As there.
    """
    env = env_here("whose requests reach nobody")
    if method is None:
        entry = env.parts.get(DirCopy).by_tag_in_corps(TAG)
        if entry is None:
            done: Future[Any] = Future()
            done.settle(Value(False))
            return done
        return unregister_in(env, Name(entry.addr, entry.interface, env), tag=TAG, where="corps")
    if not isinstance(method, Method):
        raise ConfigError(f"undelivered_to({method!r:.80}): wants a method of a worker's Name, or None")
    of, worker, name, _, _ = method.as_request(())
    receiver: Name[Any] = Name(worker, method.interface, of)
    properties: dict[str, Any] = {_METHOD: name}
    return register_in(of, receiver, tag=TAG, unique=True, **properties)
