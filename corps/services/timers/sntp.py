"""The simple network time protocol (RFC 5905, 14), as a client: messages as bytes, and what an answer means.

    flags (1) | stratum (1) | poll (1) | precision (1) | root delay (4) | root dispersion (4) | reference (4)
    reference time (8) | origin time (8) | receive time (8) | transmit time (8)

A time is seconds since 1900 with 32 bits of fraction. The origin time of an answer is the transmit time of
the question. That is a random number here. So the server learns nothing of this clock, and nobody else can
make an answer to the question.
"""

import struct
from typing import Final, NamedTuple

_MESSAGE: Final = struct.Struct(">BBbbIII8s8s8s8s")
SIZE: Final = _MESSAGE.size

_QUESTION: Final = 4 << 3 | 3  # version 4, mode 3: client
_SERVER: Final = 4  # mode of an answer
_UNKNOWN: Final = 3  # leap indicator of a server that does not know the time
_SINCE_1900: Final = 2_208_988_800  # seconds from 1900 to 1970
_ERA: Final = 2**32  # seconds, after which the seconds of the protocol begin anew: in 2036
_DISTANT: Final = 16.0  # seconds from the clock that all others follow: more is no time


class Unusable(Exception):
    """An answer that says nothing about the time. The text says why."""


class Answer(NamedTuple):
    """What a server has said. Times are seconds since 1970."""

    received: float  # when the question came to it
    sent: float  # when its answer left
    distance: float  # how wrong its own clock may be, in seconds


class Measured(NamedTuple):
    """What an answer means for this clock."""

    offset: float  # seconds by which the clock of the server is ahead of this one
    bound: float  # how wrong that may be, in seconds


def question(cookie: bytes) -> bytes:
    """Make a question that is known by 8 random bytes."""
    nothing = bytes(8)
    return _MESSAGE.pack(_QUESTION, 0, 0, 0, 0, 0, 0, nothing, nothing, nothing, cookie)


def read_answer(message: bytes, cookie: bytes, wall: float) -> Answer | None:
    """Read an answer; None if it is not one to this question. `wall` is about now, by this clock.

    Raises:
        Unusable: The server does not say what time it is.
    """
    if len(message) < SIZE:
        return None
    flags, stratum, _, precision, delay, dispersion, reference, _, origin, received, sent = _MESSAGE.unpack(
        message[:SIZE]
    )
    if origin != cookie or flags & 7 != _SERVER:
        return None
    if stratum == 0:
        code = struct.pack(">I", reference).rstrip(b"\0").decode("ascii", "replace")
        raise Unusable(f"it does not answer now ({code})")
    if stratum >= 16 or flags >> 6 == _UNKNOWN or sent == bytes(8):
        raise Unusable("it does not know the time itself")
    distance = _short(delay) / 2 + _short(dispersion) + 2.0**precision
    if distance >= _DISTANT:
        raise Unusable(f"its own clock may be wrong by {distance:.3g} s")
    return Answer(_time(received, wall), _time(sent, wall), distance)


def measured(asked: float, answered: float, answer: Answer) -> Measured:
    """Compare an answer with this clock, which showed these times when it was asked for and when it came."""
    travelled = max(0.0, (answered - asked) - (answer.sent - answer.received))
    offset = ((answer.received - asked) + (answer.sent - answered)) / 2
    return Measured(offset, travelled / 2 + answer.distance)


def _short(value: int) -> float:
    return value / 2**16


def _time(stamp: bytes, wall: float) -> float:
    """Return a time of the protocol, in that of its eras which is the nearest one to this clock."""
    seconds, fraction = int.from_bytes(stamp[:4]), int.from_bytes(stamp[4:])
    since_1970 = seconds - _SINCE_1900
    era = round((wall - since_1970) / _ERA)
    return float(since_1970 + era * _ERA) + fraction / 2**32
