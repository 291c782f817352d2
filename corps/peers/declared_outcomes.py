"""Outcomes between Corps of different owners: declared data one way and the other, and errors as texts.

A body has the codec "data" and no buffers, whatever the outcome is. A value is packed as its method declares
it. An error is a `CrossingError`. An iterator is two facts: the number of the generator in its worker, and
whether a coroutine makes the items.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from corps.addresses import ConcAddr
from corps.clock import now
from corps.errors import Cancelled, CorpsError, InternalError, Overloaded, PackError, UnpackError
from corps.handlers import came_from_a_handler
from corps.messages.contacts import ExtAddr
from corps.messages.crossing_errors import CrossingError, arrived, crossing
from corps.messages.originals import text_of
from corps.messages.outcomes import Outcome, Raised, Refused, Value
from corps.messages.requests import PULL, Kind
from corps.messages.streams import SENDER, WHOLE, Held, Streaming
from corps.observing.log_limit import LogLimit
from corps.packing.codecs import CODEC_NAMES, DATA
from corps.packing.data import encode_data
from corps.packing.declared import DeclaredMethod, read_plain
from corps.packing.packer import Packed, Packer
from corps.peers.local_side import IteratorSide, StreamSide
from corps.peers.outcome_codec import OutcomeCodec, ReceivedStream
from corps.wire.frames import RAISED, REFUSED, RETURNED, STREAMED, Frame

_log = logging.getLogger("corps.security")

_SHORT: Final = 64  # bytes of what says where a generator is


@dataclass(frozen=True, slots=True)
class Reply:
    """How the outcome of one request goes back.

    Attributes:
        kind: Of the request.
        target: The worker that was asked.
        method: What it declares, or the method that gave the generator of a PULL.
        give: Notes that the peer gets a generator of the worker, with its number, and whether it is
            asynchronous; False if it has too many.
        ended: Notes that the generator of a PULL is at its end.
    """

    kind: Kind
    target: ConcAddr
    method: DeclaredMethod
    give: Callable[["Reply", Held, bool], bool]
    ended: Callable[[], object]


class Leaving:
    """An outcome on its way to another owner, with what says how it is packed."""

    __slots__ = ("_outcome", "reply")

    def __init__(self, outcome: Outcome, reply: Reply | None) -> None:
        self._outcome = outcome
        self.reply = reply

    @property
    def failed(self) -> bool:
        """See `Outcome.failed`."""
        return self._outcome.failed

    @property
    def is_cancelled(self) -> bool:
        """See `Outcome.is_cancelled`."""
        return self._outcome.is_cancelled

    def opened(self) -> Outcome:
        """See `Outcome.opened`."""
        return self._outcome.opened()

    def unwrap(self) -> Any:
        """See `Outcome.unwrap`."""
        return self._outcome.unwrap()


class DeclaredOutcomes(OutcomeCodec):
    """Packs outcomes for a peer of another owner. Thread-safe. `DeclaredAsking` reads those that come."""

    def __init__(self, streams: StreamSide) -> None:
        super().__init__(Packer(codec="data"), streams, is_foreign=True)
        # Of several threads: two that come at once may both pass, or one line more be held back.
        self._limit: LogLimit[str] = LogLimit()

    def pack(self, outcome: Outcome) -> tuple[int, Packed]:
        """See `OutcomeCodec.pack`."""
        reply = outcome.reply if isinstance(outcome, Leaving) else None
        opened = outcome.opened()
        if isinstance(opened, Value):
            try:
                return self._pack_value(opened.value, reply)
            except BaseException as error:  # whatever the author's classes do: the caller must hear of it
                if isinstance(error, MemoryError):
                    raise
                return self.instead(RETURNED, error)
        if not isinstance(opened, Raised | Refused):
            opened = Refused(InternalError(f"an outcome of type {type(opened).__name__}"))
        if isinstance(opened, Raised) and reply is not None:
            reply.ended()
        return self._pack_error(opened)

    def _pack_value(self, value: Any, reply: Reply | None) -> tuple[int, Packed]:
        if reply is None or reply.kind not in _GIVING:  # of what gives nothing, such as the end of a worker
            return RETURNED, _plain(None)
        if reply.kind is PULL:
            more, item = value
            if not more:
                reply.ended()
            return RETURNED, Packed(DATA, reply.method.pack_item(more, item), ())
        if issubclass(type(value), Streaming):
            return STREAMED, self._pack_iterator(value, reply)
        return RETURNED, Packed(DATA, reply.method.pack_result(value), ())

    def _pack_iterator(self, stream: Streaming, reply: Reply) -> Packed:
        is_async, held = stream.is_async, stream.held()
        if held.worker != reply.target or (held := stream.hand_over() or held).share != WHOLE:
            raise PackError("an iterator goes to another owner from its own worker, at once and as a whole")
        if not reply.give(reply, held, is_async):
            self._streams.forsake(held)
            raise Overloaded(
                "this Env has too many open generators of that Corps: close some", executed="yes"
            )
        return _plain([held.number, is_async])

    def instead(
        self, status: int, failure: BaseException, outcome: Outcome | None = None
    ) -> tuple[int, Packed]:
        """See `OutcomeCodec.instead`."""
        error = failure
        if not isinstance(error, CorpsError):
            why = f"{type(failure).__name__}: {text_of(failure)}"
            error = InternalError(f"the answer could not be sent: {why}")
            error.__cause__ = failure
        if status != REFUSED:
            error.__dict__["executed"] = "yes"
        return self._pack_error(Refused(error))

    def _pack_error(self, outcome: Raised | Refused) -> tuple[int, Packed]:
        error = crossing(outcome)
        if isinstance(outcome, Refused) and error.is_hidden:
            name = type(outcome.error).__name__
            if self._limit.passes(name, now()) is not None:
                _log.error("another owner is not shown why a request failed: %s: %s", name, outcome.error)
        text = error.text.encode("utf-8", "backslashreplace").decode()
        facts = replace(error, text=text).as_list()
        return RAISED if error.is_raised else REFUSED, _plain(facts)


_GIVING: Final = frozenset({Kind.CALL, Kind.PULL})


def _plain(value: Any) -> Packed:
    return Packed(DATA, encode_data(value), ())


class Arriving:
    """Opens the outcome of one request to another owner: an `Opens`. Immutable. Thread-safe."""

    __slots__ = ("_is_pull", "_method", "_target")

    def __init__(self, method: DeclaredMethod, target: ConcAddr, *, is_pull: bool) -> None:
        """Know what the method declares that was asked for, or that has given the generator of a PULL."""
        self._method = method
        self._target = target
        self._is_pull = is_pull

    def open(self, status: int, codec: int, frames: Sequence[Frame]) -> Outcome:
        """See `Opens.open`. Nothing of it is unpickled, whatever it says of itself."""
        try:
            body = _body_of(codec, frames)
            if status != RETURNED:
                return arrived(CrossingError.from_plain(read_plain(body)), str(self._target))
            return Value(
                self._method.unpack_item(body) if self._is_pull else self._method.unpack_result(body)
            )
        except UnpackError as error:
            error.__dict__["executed"] = "yes"
            return Refused(error)
        except Exception as error:  # constructors of declared classes are an author's
            if came_from_a_handler(error):
                raise
            return Refused(UnpackError(f"a damaged outcome came: {type(error).__name__}: {text_of(error)}"))

    def is_cancellation(self, frames: Sequence[Frame]) -> bool:
        """See `Opens.is_cancellation`."""
        try:
            error = CrossingError.from_plain(read_plain(bytes(frames[0])))
        except UnpackError:
            return False
        return not error.is_raised and error.kind == Cancelled.__name__


class _Given:
    """Opens the outcome that is an iterator: an `Opens`. Immutable. Thread-safe."""

    __slots__ = ("_env", "_held", "_is_async")

    def __init__(self, env: IteratorSide, held: Held, *, is_async: bool) -> None:
        self._env = env
        self._held = held
        self._is_async = is_async

    def open(self, status: int, codec: int, frames: Sequence[Frame]) -> Outcome:
        """See `Opens.open`."""
        held = self._held
        return Value(self._env.iterator_at(held.worker, held.number, is_async=self._is_async))

    def is_cancellation(self, frames: Sequence[Frame]) -> bool:
        """See `Opens.is_cancellation`."""
        return False


def received_iterator(
    env: IteratorSide, target: ConcAddr, method: str, codec: int, frames: Sequence[Frame]
) -> Outcome:
    """Return the iterator that a method of another owner has given. In the thread that reads."""
    try:
        number, is_async = _facts_of(codec, frames)
    except UnpackError as error:
        error.__dict__["executed"] = "yes"
        return Refused(error)
    worker = target.known_as(target.interface, method) if isinstance(target, ExtAddr) else target
    held = Held(worker, number, WHOLE, SENDER)
    env.expect_garbage()
    return ReceivedStream(_Given(env, held, is_async=is_async), codec, frames, held, env.forsake)


def _facts_of(codec: int, frames: Sequence[Frame]) -> tuple[int, bool]:
    body = _body_of(codec, frames)
    plain = read_plain(body) if len(body) <= _SHORT else None
    if type(plain) is not list or [type(each) for each in plain] != [int, bool]:
        raise UnpackError("an iterator has come that does not say of which generator it is")
    return plain[0], plain[1]


def _body_of(codec: int, frames: Sequence[Frame]) -> bytes:
    if codec != DATA or len(frames) != 1:
        name = CODEC_NAMES.get(codec, str(codec))
        raise UnpackError(
            f"another owner has sent {len(frames)} frames in the codec {name!r}, and one in 'data' has to "
            "come: nothing of it was unpacked"
        )
    return bytes(frames[0])
