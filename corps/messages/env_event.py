"""What happens to an Env of a Corps. Values only."""

from dataclasses import dataclass
from typing import Literal

from corps.exporting import exported
from corps.messages.endings import Reason


@exported
@dataclass(frozen=True, slots=True)
class EnvEvent:
    """An Env of the Corps has come or gone.

    Attributes:
        kind: ``"added"``: there is a further one. ``"lost"``: its process has died. ``"replaced"``: it has
            another process. ``"removed"``: it was removed, and its process has ended.
        env: Its id; -1 is the front.
        returns: Of a lost one, whether it gets another process.
        reason: Why the process has ended; None for one that has come.
        text: The same in words.
    """

    kind: Literal["added", "lost", "replaced", "removed"]
    env: int
    returns: bool = False
    reason: Reason | None = None
    text: str = ""
