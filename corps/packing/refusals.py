"""What is never packed, and why: one table of kinds, and the exception a pickler stops with.

Some of these kinds would fail by themselves, with words that help nobody; others (text files with
cloudpickle, files and locks with dill) would be copied into something that only looks like the original: a
second lock that guards nothing, a second file position. All codecs refuse the same kinds, so that changing
the codec never changes what a program means.
"""

import io
import socket
import sys
import types
import weakref
from typing import Any, Final, NamedTuple


class Reason(NamedTuple):
    """Why a kind of object cannot be packed, and what to do instead."""

    why: str  # a clause, such as "a lock works inside one process only"
    advice: str  # a clause


class Refusal(Exception):
    """A pickler met a thing that it must not pack itself. Becomes a PackError at the border."""

    def __init__(self, thing: Any, reason: Reason) -> None:
        super().__init__(f"{reason.why}; {reason.advice}")
        self.thing = thing
        self.reason = reason


_GENERATOR = Reason(
    "a running generator is a stack frame of its process",
    "return it from a method: the caller then gets a remote iterator; or pass list(generator)",
)
_COROUTINE = Reason(
    "a coroutine is a stack frame of its process", "await it first and pass its result, or pass the function"
)
_FILE = Reason(
    "an open file belongs to its process", "pass the path, or the content, and open it where it is used"
)
_LOCK = Reason(
    "a lock works inside one process only",
    "make it where it is used, leave it out in __getstate__, or let one worker own what it guards",
)
_SOCKET = Reason("a socket belongs to its process", "pass the address, and connect where it is used")
_FRAME = Reason("a stack frame belongs to its thread", "pass the text of traceback.format_exception()")
_THREAD_STATE = Reason("it belongs to one thread of its process", "make it where it is used")
_WEAK = Reason("a weak reference means nothing in another process", "pass the object itself, or its key")

_KINDS: Final[tuple[tuple[tuple[type, ...], Reason], ...]] = (
    ((types.GeneratorType, types.AsyncGeneratorType), _GENERATOR),
    ((types.CoroutineType,), _COROUTINE),
    # io.BytesIO and io.StringIO hold data, not a descriptor: these two are data and are packed.
    (
        (
            io.TextIOWrapper,
            io.BufferedReader,
            io.BufferedWriter,
            io.BufferedRandom,
            io.BufferedRWPair,
            io.FileIO,
        ),
        _FILE,
    ),
    ((socket.socket,), _SOCKET),
    ((types.FrameType, types.TracebackType), _FRAME),
    ((weakref.ReferenceType, weakref.ProxyType, weakref.CallableProxyType), _WEAK),
)

_REFUSED: Final = tuple(kind for kinds, _ in _KINDS for kind in kinds)

# By name, so that this package need not import threads to refuse them.
_OF_THREADS: Final = {"lock": _LOCK, "RLock": _LOCK, "_local": _THREAD_STATE}


def reason_against(thing: Any) -> Reason | None:
    """Return why an object is never packed; None if it may be tried, as the standard output streams may."""
    # The type and not isinstance() on the object: proxies of all sorts lie about their __class__, and run
    # code of the application to do so.
    kind = type(thing)
    if issubclass(kind, _REFUSED):
        if thing is sys.stdout or thing is sys.stderr:
            return None
        return next(reason for kinds, reason in _KINDS if issubclass(kind, kinds))
    for base in kind.__mro__:
        if base.__module__ == "_thread":
            return _OF_THREADS.get(base.__qualname__)
    return None


def refuse_if_hopeless(thing: Any) -> None:
    """Stop a pickler with a Refusal at an object of a kind that is never packed."""
    reason = reason_against(thing)
    if reason is not None:
        raise Refusal(thing, reason)
