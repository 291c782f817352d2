"""How a request ended: with a value, with an exception of the method, or refused by the runtime.

An outcome is what settles a promise. `unwrap()` gives the value or raises; it is called in the thread
that wants the result.
"""

import traceback
from pathlib import Path
from typing import Any, Final, NoReturn, Protocol

from corps.errors import CorpsError, RemoteError

_OUR_FILES: Final = f"{Path(__file__).parents[1]}/"


class Outcome(Protocol):
    """What every outcome offers."""

    @property
    def failed(self) -> bool:
        """Whether `unwrap` will raise, as far as can be told without unpacking."""
        ...

    def unwrap(self) -> Any:
        """The value; or the error, raised.

        Raises:
            CorpsError: The request failed; which one says how.
        """
        ...

    def opened(self) -> "Outcome":
        """The same outcome with nothing left to unpack. Unpacking happens here, once."""
        ...


class Value:
    """The method returned."""

    __slots__ = ("value",)
    failed = False

    def __init__(self, value: Any) -> None:
        self.value = value

    def unwrap(self) -> Any:
        """See `Outcome.unwrap`."""
        return self.value

    def opened(self) -> "Value":
        """See `Outcome.opened`."""
        return self


class Raised:
    """The method raised.

    Attributes:
        type_name, text, traceback: What is known of the exception, always, as text.
        target: The worker that raised, as text.
        origin: The exception itself; None where it could not travel.
        incarnation: Which incarnation of the worker raised; 0 where that is not known.
        elapsed: Seconds from sending the request to its outcome; None where that is not known, or not yet.
    """

    __slots__ = (
        "_error",
        "elapsed",
        "incarnation",
        "origin",
        "target",
        "text",
        "traceback",
        "type_name",
    )
    failed = True

    def __init__(
        self,
        type_name: str,
        text: str,
        traceback: str,
        target: str | None,
        origin: BaseException | None,
        incarnation: int = 0,
    ) -> None:
        self.type_name = type_name
        self.text = text
        self.traceback = traceback
        self.target = target
        self.origin = origin
        self.incarnation = incarnation
        self.elapsed: float | None = None
        self._error: RemoteError | None = None

    @classmethod
    def capture(cls, error: BaseException, target: str | None, incarnation: int = 0) -> "Raised":
        """Keep an exception that a method raised, with its traceback as text.

        An error that came from a further worker keeps that worker's type, and both tracebacks.

        Args:
            error: The exception, as caught.
            target: The worker whose method raised it, as text.
            incarnation: Which incarnation of it.

        Returns:
            The outcome.
        """
        shown = _Shown(error)
        if isinstance(error, RemoteError):
            if not shown.has_author_frames:  # only the runtime passed it on: nothing to add
                there = error.target, error.origin, error.incarnation
                return cls(error.type_name, error.text, error.traceback, *there)
            return cls(error.type_name, error.text, shown.text, target, error.origin, incarnation)
        kind = type(error)
        name = f"{kind.__module__}.{kind.__qualname__}"
        return cls(name, _text(error), shown.text, target, error, incarnation)

    def unwrap(self) -> NoReturn:
        """See `Outcome.unwrap`."""
        raise self.error.with_traceback(None)  # else each raise would lengthen the one before

    def opened(self) -> "Raised":
        """See `Outcome.opened`."""
        return self

    @property
    def error(self) -> RemoteError:
        """The error for the caller: made at the first use, then always the same one."""
        if self._error is None:
            # Two threads may both make one: either serves, the later replaces the earlier.
            facts = self.type_name, self.text, self.traceback, self.target, self.origin
            self._error = RemoteError.of(*facts, self.incarnation, self.elapsed)
        return self._error


class Refused:
    """The runtime itself has no value to give: the worker is gone, the deadline passed, ...

    Attributes:
        error: What the caller will see raised.
        letter: Why the request is a dead letter; None if it reached somebody, or its caller's Env says so.
    """

    __slots__ = ("error", "letter")
    failed = True

    def __init__(self, error: CorpsError, letter: Any = None) -> None:
        self.error = error
        self.letter = letter

    def unwrap(self) -> NoReturn:
        """See `Outcome.unwrap`."""
        raise self.error.with_traceback(None)

    def opened(self) -> "Refused":
        """See `Outcome.opened`."""
        return self


def note_time(outcome: Outcome, seconds: float) -> None:
    """Have the error of a failed outcome say how long the request took, unless it does already.

    Args:
        outcome: One that is not settled yet.
        seconds: From sending the request until now.
    """
    if isinstance(outcome, Raised):
        if outcome.elapsed is None:
            outcome.elapsed = seconds
    elif isinstance(outcome, Refused):
        outcome.error.__dict__.setdefault("elapsed", seconds)


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as broken:  # an author's __str__ may raise; the failure must still get through
        return f"<str() of it raised {type(broken).__name__}>"


class _Shown:
    """The traceback of an exception as text, without the frames of corps: they would hide the others."""

    def __init__(self, error: BaseException) -> None:
        self.has_author_frames = False
        try:
            shown = traceback.TracebackException.from_exception(error)
            self.has_author_frames = any(not _is_ours(frame) for frame in shown.stack)
            if self.has_author_frames:
                _drop_ours(shown)
            else:
                del shown.stack[:-1]  # such as a call with wrong arguments: our own way there tells nothing
            self.text = "".join(shown.format())
        except Exception as broken:  # an author's class may break even this; the failure must get through
            self.text = f"<formatting the traceback raised {type(broken).__name__}>\n"


def _is_ours(frame: traceback.FrameSummary) -> bool:
    return frame.filename.startswith(_OUR_FILES)


def _drop_ours(shown: traceback.TracebackException | None) -> None:
    """Take our frames out of a traceback, and of those it was caused by."""
    while shown is not None:
        kept = [frame for frame in shown.stack if not _is_ours(frame)]
        shown.stack[:] = kept
        shown = shown.__cause__ or shown.__context__
