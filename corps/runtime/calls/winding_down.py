"""All workers of an Env come to a stand, before they end one after the other.

1. `still`: nothing begins any more, in any worker. What waits is refused at once; what runs is finished. No
   worker is created, and none comes back.
2. `hear_last_words`: when all Envs stand still, requests of workers are taken again, and only these. All
   that runs then is a `cleanup()`, which so can have others save what it knows.
3. The workers end, children before their Mgr.

Thread-safe.
"""

from typing import TYPE_CHECKING, NamedTuple

from corps.addresses import is_service
from corps.clock import now
from corps.messages.requests import STILL, Request
from corps.runtime.calls.futures import Future

if TYPE_CHECKING:
    from corps.runtime.env import Env


class Unfinished(NamedTuple):
    """What an end waits for. Plain data, for it travels."""

    worker: str  # its class and address
    what: str  # that it runs
    seconds: float  # for how long, as far as that is known


def still(env: "Env") -> list[Future[None]]:
    """Have nothing begin any more; return Futures, done when what runs has ended, or was abandoned."""
    env.lives.is_winding_down, env.lives.stands_since = True, now()
    running = []
    for cell in env.registry.cells():
        if is_service(cell.addr.conc):  # the others may need it until they have ended
            continue
        if cell.has_family:
            cell.family.close()
        if cell.mgr_addr is not None:
            stands: Future[None] = Future()
            cell.ending.still(Request(STILL, cell.addr, "", (), {}, stands))
            if not stands.done():
                running.append(stands)
    return running


def hear_last_words(env: "Env") -> list[Future[None]]:
    """Take what workers that end still ask of others, because all Envs of the Corps stand still."""
    # As `still`, it returns what has to be waited for, and that is nothing.
    env.lives.hears_last_words = True
    return []


def unfinished(env: "Env") -> list[Unfinished]:
    """Return what the end of an Env waits for."""
    at, found = now(), []
    for cell in env.registry.cells():
        request, step = cell.running, cell.step
        if cell.mgr_addr is None or is_service(cell.addr.conc):
            continue
        if step is not None:
            found.append(Unfinished(str(cell), step[0], at - step[1]))
        elif request is not None:
            since = request.sent if request.sent is not None else getattr(request, "came", at)
            found.append(Unfinished(str(cell), f"{request.method}()", at - since))
        elif cell.main_thread is not None:
            found.append(Unfinished(str(cell), "main()", at - env.lives.stands_since))
    return found
