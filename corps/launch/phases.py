"""The end of a Corps in named phases: each with a time limit, one after the other, once.

After Pekko's Coordinated Shutdown. What does not end within its phase is left to the next one, which ends it
with less regard: at last its process is killed.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from corps.clock import now

_log = logging.getLogger("corps.launch")


@dataclass(frozen=True, slots=True)
class Phase:
    """One phase.

    Attributes:
        name: For the log.
        limit: Seconds it may take; None for as long as it takes.
        run: Does it. Is given the limit, keeps to it, and says whether all was done by then.
    """

    name: str
    limit: float | None
    run: Callable[[float | None], bool]


def run_phases(phases: list[Phase]) -> None:
    """Run phases, one after the other. One that fails does not keep the next ones from it.

    Args:
        phases: In this order.

    Raises:
        BaseException: What the first one that failed has raised, after the last one.
    """
    failed: BaseException | None = None
    for phase in phases:
        began = now()
        try:
            is_done = phase.run(phase.limit)
        except BaseException as error:  # what is to be ended next must end
            failed = failed or error
            continue
        if not is_done:
            _log.warning("the phase %r of the end was not done in %.1f s", phase.name, now() - began)
        else:
            _log.info("the phase %r of the end took %.3f s", phase.name, now() - began)
    if failed is not None:
        raise failed
