"""Objects to bytes and back, for the wire.

``Packer`` holds the settings of one border: the codec, how names are answered, who is trusted. It guarantees
that packing fails in the caller, with a path to the culprit, and that unpacking fails with an UnpackError
whatever the bytes do. Large buffers are neither copied nor put among the bytes.
"""

import copy
import pickle
from collections.abc import Callable
from io import BytesIO
from typing import Any, Final, NamedTuple, TypeAlias

from corps.core import know_packed, native
from corps.errors import UnpackError
from corps.handlers import came_from_a_handler
from corps.packing.blame import explain
from corps.packing.by_value import ByValue, helpers
from corps.packing.code_sent import CodeSent, restore_defined
from corps.packing.codecs import DATA, DILL, PICKLE, check_may_read, tag_of
from corps.packing.data import decode_data, encode_data
from corps.packing.functions import make_function
from corps.packing.identities import Identities
from corps.packing.picklers import (
    PROTOCOL,
    NeedsByValue,
    Outward,
    OutwardReferences,
    OutwardValues,
    ReferencePickler,
    ValuePickler,
    registered,
)
from corps.packing.plain import is_plain
from corps.packing.references import Elsewhere
from corps.packing.unpickler import Allow, Finder, Rebind, Resolve, read_pickle

_DEFINED: Final = (restore_defined.__module__, restore_defined.__qualname__)

Buffer: TypeAlias = bytes | bytearray | memoryview  # what gives its memory away without a copy


class Packed(NamedTuple):
    """A packed object."""

    codec: int  # the tag of the codec that the body is in
    body: bytes
    # Memory that belongs to the object and was not copied: one-dimensional views of bytes, in the order in
    # which the body refers to them. A change of the object before they are sent changes them.
    buffers: tuple[Buffer, ...]


know_packed(Packed)


