"""What the clients of witnessed workers saw of each fault: when it came, and when it was healed. Pure."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from corps.testing.chaos.report import table
from corps.testing.chaos.witness import Kind, Outcome, Record, Trait

_SERVED = frozenset({Outcome.VALUE, Outcome.RAISED})
_NOT_COUNTED = Trait.HASTY | Trait.CANCELLED


@dataclass(slots=True)
class Episode:
    """What the clients saw of one fault; times are in nanoseconds.

    Attributes:
        number: Of the fault.
        env: The Env that it touched.
        worker: The worker that it touched; 0 for the whole Env.
        begin: When it began.
        end: When it was over; None if it is not.
        noticed: When a first request failed there; None if none did until the next fault there.
        served: When a worker answered that was constructed after it; None if none did until the next fault
            there.
    """

    number: int
    env: int
    worker: int
    begin: int
    end: int | None = None
    noticed: int | None = None
    served: int | None = None

    def has(self, worker: int, env: int | None) -> bool:
        """Whether it touched this worker of this Env."""
        return self.env == env and self.worker in {0, worker}

    def seconds_to(self, time: int | None) -> float | None:
        """Seconds from its beginning to a time; None for None."""
        return None if time is None else (time - self.begin) / 1e9


class Episodes:
    """Takes records in the order of `merged`, one by one. For one thread.

    Args:
        settle: Seconds that what a fault broke may take to heal.
    """

    def __init__(self, settle: float) -> None:
        self._settle = int(settle * 1e9)
        self._by_number: dict[int, Episode] = {}
        self._watched: list[Episode] = []  # nothing was answered there again yet
        self._env_of: dict[int, int] = {}
        self._traits: dict[tuple[int, int], int] = {}

    def all(self) -> Sequence[Episode]:
        """What became of each fault."""
        return tuple(self._by_number.values())

    def feed(self, record: Record) -> None:
        """Take the next record."""
        match record.kind:
            case Kind.PLACED:
                self._env_of[record.worker] = record.sequence
            case Kind.FAULT:
                self._begin(Episode(record.sequence, record.sender, record.worker, record.time))
            case Kind.OVER:
                if episode := self._by_number.get(record.sequence):
                    episode.end = record.time
            case Kind.SENT:
                self._traits[record.sender, record.sequence] = record.detail
            case Kind.RESOLVED:
                traits = self._traits.pop((record.sender, record.sequence), None)
                if traits is not None:
                    self._resolved(record, traits)

    def _begin(self, episode: Episode) -> None:
        self._by_number[episode.number] = episode
        # What is seen there from now on may be its doing, and not that of one before it.
        here = episode.env, episode.worker
        self._watched = [each for each in self._watched if (each.env, each.worker) != here]
        self._watched.append(episode)

    def _resolved(self, record: Record, traits: int) -> None:
        env = self._env_of.get(record.worker)
        here = [each for each in self._watched if each.has(record.worker, env)]
        if record.incarnation:
            for each in here:
                if each.begin < record.incarnation:
                    each.served = record.time
            self._watched = [
                each
                for each in self._watched
                if each.served is None and (each.end is None or each.end + self._settle >= record.time)
            ]
        elif record.detail not in _SERVED and not traits & _NOT_COUNTED:
            for each in here:
                if each.noticed is None and each.begin <= record.time:
                    each.noticed = record.time

    def section(self, kinds: Mapping[int, str]) -> Iterator[str]:
        """Yield a table in Markdown; `kinds` are those of the faults, by number."""
        rows = []
        for kind in sorted(set(kinds.values())):
            ours = [each for each in self.all() if kinds.get(each.number) == kind]
            noticed = [each.seconds_to(each.noticed) for each in ours]
            served = [each.seconds_to(each.served) for each in ours]
            rows.append([kind, _pair(noticed, 0.5, 0.99), _pair(served, 0.5, 0.95)])
        yield from table(["fault", "noticed p50, p99 (ms)", "new incarnation answered p50, p95 (ms)"], rows)


def percentile(values: Sequence[float], share: float) -> float | None:
    """The least value that this share of all (0 to 1) does not exceed; None if there are none."""
    if not values:
        return None
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def _pair(found: Sequence[float | None], *shares: float) -> str:
    values = [each for each in found if each is not None]
    if not values:
        return "-"
    shown = ", ".join(f"{1000 * (percentile(values, share) or 0.0):.0f}" for share in shares)
    return f"{shown} (of {len(values)})"
