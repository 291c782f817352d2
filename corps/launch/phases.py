"""The end of a Corps in named phases: one after the other, once.

This follows Pekko's Coordinated Shutdown. Each phase has a time limit of its own. What does not end in its
phase is left to the next one, which has less regard for it: at last its process is killed.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from corps.clock import now

_log = logging.getLogger("corps.launch")


@dataclass(frozen=True, slots=True)
class Phase:
    """One phase, with its name for the log."""

    name: str
    run: Callable[[], object]


def run_phases(phases: list[Phase]) -> None:
    """Run phases one after the other, also after one that fails; raise what the first such one has raised."""
    failed: BaseException | None = None
    for phase in phases:
        began = now()
        try:
            phase.run()
        except BaseException as error:  # what is to be ended next must end
            failed = failed or error
            continue
        _log.debug("the phase %r of the end took %.3f s", phase.name, now() - began)
    if failed is not None:
        raise failed
