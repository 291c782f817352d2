"""What look-ups need of the Corps of this host, which lie above them. `federation.finding` does it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from corps.runtime.parts import Part
from corps.workers.properties import Properties

if TYPE_CHECKING:
    from corps.workers.names import Name


@dataclass(frozen=True, slots=True)
class ExtEntry:
    """A Corps of this host that can be reached.

    Attributes:
        tag: Its tag.
        cls: ``module:qualname`` of its class, as it says itself.
        properties: Facts about it: `class_name`, `corps` (its id), `pid`, `since`, `user` and `host`.
        reach: Gives its Name; raises NotFound if it has ended.
    """

    tag: str
    cls: str
    properties: Properties
    reach: "Callable[[], Name[Any]]"


class ExtSide(Part):
    """The external Corps of this user on this host, as one Env reaches them. Thread-safe."""

    def find(self, tag: str) -> "Name[Any]":
        """Return the Name of the Corps with a tag. It reads files, and sends nothing.

        Raises:
            NotFound: No Corps of this user has it, or it cannot be reached now.
            ContextError: This Env reaches no other Corps.
            CorpsError: As `Registry.find` and `CorpsBorder.meet`.
        """
        raise NotImplementedError

    def entries(self) -> list[ExtEntry]:
        """Return the Corps that can be reached by a tag now, sorted by it. It reads files.

        Raises:
            ContextError: This Env reaches no other Corps.
            CorpsError: As `Registry.all_of_user`.
        """
        raise NotImplementedError
