"""The requests of an Env of another owner: public methods that the rules allow, and plain data.

Which of the two kinds of peers an Env is follows from the key that it has proved. Nothing in a message can
change it. No byte of such a peer is ever unpickled: its packer reads the codec "data" and nothing else.
"""

from collections.abc import Sequence
from functools import partial
from typing import Final, NamedTuple

from corps.addresses import ConcAddr
from corps.errors import DefinitionError, NotPermitted, UnpackError, WireError
from corps.messages.outcomes import Outcome, Value
from corps.messages.requests import ANEXT, CALL, DROP, NEXT, PULL
from corps.messages.streams import SENDER, WHOLE, Held
from corps.packing.codecs import CODEC_NAMES, DATA
from corps.packing.declared import PLAIN, DeclaredMethod, read_plain
from corps.peers.declared_outcomes import Leaving, Reply
from corps.peers.guarded import Denial, GuardedAnswering
from corps.wire.frames import Frame, RequestHeader

_MOST_STREAMS: Final = 1000  # generators of one peer that are known, those at their end among them
_MOST_AHEAD: Final = 64  # items of one that may be made ahead
_SHORT: Final = 64  # bytes of a body that the thread that reads looks at


class _Stream(NamedTuple):
    """One generator that the peer was given."""

    method: DeclaredMethod
    is_async: bool


