"""Errors on their way to a caller of another owner: a text, and a type from a closed list.

An exception of an author may hold anything, and its class may be anything. So neither it nor its traceback
crosses. The caller gets an error of the nearest type in the list, which both sides have. What comes is a name
that is looked up in that list, and nowhere else.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, get_args

from corps.errors import (
    BrokenPromise,
    Cancelled,
    CorpsError,
    DeadlineExceeded,
    DeadlockError,
    EnvLost,
    Executed,
    NoSuchMethod,
    NoSuchWorker,
    NotAuthenticated,
    NotPermitted,
    Overloaded,
    PackError,
    PoisonRequest,
    Remote,
    RequestError,
    UnpackError,
    Unreachable,
    WorkerGone,
)
from corps.messages.originals import text_of
from corps.messages.outcomes import Raised, Refused

_RAISED: Final[tuple[type[Exception], ...]] = (
    Exception,
    ArithmeticError,
    AttributeError,
    EOFError,
    FileExistsError,
    FileNotFoundError,
    IndexError,
    KeyError,
    LookupError,
    NotImplementedError,
    OSError,
    OverflowError,
    PackError,
    PermissionError,
    RuntimeError,
    TimeoutError,
    TypeError,
    UnpackError,
    ValueError,
    ZeroDivisionError,
)
_REFUSED: Final[tuple[type[CorpsError], ...]] = (
    RequestError,
    BrokenPromise,
    Cancelled,
    DeadlineExceeded,
    DeadlockError,
    EnvLost,
    NoSuchMethod,
    NoSuchWorker,
    NotAuthenticated,
    NotPermitted,
    Overloaded,
    PackError,
    PoisonRequest,
    UnpackError,
    Unreachable,
    WorkerGone,
)
RAISED: Final[Mapping[str, type[Exception]]] = MappingProxyType({kind.__name__: kind for kind in _RAISED})
"""Types of errors that a method raised, by the names that travel."""

REFUSED: Final[Mapping[str, type[CorpsError]]] = MappingProxyType({kind.__name__: kind for kind in _REFUSED})
"""Types of errors of the runtime, by the names that travel."""

_EXECUTED: Final[tuple[Executed, ...]] = get_args(Executed)
_LONGEST: Final = 4000  # characters of a text
_LONGEST_WAIT: Final = 86_400.0  # seconds to wait for another try
_ARGS: Final[Any] = BaseException.__dict__["args"]  # past what the class of an author makes of the name
_HIDDEN: Final = "the request could not be answered; the log of that Corps says why"


@dataclass(frozen=True, slots=True)
class CrossingError:
    """One error as it crosses to another owner.

    Attributes:
        is_raised: Whether the method raised it, rather than the runtime.
        kind: Its type: a name in `RAISED`, or in `REFUSED`.
        text: What it says.
        executed: Whether the request ran.
        retry_after: Seconds after which another try may succeed; None where that is not known.
    """

    is_raised: bool
    kind: str
    text: str
    executed: Executed
    retry_after: float | None = None

    @property
    def is_hidden(self) -> bool:
        """Whether it says only that the request could not be answered."""
        return self.text == _HIDDEN

    def as_list(self) -> list[object]:
        """Return it as plain data."""
        return [self.is_raised, self.kind, self.text, self.executed, self.retry_after]

    @classmethod
    def from_plain(cls, plain: Any) -> "CrossingError":
        """Read what anybody has sent. A type that is not in the list becomes the most general one.

        Raises:
            UnpackError: It is no such error.
        """
        if type(plain) is not list or len(plain) != 5:
            raise UnpackError("an error has to come as a list of 5 things")
        is_raised, kind, text, ran, retry_after = plain
        executed = next((each for each in _EXECUTED if type(ran) is str and each == ran), None)
        is_wait = retry_after is None or (type(retry_after) is float and 0 <= retry_after <= _LONGEST_WAIT)
        if (
            type(is_raised) is not bool
            or type(kind) is not str
            or type(text) is not str
            or executed is None
            or not is_wait
        ):
            raise UnpackError("an error has come whose parts are not of their types")
        known = RAISED if is_raised else REFUSED
        general = "Exception" if is_raised else "RequestError"
        return cls(is_raised, kind if kind in known else general, text[:_LONGEST], executed, retry_after)


def crossing(outcome: Raised | Refused) -> CrossingError:
    """Return what another owner may see of how a request failed.

    An error of the runtime that is not in the list says only that: it may tell of the inside of this Corps.
    """
    if isinstance(outcome, Raised):
        remote = outcome.remote
        kind = _nearest(type(remote.origin) if remote.origin is not None else None, remote.type_name)
        return CrossingError(True, kind, _text(kind, remote)[:_LONGEST], remote.executed)
    error = outcome.error
    kind = type(error).__name__
    executed: Executed = getattr(error, "executed", "unknown")
    if REFUSED.get(kind) is not type(error):
        return CrossingError(False, "RequestError", _HIDDEN, executed)
    wait = error.retry_after if isinstance(error, Overloaded) else None
    retry_after = None if wait is None else min(max(0.0, float(wait)), _LONGEST_WAIT)
    return CrossingError(False, kind, text_of(error)[:_LONGEST], executed, retry_after)


def _text(kind: str, remote: Remote) -> str:
    """Return what the error says: of a KeyError the key, because each one quotes its key anew."""
    args: tuple[Any, ...] = _ARGS.__get__(remote.origin) if remote.origin is not None else ()
    return args[0] if kind == "KeyError" and len(args) == 1 and type(args[0]) is str else remote.text


def _nearest(kind: type[BaseException] | None, name: str) -> str:
    """Return the name of the nearest class in the list; by a name where the exception did not come."""
    if kind is None:
        short = name.removeprefix("builtins.")
        return short if short in RAISED else "Exception"
    return next((each.__name__ for each in kind.__mro__ if RAISED.get(each.__name__) is each), "Exception")


def arrived(error: CrossingError, target: str | None) -> Raised | Refused:
    """Return how a request failed, as its caller sees it.

    Args:
        error: What has come.
        target: The worker that was asked, as text.
    """
    if error.is_raised:
        origin = RAISED[error.kind](error.text)
        name = f"{type(origin).__module__}.{error.kind}"
        return Raised(Remote(name, text_of(origin), "", target, origin, executed=error.executed))
    fields: dict[str, Any] = {"executed": error.executed, "target": target}
    if error.retry_after is not None:
        fields["retry_after"] = error.retry_after
    return Refused(REFUSED[error.kind](error.text, **fields))
