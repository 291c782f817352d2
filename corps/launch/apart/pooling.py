"""Pools of workers, and of contained Corps, as `corps.options` makes them."""

import sys
from dataclasses import replace
from typing import Any

from corps.errors import ContextError
from corps.launch.may_boot import check_before_apart
from corps.launch.sources import find_source
from corps.runtime.calls.futures import Future
from corps.services.scaling.beginning import begin_scaled
from corps.workers.everywhere import env_here
from corps.workers.factory import BootWish, Options, WorkerWish
from corps.workers.names import Name


def begin_pool(options: Options, wish: BootWish | WorkerWish) -> Future[Name[Any]]:
    """Begin a pool; see `PoolMaker`. Thread-safe.

    Raises:
        LoadError: The source of a Corps could not be found.
        ContextError: There is no Env here, or it cannot reach another Corps.
    """
    env = options._of or env_here("to keep a pool in")
    if isinstance(wish, BootWish):
        check_before_apart(sys._getframe())
        if wish.envs != 0 and env.border is None:
            raise ContextError(
                f"boot_scaled: {env.label} has no links to others, so nobody here could reach the instances: "
                "use it in a Corps of `corps.boot`, or with envs=0"
            )
        wish = replace(wish, source=_anywhere(wish.source))
    return begin_scaled(env, options, wish)


def _anywhere(source: Any) -> Any:
    """Return a source that means the same in every Env, whatever their current folders are."""
    found = find_source(source)
    if isinstance(source, type) or not found.path:
        return source
    return f"{found.path}:{found.qualname}" if found.qualname else found.path