@native
class Packer:
    """Pack and unpack at one border. Immutable. Thread-safe.

    A packer set to data reads nothing else; an unknown codec raises ConfigError. For `main_alias`,
    `everywhere` and `has_of_main` see `Elsewhere`, for `rebind` and `resolve_module` see `Finder`. `allow`
    sees the helpers of this package, cloudpickle and dill too, and names with dots, which it should not judge
    by the module. `outward` reduces objects that go out in another way. Without
    `identities` it shares classes by value with no other packer, and only one thread
    at a time may use it for these. Buffers of at least `out_of_band` bytes stay outside of the body.
    """

    def __init__(
        self,
        *,
        codec: str = "pickle",
        rebind: Rebind | None = None,
        resolve_module: Resolve | None = None,
        main_alias: str | None = None,
        everywhere: str | None = None,
        has_of_main: Callable[[str], bool] = bool,
        identities: Identities | None = None,
        allow: Allow | None = None,
        out_of_band: int = 65536,
        outward: Outward | None = None,
    ) -> None:
        self._codec = tag_of(codec)
        if self._codec == DILL:
            # Not at the top: see there what importing it costs.
            from corps.packing.dill_pickler import DillPickler

            self._dill_pickler = DillPickler
        self._identities = Identities() if identities is None else identities
        self._finder = Finder(
            rebind=rebind, resolve_module=resolve_module, allow=allow, helpers=helpers(self._identities)
        )
        self._elsewhere = Elsewhere(main_alias, everywhere, has_of_main)
        self._out_of_band = out_of_band
        self._outward = outward
        self._kinds = (
            (ReferencePickler, ValuePickler) if outward is None else (OutwardReferences, OutwardValues)
        )
        self._sent: CodeSent | None = None

    def for_peer(self, define: Callable[[bytes], int | None], find_defined: Callable[[int], Any]) -> "Packer":
        """Return a packer for one peer, which sends no function or class by value again and again.

        Only the codec "pickle" makes definitions, and the packer that this one came from reads them. `define`
        sends one ahead of what is being packed, and returns the number that the peer keeps it under, or None.
        `find_defined` gives what the peer has defined under a number, or raises an UnpackError.
        """
        twin = copy.copy(self)

        def restore(number: int, *shared: Any) -> Any:
            found = find_defined(number)
            return make_function(found, *shared) if shared else found

        twin._finder = self._finder.rebound({_DEFINED: restore})
        if self._codec == PICKLE:
            twin._sent = CodeSent(lambda thing: self._by_value(thing, None).body, define, self._identities)
        return twin

    def pack(self, value: object, *, what: str = "value") -> Packed:
        """Turn an object into bytes. PackError says what in `what` cannot be packed, why, and what to do."""
        # Plain data cannot fail, and most of what is packed is plain: it skips the rules and their calls.
        if self._codec == PICKLE and is_plain(value):
            # The constructor of a NamedTuple is Python: 0.26 µs against 0.15 µs for what it calls.
            return tuple.__new__(Packed, (PICKLE, pickle.dumps(value, PROTOCOL), ()))
        try:
            return self._encode(value, self._sent)
        except KeyboardInterrupt:
            raise
        # What the application's own __reduce__ raises is a reason like any other, SystemExit included.
        except BaseException as error:
            if came_from_a_handler(error):
                raise
            raise explain(value, what, error, self._encode, only_data=self._codec == DATA) from error

    def unpack(self, packed: Packed) -> Any:
        """Turn bytes of ``pack`` into an object, with the buffers as its memory, or raise UnpackError."""
        codec, body, buffers = packed
        if codec != self._codec:
            check_may_read(self._codec, codec)
        if codec != DATA:
            return read_pickle(BytesIO(body), buffers, self._finder)
        if buffers:
            raise UnpackError(
                f"a body of the codec 'data' came with {len(buffers)} buffers; it has no use for any"
            )
        return decode_data(body)

    def _encode(self, value: object, sent: CodeSent | None = None) -> Packed:
        if self._codec == PICKLE:
            return self._pickle(value, sent)
        return self._dill(value) if self._codec == DILL else Packed(DATA, encode_data(value), ())

    def _pickle(self, value: object, sent: CodeSent | None) -> Packed:
        if not registered():
            try:
                return self._dump(self._kinds[0], value)
            except NeedsByValue:
                pass
        return self._by_value(value, sent)

    def _by_value(self, value: object, sent: CodeSent | None) -> Packed:
        return self._dump(
            self._kinds[1], value, ByValue(self._identities, self._elsewhere, sent, registered())
        )

    def _dump(
        self, kind: type[ReferencePickler | ValuePickler], value: object, by_value: ByValue | None = None
    ) -> Packed:
        file = BytesIO()
        buffers: list[Buffer] = []
        pickler = kind(file, PROTOCOL, buffer_callback=_collector(buffers, self._out_of_band))
        if isinstance(pickler, ReferencePickler):
            pickler.elsewhere = self._elsewhere
        elif by_value is not None:
            pickler.by_value = by_value
        if isinstance(pickler, OutwardReferences | OutwardValues) and self._outward is not None:
            pickler.outward = self._outward
        pickler.dump(value)
        return Packed(PICKLE, file.getvalue(), tuple(buffers))

    def _dill(self, value: object) -> Packed:
        file = BytesIO()
        buffers: list[Buffer] = []
        by_value = ByValue(self._identities, self._elsewhere, None, registered())
        self._dill_pickler(file, by_value, _collector(buffers, self._out_of_band)).dump(value)
        return Packed(DILL, file.getvalue(), tuple(buffers))


def _collector(buffers: list[Buffer], smallest: int) -> Callable[[pickle.PickleBuffer], bool]:
    """Return the callback that collects the large buffers; it makes no garbage cycle with the pickler."""

    def stays_inside(buffer: pickle.PickleBuffer) -> bool:
        memory = buffer.raw()
        if memory.nbytes < smallest:
            return True
        buffers.append(memory)
        return False

    return stays_inside
