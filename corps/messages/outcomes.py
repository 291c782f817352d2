"""How a request ended: with a value, with an exception of the method, or refused by the runtime.

An outcome is what settles a promise. `unwrap()` gives the value or raises; it is called in the thread
that wants the result.
"""

import traceback
from collections.abc import Iterable
from dataclasses import replace
from inspect import CO_ASYNC_GENERATOR, CO_COROUTINE, CO_GENERATOR
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, NoReturn, Protocol, Self

from corps.core import native
from corps.errors import Cancelled, CorpsError, Remote, remote_of
from corps.exporting import exported
from corps.handlers import came_from_a_handler
from corps.messages.originals import copy_of, original_of, remote_error, text_of

if TYPE_CHECKING:
    from corps.messages.dead_letters import DeadReason

_NATIVE: Final = "corps/_core/"
"""Where the frames of the native core say that they come from."""

_OUR_FILES: Final = (f"{Path(__file__).parents[1]}/", _NATIVE)
_TRACEBACK: Final[Any] = BaseException.__dict__["__traceback__"]
_SUSPENDS: Final = CO_GENERATOR | CO_COROUTINE | CO_ASYNC_GENERATOR  # their frames end without a caller


@exported
class Outcome(Protocol):
    """What every outcome offers."""

    @property
    def failed(self) -> bool:
        """Whether `unwrap` will raise, as far as that is known without unpacking."""

    @property
    def is_cancelled(self) -> bool:
        """Whether the error says that the request was cancelled, rather than the method."""

    def unwrap(self) -> Any:
        """Return the value, or raise the error.

        Raises:
            CorpsError: The request failed; which one says how.
        """

    def opened(self) -> "Outcome":
        """Return the same outcome with nothing left to unpack. Unpacking happens here, once."""


class _Open:
    """An outcome that is as it was made, with nothing left to unpack."""

    __slots__ = ()

    def opened(self) -> Self:
        """See `Outcome.opened`."""
        return self


@native
class Value(_Open):
    """The method returned."""

    __slots__ = ("value",)
    failed = is_cancelled = False

    def __init__(self, value: Any) -> None:
        self.value = value

    def unwrap(self) -> Any:
        """See `Outcome.unwrap`."""
        return self.value


class Raised(_Open):
    """The method raised. The `origin` of `remote` is a copy of the exception; None if it could not travel."""

    __slots__ = ("_error", "remote")
    failed = True
    is_cancelled = False

    def __init__(self, remote: Remote) -> None:
        self.remote = remote
        self._error: BaseException | None = None

    @classmethod
    def capture(cls, error: BaseException, target: str | None, incarnation: int = 0) -> "Raised":
        """Keep an exception of a method; one of a further worker keeps its type and both tracebacks."""
        text, has_author_frames = _shown(error)
        remote = remote_of(error)
        if remote is None:
            kind = type(error)
            name = f"{kind.__module__}.{kind.__qualname__}"
            return cls(Remote(name, text_of(error), text, target, copy_of(error), incarnation))
        remote = replace(remote, origin=original_of(error), elapsed=None, executed="yes")
        if has_author_frames:  # otherwise only the runtime passed it on: nothing to add
            remote = replace(remote, traceback=text, target=target, incarnation=incarnation)
        return cls(remote)

    def unwrap(self) -> NoReturn:
        """Raise an error of its own each time, so that callers cannot change each other's."""
        raise remote_error(self.remote)

    @property
    def error(self) -> BaseException:
        """The error for the caller: made at the first use, then always the same one."""
        if self._error is None:
            # Two threads may both make one: either serves, the later replaces the earlier.
            self._error = remote_error(self.remote)
        return self._error


class Refused(_Open):
    """The runtime itself has no value to give: the worker is gone, the deadline passed, ..."""

    __slots__ = ("error", "letter")
    failed = True

    def __init__(self, error: CorpsError, letter: "DeadReason | None" = None) -> None:
        self.error = error  # what the caller will see raised
        # Why the request is a dead letter; None if it reached its worker, or its caller's Env says so.
        self.letter = letter

    @property
    def is_cancelled(self) -> bool:
        """See `Outcome.is_cancelled`."""
        return isinstance(self.error, Cancelled)

    def unwrap(self) -> NoReturn:
        """Raise a copy, for the same reason as `Raised`. See `Outcome.unwrap`."""
        raise copy_of(self.error)