class JudgedAnswering(GuardedAnswering):
    """The requests of an Env of another owner. Thread-safe, as `Answering`."""

    def _prepare(self) -> None:
        """See `GuardedAnswering._prepare`."""
        # The lock of `Answering` protects these.
        self._replies: dict[int, Reply] = {}  # of the requests that want an answer
        # Generators that the peer was given, by the conc id of the worker and their number there.
        self._streams: dict[tuple[int, int], _Stream] = {}
        self._at_end: dict[tuple[int, int], None] = {}  # those of them that have ended, the oldest first

    # --- what may go on ---

    def _denial_of_user(self, header: RequestHeader, frames: Sequence[Frame]) -> Denial | None:
        """See `GuardedAnswering._denial_of_user`. Arguments are not read here."""
        denial = _unreadable(header, frames)
        if denial is not None or header.kind is DROP:
            return denial
        if header.kind is not PULL:
            return super()._denial_of_user(header, frames)
        if self._stream_of(header, frames) is not None:
            return None
        target = self._target(header)
        text = (
            f"{target} has no generator of this number for this Env: an iterator of another owner cannot "
            "be passed on"
        )
        return Denial("capability", NotPermitted(text, target=target))

    def _judged(self, header: RequestHeader, size: int) -> Denial | None:
        """See `GuardedAnswering._judged`."""
        denial = super()._judged(header, size)
        try:
            if denial is None and header.kind is CALL:
                self._method(header)
        except DefinitionError as error:  # of the author here: the caller learns no more than that
            return Denial("", error)
        return denial

    def _method(self, header: RequestHeader) -> DeclaredMethod:
        """Return what a method of a worker declares; nothing is declared of one that has ended."""
        interface = self._env.interface_at(header.conc)
        return self._terms.declared.of(None if interface is None else interface.author, header.method)

    def _stream_of(self, header: RequestHeader, frames: Sequence[Frame]) -> _Stream | None:
        """Return the generator that a PULL or DROP is about, if this peer was given it."""
        numbers = _numbers_in(frames)
        with self._lock:
            return self._streams.get((header.conc, numbers[0])) if numbers else None

    # --- what goes on ---

    def _take(self, header: RequestHeader, frames: Sequence[Frame]) -> None:
        """See `GuardedAnswering._take`."""
        stream = self._stream_of(header, frames) if header.kind is not CALL else None
        if header.kind is DROP:
            if stream is None:  # it has ended, or another Corps has made it up
                self._settle(header, frames, Value(None))
                return
            self._forget((header.conc, _numbers_in(frames)[0]))
        if stream is not None:  # how it is stepped is not for the peer to say
            header = header._replace(method=ANEXT if stream.is_async else NEXT)
        if header.number:
            self._expect(header, frames, stream)
        try:
            super()._take(header, frames)
        except WireError:
            with self._lock:
                self._replies.pop(header.number, None)
            raise

    def _expect(self, header: RequestHeader, frames: Sequence[Frame], stream: _Stream | None) -> None:
        """Keep how the outcome of a request goes back."""
        target = ConcAddr(self._env.corps_id, self._env.id, header.conc)
        method, ended = PLAIN, _nothing
        if header.kind is CALL:
            method = self._method(header)
        elif stream is not None and header.kind is PULL:
            method, ended = stream.method, partial(self._end, (header.conc, _numbers_in(frames)[0]))
        reply = Reply(header.kind, target, method, self._give, ended)
        with self._lock:
            if header.number in self._replies:
                raise WireError(f"the number {header.number} of a request is in use")
            self._replies[header.number] = reply

    def unpack(self, header: RequestHeader, frames: Sequence[Frame]) -> tuple[object, ...]:
        """See `Answering.unpack`. The arguments are read as their method declares them."""
        if header.kind is CALL:
            args, kwargs = self._method(header).unpack_arguments(bytes(frames[1]))
            return tuple(args), kwargs
        numbers = _numbers_in(frames)
        if header.kind is DROP and numbers:  # all of it: nobody else has an iterator of it
            return (numbers[0], WHOLE, SENDER, -1), {}
        if header.kind is PULL and numbers:
            ahead = numbers[1] if len(numbers) > 1 else None
            return (numbers[0], None if ahead is None else min(ahead, _MOST_AHEAD)), {}
        return (), {}

    def answer(self, number: int, outcome: Outcome) -> None:
        """See `Answering.answer`."""
        with self._lock:
            reply = self._replies.pop(number, None)
        super().answer(number, Leaving(outcome, reply))

    # --- generators that the peer was given ---

    def _give(self, reply: Reply, held: Held, is_async: bool) -> bool:
        """Note that the peer gets a generator; False if it has too many."""
        with self._lock:
            if len(self._streams) >= _MOST_STREAMS:
                oldest = next(iter(self._at_end), None)
                if oldest is None:
                    return False
                del self._at_end[oldest], self._streams[oldest]
            self._streams[reply.target.conc, held.number] = _Stream(reply.method, is_async)
        return True

    def _end(self, which: tuple[int, int]) -> None:
        """Note that a generator is at its end. Pulls that are on their way hear of that too."""
        with self._lock:
            if which in self._streams:
                self._at_end[which] = None

    def _forget(self, which: tuple[int, int]) -> None:
        with self._lock:
            self._streams.pop(which, None)
            self._at_end.pop(which, None)


def _nothing() -> None:
    """Note nothing: what was asked is not about a generator."""


def _unreadable(header: RequestHeader, frames: Sequence[Frame]) -> Denial | None:
    """Return a denial of what comes in another form than plain data. It is not looked at."""
    if header.codec == DATA and len(frames) == 2:
        return None
    name = CODEC_NAMES.get(header.codec, str(header.codec))
    text = (
        f"the arguments of {header.method!r:.80} came as {len(frames) - 1} frames in the codec {name!r}: "
        "another owner has to send one in 'data', and nothing of it was unpacked"
    )
    return Denial("codec", UnpackError(text, executed="no"))


def _numbers_in(frames: Sequence[Frame]) -> tuple[int, ...]:
    """Return the numbers that a PULL or DROP has for arguments; none if it has others."""
    if len(frames[1]) > _SHORT:
        return ()
    try:
        plain = read_plain(bytes(frames[1]))
    except UnpackError:
        return ()
    if type(plain) is not list or any(type(each) is not int or each < 0 for each in plain):
        return ()
    return tuple(plain[:2])
