"""What the methods of classes declare, found once for each method that is used between owners."""

import inspect
from typing import Any

from corps.errors import DefinitionError
from corps.packing.declared import PLAIN, DeclaredMethod, declare
from corps.packing.declared_hints import Forms, Special


class DeclaredClasses:
    """How the arguments and results of methods travel, by class and method. Thread-safe."""

    def __init__(self, special: Special | None = None) -> None:
        """Know none yet; `special` gives the forms of what lies above the packing, such as Names."""
        self._special = special
        # Each step of it is atomic. Two threads may both read the hints of a method: either serves.
        self._known: dict[tuple[type, str], DeclaredMethod | DefinitionError] = {}

    def of(self, cls: type | None, method: str) -> DeclaredMethod:
        """Return how a method of a class travels; as plain data where the class is not known.

        Raises:
            DefinitionError: A hint of the method names what cannot travel, or what is not there.
        """
        if cls is None:
            return PLAIN
        found = self._known.get((cls, method))
        if found is None:
            found = self._known[cls, method] = self._find(cls, method)
        if isinstance(found, DefinitionError):
            raise DefinitionError(str(found)) from found
        return found

    def _find(self, cls: type, method: str) -> DeclaredMethod | DefinitionError:
        """Read the hints of a method; an error of them is kept, because each request would find it again."""
        raw: Any = inspect.getattr_static(cls, method, None)
        if raw is None:
            return DefinitionError(f"{cls.__qualname__} has no method {method!r:.80}")
        try:
            return declare(raw, Forms(self._special), is_bound=not isinstance(raw, staticmethod))
        except DefinitionError as error:
            return error
        except (TypeError, ValueError) as error:  # it is no function: it has no signature
            return DefinitionError(f"{cls.__qualname__}.{method} declares nothing: {error}")
