"""Which functions and classes a peer has by value already, so that a number will do from then on.

What is met for the first time goes by value, inside of the message. Met again, and still the same, it is
packed once more by itself, as a *definition* with a number, and sent ahead; from then on the number goes. So
what is sent once only, such as closures over a counting number, costs no definition.

"The same" is a matter of fingerprints. Classes are stricter: cloudpickle keeps one class at the receiver
for all that it ever got of it, and each packed form that is read changes that class. So a class that was ever
met in two versions goes by value from then on, and all functions that refer to it.

Leans on fingerprints and references.
"""

from collections.abc import Callable
from types import FunctionType
from typing import Any, Final
from weakref import WeakKeyDictionary

from corps.errors import UnpackError
from corps.packing.code_facts import facts_of
from corps.packing.fingerprints import Fingerprint, Parts, Unfit, fingerprint, is_plain_class
from corps.packing.references import reduce_by_reference

_MOST_SEEN: Final = 8192


class AllByValue(Exception):
    """A message holds code that writes globals.

    All functions in it have to be packed together, so that they share those at the receiver as they do here.
    """


class CodeSent:
    """What one peer has. Any thread may use it.

    It has no lock. Where two threads meet the same thing at the same time, each may define it: the peer then
    has it twice, and a number is known here only after its definition was sent.
    """

    def __init__(
        self,
        pack: Callable[[Any], bytes],
        define: Callable[[bytes], int | None],
        main_alias: str | None,
    ) -> None:
        """Make it; the peer has nothing.

        Args:
            pack: Packs a function or class by value, alone.
            define: Sends a definition; returns its number, or None if it was not sent.
            main_alias: The name under which other processes know this process' ``__main__``.
        """
        self._pack = pack
        self._define = define
        self._is_by_reference = lambda thing: reduce_by_reference(thing, main_alias) is not None
        # The numbers, by fingerprint, and what that needs alive. As many as the peer keeps at most.
        self._numbers: dict[Parts, tuple[int, tuple[Any, ...]]] = {}
        # Hashes of fingerprints that were met, and whether to try a definition. By hash alone, so that
        # nothing is kept alive: two that are equal by accident cost a definition that was not worth it.
        self._seen: dict[int, bool] = {}
        # The one version that each class was met in, and what that needs alive; None for classes that go by
        # value from now on.
        self._versions: WeakKeyDictionary[type, tuple[Parts, tuple[Any, ...]] | None] = WeakKeyDictionary()

    def number_of(self, thing: Any) -> int | None:
        """Returns the number under which the peer has exactly this; None if it has to go by value.

        Args:
            thing: A function or class that cannot go by reference.

        Raises:
            AllByValue: The whole message has to be packed without numbers.
        """
        # What refers to such a function goes by value, so the pickler comes by the function itself too.
        if type(thing) is FunctionType and facts_of(thing.__code__).writes_globals:
            raise AllByValue
        try:
            found = self._judge(thing)
        except Unfit:
            return None
        known = self._numbers.get(found.parts)
        if known is not None:
            return known[0]
        mark = hash(found.parts)
        if self._seen.get(mark) and (number := self._define_now(thing, found)) is not None:
            return number
        if len(self._seen) >= _MOST_SEEN:
            self._seen.clear()
        # Met for the first time: worth a definition next time. Else it was tried just now, in vain.
        self._seen[mark] = mark not in self._seen
        return None

    def _define_now(self, thing: Any, found: Fingerprint) -> int | None:
        body = self._pack(thing)
        # Another thread may have changed it meanwhile: then nobody knows which version was packed.
        try:
            is_same = self._judge(thing).parts == found.parts
        except Unfit:
            return None
        number = self._define(body) if is_same else None
        if number is not None:
            self._numbers[found.parts] = number, found.kept
        return number

    def _judge(self, thing: Any) -> Fingerprint:
        """The fingerprint of a thing that can be told from all its other versions.

        Raises:
            Unfit: It cannot, or one of the classes that it refers to cannot.
        """
        found = self._version(thing) if isinstance(thing, type) else self._take(thing)
        judged = {id(thing)}
        left = list(found.classes)
        while left:
            cls = left.pop()
            if id(cls) not in judged:
                judged.add(id(cls))
                left += self._version(cls).classes
        return found

    def _version(self, cls: type) -> Fingerprint:
        if not is_plain_class(cls) or self._versions.get(cls, ()) is None:
            raise Unfit
        try:
            found = self._take(cls)
            first = self._versions.setdefault(cls, (found.parts, found.kept))
            if first is None or first[0] != found.parts:
                raise Unfit
        except Unfit:
            self._versions[cls] = None
            raise
        return found

    def _take(self, thing: Any) -> Fingerprint:
        return fingerprint(thing, self._is_by_reference)


def restore_defined(number: int) -> Any:
    """Stands in a pickle for a function or a class that its sender has defined before.

    The packer that reads for that sender answers this name itself; this function is what all others get.

    Args:
        number: The number of the definition.

    Raises:
        UnpackError: Always.
    """
    raise UnpackError(
        f"the bytes refer to definition {number} of the link they came by; they were not read there"
    )
