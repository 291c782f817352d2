"""A contained Corps without processes of its own: in the Env of the worker that boots it, as its child."""

from typing import Any

from corps.errors import ConfigError
from corps.launch.part_modules import load_part
from corps.launch.sources import find_source
from corps.runtime.calls.futures import Future
from corps.runtime.cells.records import Record
from corps.runtime.options import WorkerOptions
from corps.workers.corps import Corps
from corps.workers.creating import create_at, mgr_here
from corps.workers.everywhere import env_here
from corps.workers.factory import BootWish
from corps.workers.names import Name


def boot_inside(wish: BootWish) -> Future[Name[Any]]:
    """Load a Corps, and create its object below the calling worker; return a Future of its Name.

    Raises:
        LoadError: It could not be found or loaded.
        ConfigError: The wish has a configuration, which a process alone could have.
        ContextError: There is no Env here.
    """
    if wish.config is not None:
        raise ConfigError(
            "boot(envs=0, config=...): without Envs of its own a Corps has the settings of its creator"
        )
    env = wish.env or env_here("in which a Corps could live")
    mgr = mgr_here(env)
    cls = _class_of(wish.source)
    options = WorkerOptions(wish.tag, restart=wish.restart or cls.restart)
    record = Record(cls, wish.args, wish.kwargs, options, mgr.corps_name)
    made: Future[Name[Any]] = create_at(env, env.id, mgr, record, None, is_soon=True)
    return made


def _class_of(source: Any) -> type[Corps]:
    if isinstance(source, type) and issubclass(source, Corps):
        return source
    return load_part(find_source(source))
