"""How many instances a pool begins or ends now: a table of states. Pure: values in, values out.

One look at the pool gives a `Seen`. `kind_of` says what kind of moment it is, and `MOVES` what follows on
that kind. What has to last before a step is counted from the first look of that kind.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf
from types import MappingProxyType
from typing import Final, Literal, NamedTuple, TypeAlias

from corps.scaling.scale import Scale

Kind: TypeAlias = Literal["short", "high", "calm", "low"]
"""Fewer instances than the least number; too much load; neither; so little load that one fewer would do."""

LINGER: Final = 1.0
"""Seconds for which an instance that gets no requests any more is kept: some may be on their way to it."""

_FIRST_PAUSE: Final = 0.5  # seconds after a start that has failed; doubled each time
_LONGEST_PAUSE: Final = 60.0


class Seen(NamedTuple):
    """What one look at a pool has found."""

    now: float  # when, on the clock of the process that looks
    up: int  # instances that get requests
    starting: int  # instances that will
    load: int  # requests that are not answered yet, of those that get requests


@dataclass(frozen=True, slots=True)
class Sizing:
    """What is remembered from one look to the next.

    Attributes:
        kind: Of the last look.
        since: When the looks of that kind began, or the last step was taken.
        rests_until: No step before that.
        failures: Starts that have failed, one after the other.
        retry_at: No start before that.
    """

    kind: Kind = "calm"
    since: float = -inf
    rests_until: float = -inf
    failures: int = 0
    retry_at: float = -inf


class Move(NamedTuple):
    """What follows on looks of one kind."""

    lasting: Literal["at once", "up_after", "down_after", "never"]  # how long they have to come
    step: int  # instances that are begun; below 0: ended


MOVES: Final[Mapping[Kind, Move]] = MappingProxyType(
    {
        "short": Move("at once", 1),
        "high": Move("up_after", 1),
        "calm": Move("never", 0),
        "low": Move("down_after", -1),
    }
)


def kind_of(scale: Scale, seen: Seen) -> Kind:
    """Return what kind of moment it is. Instances that start count, because they will take their share."""
    there = seen.up + seen.starting
    if there < scale.min:
        return "short"
    if seen.load > scale.target_queue * there:
        return "high" if there < scale.max else "calm"
    # Otherwise the pool would grow again as soon as it has shrunk.
    if seen.up > 1 and there > scale.min and seen.load <= scale.target_queue * (there - 1):
        return "low"
    return "calm"


def decide(scale: Scale, sizing: Sizing, seen: Seen) -> tuple[Sizing, int]:
    """Return what to remember, and how many instances are begun now; below 0: how many are ended."""
    kind = kind_of(scale, seen)
    since = sizing.since if kind == sizing.kind else seen.now
    after = replace(sizing, kind=kind, since=since)
    move = MOVES[kind]
    if move.step == 0 or (move.step > 0 and seen.now < sizing.retry_at):
        return after, 0
    if move.lasting == "at once":
        return after, scale.min - seen.up - seen.starting
    lasting = scale.up_after if move.lasting == "up_after" else scale.down_after
    if seen.now - since < lasting or seen.now < sizing.rests_until:
        return after, 0
    # What comes next has to last anew.
    return replace(after, since=seen.now, rests_until=seen.now + scale.cooldown), move.step


def start_failed(sizing: Sizing, now: float) -> Sizing:
    """Return what to remember when an instance did not start: the next one waits, longer each time."""
    pause = min(_FIRST_PAUSE * 2 ** min(sizing.failures, 16), _LONGEST_PAUSE)
    return replace(sizing, failures=sizing.failures + 1, retry_at=now + pause)


def start_succeeded(sizing: Sizing) -> Sizing:
    """Return what to remember when an instance is up."""
    return replace(sizing, failures=0, retry_at=-inf)


def look_every(scale: Scale) -> float:
    """Return the seconds between two looks: several fall into each time that counts."""
    times = [each for each in (scale.up_after, scale.down_after, scale.cooldown) if each > 0]
    return max(0.05, min(1.0, *(each / 4 for each in times))) if times else 0.05


def first_to_leave(loads: Sequence[int]) -> int:
    """Return the place of the instance that leaves, by loads, oldest first: the youngest of the idlest."""
    return min(range(len(loads)), key=lambda place: (loads[place], -place))


def may_end(scale: Scale, since: float, load: int | None, now: float) -> bool:
    """Return whether an instance that is out of the routing may end.

    Args:
        scale: That of the pool.
        since: When it was taken out.
        load: Its requests that are not answered; None if not all Envs have said theirs.
        now: The time.
    """
    return now - since >= scale.drain or (load == 0 and now - since >= LINGER)
