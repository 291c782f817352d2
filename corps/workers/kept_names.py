"""Names that the engine has kept, as Names again."""

from typing import Any

from corps.messages.interfaces import WorkerName
from corps.workers.names import Name


def as_name(name: WorkerName) -> Name[Any]:
    """Return the Name that this is. Thread-safe."""
    assert isinstance(name, Name)
    return name