def note_time(outcome: Outcome, seconds: float) -> None:
    """Have the error of a failed outcome say how many seconds the request took, unless it does already."""
    if isinstance(outcome, Raised):
        if outcome.remote.elapsed is None:
            outcome.remote = replace(outcome.remote, elapsed=seconds)
    elif isinstance(outcome, Refused):
        outcome.error.__dict__.setdefault("elapsed", seconds)


def _shown(error: BaseException) -> tuple[str, bool]:
    """Return the traceback without the frames of corps, which would hide the others; and if any are left."""
    has_author_frames = False
    first = _TRACEBACK.__get__(error)
    while first is not None and first.tb_frame.f_code.co_filename.startswith(_OUR_FILES):
        first = first.tb_next
    earlier = _earlier(first)
    now, then = _places(first, earlier), _places(earlier, None)
    try:
        shown = traceback.TracebackException.from_exception(error)
        if then and then == now:
            del shown.stack[-len(then) :]
        has_author_frames = any(not _is_ours(frame) for frame in shown.stack)
        if has_author_frames:
            _drop_ours(shown)
        else:
            del shown.stack[:-1]  # such as a call with wrong arguments: our own way there tells nothing
        text = "".join(shown.format())
    except BaseException as broken:  # an author's class may break even this; the failure must get through
        if came_from_a_handler(broken):
            raise
        text = f"<formatting the traceback raised {type(broken).__name__}>\n"
    # Leave what it had before this raise; of a first one the frames of the author. An exception that is kept
    # and raised again would gather the frames of all the times, with their arguments.
    _TRACEBACK.__set__(error, first if earlier is None else earlier)
    return text, has_author_frames


class _Stack(traceback.StackSummary):
    """Frames of a traceback, of which each place is made text once.

    Python makes a text of each repetition too, and parses its line from 3.13 on: 50 ms for a recursion of
    1000 levels.
    """

    def __init__(self, frames: Iterable[traceback.FrameSummary]) -> None:
        super().__init__(frames)
        self._texts: dict[tuple[object, ...], str] = {}

    def format_frame_summary(self, frame_summary: traceback.FrameSummary, **options: Any) -> str:
        """Return the text of a frame, for the standard library."""
        frame = frame_summary
        place = (frame.filename, frame.name, frame.lineno, frame.end_lineno, frame.colno, frame.end_colno)
        if place not in self._texts:
            self._texts[place] = super().format_frame_summary(frame, **options)
        return self._texts[place]


def _is_ours(frame: traceback.FrameSummary) -> bool:
    return frame.filename.startswith(_OUR_FILES)


def _drop_ours(shown: traceback.TracebackException | None) -> None:
    """Take our frames out of a traceback, and of those it was caused by."""
    while shown is not None:
        shown.stack = _Stack(frame for frame in shown.stack if not _is_ours(frame))
        shown = shown.__cause__ or shown.__context__


def _earlier(first: TracebackType | None) -> TracebackType | None:
    """Return the first frame of an earlier raise: the first that the frame before has not called."""
    here = None if first is None else first.tb_frame
    while first is not None and (first := first.tb_next) is not None:
        there = first.tb_frame
        if there.f_code.co_filename.startswith(_NATIVE):
            continue  # made when the exception passed: no frame knows it
        if there is not here and there.f_back is not here and not there.f_code.co_flags & _SUSPENDS:
            return first
        here = there
    return None


def _places(first: TracebackType | None, end: TracebackType | None) -> list[tuple[object, int]]:
    places: list[tuple[object, int]] = []
    while first is not None and first is not end:
        places.append((first.tb_frame.f_code, first.tb_lasti))
        first = first.tb_next
    return places
