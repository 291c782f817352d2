"""Groups with a fixed number of workers in every Env, though Envs come and go."""

import logging
from collections.abc import Callable
from threading import Lock
from typing import Any, Generic, TypeVar

from corps.addresses import env_label
from corps.errors import CorpsError
from corps.runtime.calls.futures import Future
from corps.runtime.calls.waiting import wait_all
from corps.runtime.context import Activity, current
from corps.runtime.env import Env
from corps.workers.names import Name
from corps.workers.placement import with_label

T = TypeVar("T")
_log = logging.getLogger("corps.workers")


class Group(Generic[T]):
    """`n` workers of class `T` in each Env of the Corps, made by `Options.replicate`. Thread-safe.

    An Env that is added gets its workers when it has joined. Those of an Env that is removed leave the group.
    A worker that fails comes back by its restart policy. All of them end with the worker that made the group.
    """

    def __init__(
        self, env: Env, n: int, begin: Callable[[int], Future[Name[T]]], label: str | None = None
    ) -> None:
        """Make an empty group; `Options.replicate` calls this.

        Args:
            env: Where the group is kept.
            n: How many workers each Env has.
            begin: Creates one in an Env.
            label: Only Envs with this label have workers.
        """
        self._env = env
        self._n = n
        self._begin = begin
        self._label = label
        self._lock = Lock()  # protects _names
        self._names: dict[int, list[Name[T]]] = {}

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
            fresh = [env_id for env_id in env_ids if env_id not in self._names]
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
        if failed is not None:
            raise failed

    def env_came(self, env_id: int) -> None:
        """Create the workers of an Env that was added, without waiting. The runtime calls this."""
        self._env.pool.submit(_Filling(self._env, self, env_id))

    def env_left(self, env_id: int) -> None:
        """Forget the workers of an Env that is removed, or will not come back. The runtime calls this."""
        with self._lock:
            self._names.pop(env_id, None)

    def __repr__(self) -> str:
        return f"<Group of {len(self.names())} workers, {self._n} in each Env>"


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
