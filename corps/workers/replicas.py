"""A fixed number of workers in every Env, though Envs come and go: the side of their Mgr."""

import logging
from collections.abc import Callable, Sequence
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeAlias

from corps.addresses import ConcAddr, env_label
from corps.errors import CorpsError
from corps.runtime.calls.futures import Future
from corps.runtime.calls.waiting import wait_all
from corps.runtime.context import Activity, current
from corps.runtime.env import Env
from corps.workers.names import Name
from corps.workers.placement import labelled, with_label
from corps.workers.routes import Listing, Routes

if TYPE_CHECKING:
    from corps.runtime.cells.family import Family

_log = logging.getLogger("corps.workers")

Begin: TypeAlias = Callable[[ConcAddr, int], Future[Name[Any]]]
"""Creates one worker for the group that has this address, in an Env."""

Made: TypeAlias = Sequence[tuple[int, Future[Name[Any]]]]
"""The workers that were begun, with the Envs they are in."""


class Replicas:
    """`n` workers of one kind in each Env, in the Env of their Mgr. Thread-safe.

    Attributes:
        route: To its workers.
    """

    def __init__(self, env: Env, family: "Family", n: int, begin: Begin, label: str | None) -> None:
        """Have none yet. Only Envs with the label get workers, if there is one."""
        self._env = env
        self._family = family
        self._n = n
        self._begin = begin
        self._label = label
        self._lock = Lock()  # protects all below
        self._workers: dict[int, list[ConcAddr]] = {}
        self._version = -1  # before the first workers; then it grows from 1 with each change
        self._is_closed = False
        self.route = env.parts.get(Routes).own(self, self.listing)

    @property
    def listing(self) -> Listing:
        """The workers there are, Env by Env, and a number that grows with each change; -1 is before all."""
        with self._lock:
            return self._version, tuple(
                worker for env_id in sorted(self._workers) for worker in self._workers[env_id]
            )

    def _changed(self) -> None:
        with self._lock:
            self._version = max(self._version, 0) + 1
        self._env.parts.get(Routes).tell(self.route, self.listing)

    # --- what fills it ---

    def begin(self) -> Made:
        """Begin the first workers. From now on the group hears of Envs that come and go.

        Raises:
            CorpsError: No Env has the label, or one cannot be begun.
        """
        places = labelled(self._env, self._label)
        self._family.add_group(self)
        return self._begin_in(places)

    def _begin_in(self, env_ids: list[int]) -> Made:
        with self._lock:  # an Env may come while the group is made
            fresh = [env_id for env_id in env_ids if env_id not in self._workers and not self._is_closed]
            self._workers.update((env_id, []) for env_id in fresh)
        return [(env_id, self._begin(self.route.addr, env_id)) for env_id in fresh for _ in range(self._n)]

    def take(self, made: Made) -> None:
        """Take in the workers that were made. All of these Futures are done.

        Raises:
            CorpsError: One was not created. The others are in the group.
        """
        failed: BaseException | None = None
        for env_id, future in made:
            error = future.failure()
            failed = failed or error
            if error is None:
                with self._lock:
                    if env_id in self._workers:  # else the Env has left already
                        self._workers[env_id].append(future.result()._addr)
        self._changed()
        if failed is not None:
            raise failed

    def undo(self) -> list[Future[None]]:
        """End the workers there are, because not all could be created; the group gets none any more."""
        self.close()
        return [self._env.exit(worker) for worker in self.listing[1]]

    # --- what the engine and the Routes say ---

    def env_came(self, env_id: int) -> None:
        """Create the workers of an Env that was added, without waiting."""
        if with_label(self._env, [env_id], self._label):
            self._env.pool.submit(_Filling(self, env_id))

    def fill(self, env_id: int) -> None:
        """Create the workers of an Env that was added, in a thread of the pool."""
        token = current.set(Activity(self._env, pooled=True))
        try:
            made = self._begin_in([env_id])
            wait_all([future for _, future in made])
            self.take(made)
        except CorpsError as error:
            _log.error("%r got no workers in %s: %s", self, env_label(env_id), error)
        finally:
            current.reset(token)

    def env_left(self, env_id: int) -> None:
        """Forget the workers of an Env that is removed, or will not come back."""
        with self._lock:
            self._workers.pop(env_id, None)
        self._changed()

    def forget(self, worker: ConcAddr) -> None:
        """Forget a worker that has ended for good."""
        with self._lock:
            workers = self._workers.get(worker.env, [])
            is_known = worker in workers
            if is_known:
                workers.remove(worker)
        if is_known:
            self._changed()

    def close(self) -> None:
        """Get no workers any more, because all were asked to end."""
        with self._lock:
            self._is_closed = True
        self._family.remove_group(self)

    def __repr__(self) -> str:
        return f"the group {self.route.addr}"


class _Filling:
    """Fills a group in an Env that came, in a worker thread."""

    def __init__(self, replicas: Replicas, env_id: int) -> None:
        self._replicas = replicas
        self._env_id = env_id

    def run(self) -> None:
        """See `Runnable.run`."""
        self._replicas.fill(self._env_id)
