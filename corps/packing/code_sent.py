"""Which code and which classes a peer has already, so that a number will do from then on.

What is met for the first time goes by value, inside of the message. Met again, it is packed once more by
itself, as a *definition* with a number, and sent ahead; from then on the number goes. So what is sent once
only, such as a class that is made anew in each call, costs no definition.

Nothing is compared: code never changes, and a class is what it was when it arrived (see `identities`). What
may change of a function goes with each message (see `functions`).

Leans on identities and functions.
"""

from collections.abc import Callable, Hashable
from typing import Any, Final

from corps.errors import UnpackError
from corps.packing.functions import Blueprint
from corps.packing.identities import Identities

_MOST_SEEN: Final = 8192


class CodeSent:
    """What one peer has. Any thread may use it.

    It has no lock. Where two threads meet the same thing at the same time, each may define it: the peer then
    has it twice, and a number is known here only after its definition was sent.
    """

    def __init__(
        self, pack: Callable[[Any], bytes], define: Callable[[bytes], int | None], identities: Identities
    ) -> None:
        """Make it; the peer has nothing.

        Args:
            pack: Packs a blueprint or a class by value, alone.
            define: Sends a definition; returns its number, or None if it was not sent.
            identities: Of this process.
        """
        self._pack = pack
        self._define = define
        self._identities = identities
        # With the numbers, what their keys need alive: as many as the peer keeps at most.
        self._numbers: dict[Hashable, tuple[int, Any]] = {}
        # What was met, and whether to try a definition.
        self._seen: dict[Hashable, bool] = {}

    def number_of_class(self, cls: type, versions: tuple[int, ...]) -> int | None:
        """Return the number under which the peer has a class; None if it has to go by value.

        Args:
            cls: A class that cannot go by reference.
            versions: Of the class, and of its bases.
        """
        return self._number((self._identities.name_of(cls), versions), cls, None)

    def number_of_blueprint(self, blueprint: Blueprint) -> int | None:
        """Return the number under which the peer has a blueprint; None if it has to go by value.

        Args:
            blueprint: Of a function that cannot go by reference.
        """
        return self._number(blueprint.key(), blueprint, blueprint)

    def _number(self, key: Hashable, thing: Any, alive: Any) -> int | None:
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
        # Met for the first time: worth a definition next time. Otherwise it was tried just now, in vain.
        self._seen[key] = key not in self._seen
        return None


def restore_defined(number: int, *shared: Any) -> Any:
    """Stands in a pickle for a class, or a function without its state, that its sender has defined before.

    The packer that reads for that sender answers this name itself; this function is what all others get.

    Args:
        number: The number of the definition.
        shared: For a function: its globals, and its variables.

    Raises:
        UnpackError: Always.
    """
    raise UnpackError(
        f"the bytes refer to definition {number} of the link they came by; they were not read there"
    )
