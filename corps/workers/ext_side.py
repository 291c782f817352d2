"""What look-ups need of the Corps of this host, which lie above them. `federation.finding` does it."""

from typing import TYPE_CHECKING, Any

from corps.runtime.parts import Part

if TYPE_CHECKING:
    from corps.workers.names import Name


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
