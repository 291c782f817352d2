"""Outcomes on the wire. Whatever a method returned or raised, something that can be packed goes back."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from threading import Lock
from typing import Any, Final, Protocol

import corps.errors as errors
from corps.addresses import ConcAddr
from corps.clock import now
from corps.errors import Cancelled, CorpsError, InternalError, Remote, UnpackError
from corps.handlers import came_from_a_handler
from corps.messages.contacts import address_in
from corps.messages.originals import stand_in, stand_in_facts, text_of
from corps.messages.outcomes import Outcome, Raised, Refused, Value, note_time
from corps.messages.streams import SENDER, Held, Streaming
from corps.packing.codecs import CODEC_TAGS
from corps.packing.exceptions import Lightened
from corps.packing.packer import Packed, Packer
from corps.packing.refusals import Refusal
from corps.peers.local_side import StreamSide
from corps.wire.frames import RAISED, REFUSED, RETURNED, STREAMED, Frame

_PLAIN: Final = frozenset({str, int, float, bool, type(None)})


class OutcomeCodec:
    """Packs and unpacks outcomes. Thread-safe."""

    def __init__(self, packer: Packer, streams: StreamSide, *, is_foreign: bool = False) -> None:
        self._packer = packer
        self._streams = streams
        self._is_foreign = is_foreign  # the peer belongs to another Corps
        self._data = Packer(codec="data")

    def pack(self, outcome: Outcome) -> tuple[int, Packed]:
        """Return the status and the packed body of an outcome, or of an error if it cannot be packed."""
        opened = outcome.opened()
        if isinstance(opened, Value):
            try:
                if issubclass(type(opened.value), Streaming):
                    return STREAMED, self._pack_stream(opened.value)
                return RETURNED, self._packer.pack(opened.value, what="result")
            except BaseException as error:  # whatever the author's classes do: the caller must hear of it
                if isinstance(error, MemoryError) or isinstance(error.__cause__, MemoryError):
                    raise MemoryError(f"there is no memory to pack a result: {error}") from error
                return self.instead(RETURNED, error)
        if isinstance(opened, Raised):
            return RAISED, self._pack_raised(opened)
        if isinstance(opened, Refused):
            return REFUSED, self._pack_refused(opened.error)
        return REFUSED, self._pack_refused(InternalError(f"an outcome of type {type(opened).__name__}"))

    def _pack_stream(self, stream: Streaming) -> Packed:
        """Pack an iterator, and before it what gives it up if nobody unpacks it."""
        part = stream.part()
        worker, *rest = part.held()
        facts = self._data.pack([self._plain(worker), *rest])
        packed = self._packer.pack(part, what="result")
        return Packed(packed.codec, facts.body, (packed.body, *packed.buffers))

    def _plain(self, worker: ConcAddr) -> list[Any]:
        if self._is_foreign:
            return list(self._streams.address_abroad(worker).as_plain())
        is_own = worker.corps == self._streams.corps_id
        return [worker.env, worker.conc] if is_own else list(worker.as_plain())

    def _address(self, plain: list[Any]) -> ConcAddr:
        own = self._streams.corps_id
        return ConcAddr(own, *plain) if len(plain) == 2 else address_in(own, tuple(plain))

    def instead(
        self, status: int, failure: BaseException, outcome: Outcome | None = None
    ) -> tuple[int, Packed]:
        """Return what is sent in place of an outcome of this status, which could not be packed or sent."""
        if isinstance(outcome, Raised) and isinstance(failure, CorpsError):
            return RAISED, self._pack_raised(outcome, with_origin=False)  # too large as it is
        error = failure
        if not isinstance(error, CorpsError):
            why = f"{type(failure).__name__}: {text_of(failure)}"
            error = InternalError(f"the answer could not be sent: {why}")
            error.__cause__ = failure
        if status != REFUSED:
            error.__dict__["executed"] = "yes"
        return REFUSED, self._pack_refused(error)

    def _pack_raised(self, outcome: Raised, *, with_origin: bool = True) -> Packed:
        remote = outcome.remote
        target = None if remote.target is None else _text(remote.target)
        texts = [_text(remote.type_name), _text(remote.text), _text(remote.traceback)]
        facts: list[Any] = [*texts, target, remote.incarnation]
        origin = remote.origin
        if origin is None:
            return self._data.pack(facts)
        packed = self._data.pack([*facts, *_sendable(origin)])
        return _beside(packed, self._pack_origin(origin) if with_origin else None)

    def _pack_origin(self, origin: BaseException) -> Packed | None:
        """Pack the exception, or it without what cannot be packed; None if not even its type can."""
        # Whatever its author's classes do, its text and traceback do travel.
        with suppress(BaseException):
            return self._packer.pack(origin, what="exception")
        with suppress(BaseException):
            return self._packer.pack(Lightened(origin, self._can_pack), what="exception")
        return None

    def _can_pack(self, thing: object) -> bool:
        try:
            self._packer.pack(thing)
        except BaseException:
            return False
        return True

    def _pack_refused(self, error: CorpsError) -> Packed:
        fields: dict[str, Any] = {}
        for name, value in vars(error).items():
            if type(value) is str:
                fields[_text(name)] = _text(value)
            elif type(value) in _PLAIN:
                fields[_text(name)] = value
            elif isinstance(value, tuple) and all(isinstance(each, str) for each in value):
                fields[_text(name)] = [_text(each) for each in value]
        facts: list[Any] = [type(error).__name__, _text(text_of(error)), fields]
        cause = error.__cause__
        if cause is None or isinstance(cause, Refusal):  # a Refusal says no more than the error itself
            return self._data.pack(facts)
        packed = self._data.pack([*facts, _text(text_of(cause)), *_sendable(cause)])
        return _beside(packed, self._pack_origin(cause))

    def receive(
        self, status: int, codec: int, frames: Sequence[Frame], sent: float | None = None
    ) -> "ReceivedOutcome":
        """Return an outcome that came in. Nothing is unpacked before a caller wants it."""
        if status == STREAMED:
            return self._receive_stream(codec, frames)
        elapsed = None if status == RETURNED or sent is None else now() - sent
        return ReceivedOutcome(self, status, codec, frames, elapsed)

    def _receive_stream(self, codec: int, frames: Sequence[Frame]) -> "ReceivedOutcome":
        try:
            facts = self._data.unpack(Packed(CODEC_TAGS["data"], bytes(frames[0]), ()))
            worker, *rest = facts
            held = Held(self._address(worker), *(int(fact) for fact in rest))
            if self._is_foreign:
                held = held._replace(holder=SENDER)
        except Exception as error:  # damaged: its unpacking says so later
            if came_from_a_handler(error):
                raise
            return ReceivedOutcome(self, RETURNED, codec, frames, None)
        self._streams.expect_garbage()
        return ReceivedStream(self, codec, frames[1:], held, self._streams.forsake)

    def open(self, status: int, codec: int, frames: Sequence[Frame]) -> Outcome:
        """Unpack an outcome, in the thread that wants it. An error becomes the outcome."""
        try:
            if status == RETURNED:
                packed = tuple.__new__(Packed, (codec, bytes(frames[0]), tuple(frames[1:])))
                return Value(self._packer.unpack(packed))
            facts = self._data.unpack(Packed(CODEC_TAGS["data"], bytes(frames[0]), ()))
            if status == RAISED:
                type_name, text, shown, target, incarnation, *in_place = facts
                origin = self._origin(codec, frames)
                is_stand_in = origin is None and bool(in_place)
                if is_stand_in:
                    origin = stand_in(text, *in_place)
                known = type_name, text, shown, target, origin, incarnation
                return Raised(Remote(*known, is_stand_in=is_stand_in))
            name, message, fields, *cause = facts
            error = _error_named(name, message, fields)
            if cause:
                error.__cause__ = self._origin(codec, frames) or stand_in(*cause)
            return Refused(error)
        except UnpackError as error:
            error.__dict__["executed"] = "yes"
            return Refused(error)
        except Exception as error:  # the facts are not what they should be; the caller must hear of it
            if came_from_a_handler(error):
                raise
            return Refused(UnpackError(f"a damaged outcome came: {type(error).__name__}: {error}"))

    def is_cancellation(self, frames: Sequence[Frame]) -> bool:
        """Return whether a REFUSED says that the request was cancelled. Runs no code of an author."""
        try:
            facts = self._data.unpack(Packed(CODEC_TAGS["data"], bytes(frames[0]), ()))
            return bool(facts[0] == Cancelled.__name__)
        except Exception as error:  # damaged: its unpacking says so later
            if came_from_a_handler(error):
                raise
            return False

    def _origin(self, codec: int, frames: Sequence[Frame]) -> BaseException | None:
        if len(frames) < 2:
            return None
        try:
            origin = self._packer.unpack(Packed(codec, bytes(frames[1]), tuple(frames[2:])))
        except UnpackError:
            return None  # its class cannot be found here; the text tells
        return origin if isinstance(origin, BaseException) else None


class Opens(Protocol):
    """What opens outcomes that came in."""

    def open(self, status: int, codec: int, frames: Sequence[Frame]) -> Outcome:
        """Unpack an outcome, in the thread that wants it. An error becomes the outcome."""

    def is_cancellation(self, frames: Sequence[Frame]) -> bool:
        """Return whether a REFUSED says that the request was cancelled. Runs no code of an author."""


@dataclass(slots=True, eq=False)
class ReceivedOutcome:
    """An outcome as it came in."""

    _outcomes: Opens
    _status: int
    _codec: int
    _frames: Sequence[Frame]
    _elapsed: float | None
    _is_opened: bool = False

    def reserve(self) -> bool:
        """Keep its buffers as they came: what is made of it here gets memory of its own. False: too late."""
        frames = self._frames
        if self._status != RETURNED or len(frames) < 2:
            return False
        if type(frames) is not LentFrames:
            # A thread that opens it says so, and then takes the frames: so one of the two sees the other.
            self._frames = LentFrames(frames)
            if self._is_opened:
                self._frames = frames
                return False
        return True

    def lend(self) -> tuple[Any, Sequence[Frame]] | None:
        """Return the value, made on memory that may be lent, and its buffers, to be sent on and dropped.

        None if it has none, or if it was opened: then an author may write to them. What is made of it here
        afterwards gets memory of its own.
        """
        if not self.reserve():
            return None
        frames = self._frames
        outcome = self._outcomes.open(self._status, self._codec, frames)
        return (outcome.value, frames[1:]) if isinstance(outcome, Value) else None

    @property
    def failed(self) -> bool:
        """Return whether it is an error, as far as can be said without unpacking."""
        return self._status != RETURNED

    @property
    def is_cancelled(self) -> bool:
        """See `Outcome.is_cancelled`. The same before it is unpacked, and after."""
        return self._status == REFUSED and self._outcomes.is_cancellation(self._frames)

    def opened(self) -> Outcome:
        """See `Outcome.opened`."""
        self._is_opened = True  # before its frames are read: see `lend`
        frames = self._frames
        if type(frames) is LentFrames:
            frames = frames.copied()
        outcome = self._outcomes.open(self._status, self._codec, frames)
        if self._elapsed is not None:
            note_time(outcome, self._elapsed)
        return outcome

    def unwrap(self) -> Any:
        """See `Outcome.unwrap`."""
        return self.opened().unwrap()


class LentFrames(tuple[Frame, ...]):
    """The frames of an outcome whose memory was lent: what is made of them here gets memory of its own."""

    __slots__ = ()

    def copied(self) -> list[Frame]:
        """Return the same frames, of which the buffers are copies."""
        return [self[0], *(memoryview(bytearray(frame)) for frame in self[1:])]


class ReceivedStream(ReceivedOutcome):
    """An iterator as it came in. If it is garbage before it was unpacked, its generator is given up."""

    __slots__ = ("_forsake", "_held", "_lock", "_opened")

    def __init__(
        self,
        outcomes: Opens,
        codec: int,
        frames: Sequence[Frame],
        held: Held,
        forsake: Callable[[Held], object],
    ) -> None:
        super().__init__(outcomes, RETURNED, codec, frames, None)
        self._held = held
        self._forsake = forsake
        self._lock = Lock()  # protects _opened: unpacked twice, it would be given up twice
        self._opened: Outcome | None = None

    def reserve(self) -> bool:
        """Return False: it is unpacked once. See `ReceivedOutcome.reserve`."""
        return False

    def opened(self) -> Outcome:
        """See `Outcome.opened`."""
        with self._lock:
            if self._opened is None:
                self._opened = super().opened()
            return self._opened

    def __del__(self) -> None:
        # Without `_opened` its making was broken off by a signal.
        if hasattr(self, "_opened") and not isinstance(self._opened, Value):
            self._forsake(self._held)


def _text(text: str) -> str:
    """Return a plain `str` that UTF-8 can express: file names may hold half surrogate pairs."""
    return text.encode("utf-8", "backslashreplace").decode()


def _beside(packed: Packed, exception: Packed | None) -> Packed:
    """Return what is certain, and the exception after it."""
    if exception is None:
        return packed
    return Packed(exception.codec, packed.body, (exception.body, *exception.buffers))


def _sendable(error: BaseException) -> tuple[str, list[Any]]:
    name, args = stand_in_facts(error)
    return name, [_text(arg) if type(arg) is str else arg for arg in args]


def _error_named(name: str, message: str, fields: dict[str, Any]) -> CorpsError:
    """Return an error of corps by its name; only those of `corps.errors` can be named."""
    kind = getattr(errors, name, None)
    if not (isinstance(kind, type) and issubclass(kind, CorpsError)):
        return InternalError(f"the peer reports the unknown error {name}: {message}")
    plain = {key: tuple(value) if isinstance(value, list) else value for key, value in fields.items()}
    return kind(message, **plain)
