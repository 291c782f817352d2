"""Which code and which classes were defined for a peer, so that a number stands for them from then on.

What is met for the first time goes by value, inside the message. What is met again is packed by itself, as a
*definition* with a number, and sent ahead. `docs/design/packing-code-once.md` says why.
"""

from collections.abc import Callable, Hashable
from typing import Any, Final

from corps.errors import UnpackError
from corps.packing.functions import Blueprint
from corps.packing.identities import Identities

_MOST_SEEN: Final = 8192


class CodeSent:
    """What one peer has. Thread-safe.

    It has no lock: two threads that meet the same thing at once may both define it, so that the peer has it
    twice. A number is known here only after its definition was sent. `pack` packs a blueprint or a class by
    value, alone. `define` sends a definition, and returns its number, or None if it was not sent.
    """

    def __init__(
        self,
        pack: Callable[[Blueprint | type], bytes],
        define: Callable[[bytes], int | None],
        identities: Identities,
    ) -> None:
        self._pack = pack
        self._define = define
        self._identities = identities
        # With the numbers, what their keys need alive: as many as the peer keeps at most.
        self._numbers: dict[Hashable, tuple[int, Blueprint | None]] = {}
        # What was met, and whether to try a definition.
        self._seen: dict[Hashable, bool] = {}

    def number_of_class(self, cls: type, versions: tuple[int, ...]) -> int | None:
        """Return the number of a class in these versions of it and its bases; None if it goes by value."""
        return self._number((self._identities.name_of(cls), versions), cls, None)

    def number_of_blueprint(self, blueprint: Blueprint) -> int | None:
        """Return the number of a blueprint; None if it goes by value."""
        return self._number(blueprint.key(self._identities), blueprint, blueprint)

    def _number(self, key: Hashable, thing: Blueprint | type, alive: Blueprint | None) -> int | None:
        known = self._numbers.get(key)
        if known is not None:
            return known[0]
        if self._seen.get(key):
            number = self._define(self._pack(thing))
            if number is not None:
                self._numbers[key] = number, alive
                return number
        if len(self._seen) >= _MOST_SEEN:
            self._seen.clear()
        # Met for the first time: worth a definition next time. Otherwise the definition has just failed.
        self._seen[key] = key not in self._seen
        return None


def restore_defined(number: int, *shared: Any) -> Any:
    """Stand in a pickle for what its sender has defined; the packer of that link answers this name itself."""
    raise UnpackError(
        f"the bytes refer to definition {number} of the link they came by; they were not read there"
    )
