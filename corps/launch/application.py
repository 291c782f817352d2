"""Creating the application's Corps: the last step of a boot."""

from typing import Any

from corps.errors import CorpsError, CorpsStartError, EnvLost, EnvStartError, PackError, RemoteError
from corps.managers.membership import HOME
from corps.messages.requests import CALL
from corps.runtime.cell import Cell
from corps.runtime.env import Env
from corps.runtime.records import Record, kept
from corps.workers.names import Name


def create_application(env: Env, mgr: Cell, application: Record) -> Name[Any]:
    """Have the first Env construct the application's Corps.

    Args:
        env: Of the booting process.
        mgr: The CorpsMgr.
        application: How to construct it.

    Returns:
        Its Name. The CorpsMgr has adopted it.

    Raises:
        PackError: An argument of its constructor cannot be packed.
        CorpsStartError: The constructor raised.
        EnvStartError: The process did not survive it.
    """
    try:
        order = (application, mgr.name, mgr.addr)
        name: Name[Any] = env.ask(CALL, env.manager_of(HOME), "create", order, {}).result()
    except PackError:
        raise
    except RemoteError as error:
        raise CorpsStartError(f"the constructor of the Corps raised {error}\n{error.traceback}") from error
    except EnvLost as error:
        raise EnvStartError(f"the constructor of the Corps did not survive: {error}") from error
    except CorpsError as error:
        raise CorpsStartError(f"the Corps could not be constructed: {error}") from error
    mgr.family.adopt(name._addr, name, kept(application))
    return name
