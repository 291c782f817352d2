"""How a worker ended, or one incarnation of it."""

from dataclasses import dataclass
from typing import Final, Literal

Reason = Literal["normal", "shutdown", "killed", "error", "memory", "hung", "lost"]
"""Why an incarnation of a worker ended.

``normal``: in order, as it was asked to, or because its own `main` returned. ``shutdown``: because its Mgr
ended, or restarted it together with others. ``killed``: by `kill`, or its process by a signal. ``error``: it
failed. ``memory``: there was none left. ``hung``: it, or its process, did nothing any more. ``lost``: its
process cannot be reached, or nobody knows.
"""

ORDERLY: Final = frozenset({"normal", "shutdown"})  # reasons that are no failure


@dataclass(frozen=True, slots=True)
class End:
    """How one incarnation of a worker ended. `corps.Ended` says of which worker, too."""

    incarnation: int
    reason: Reason
    text: str = ""  # the same in words


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a worker cannot go on, for its Mgr. Plain data, so that it can travel."""

    reason: Reason  # in one word; of the orderly ones only ``normal``, for a worker that ended by itself
    text: str
    traceback: str = ""  # where it came from, if an exception was the cause
    is_final: bool = False  # a restart limit was exceeded below, so no Mgr there could heal it


BY_ITSELF: Final = Failure("normal", "it ended by itself")
"""The failure of a worker that ended without an EXIT, and that is to be there always."""
