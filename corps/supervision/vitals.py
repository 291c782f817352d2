"""Which of the watched hang: judged by signs of life. Pure: no thread, no clock, no process."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Final, Generic, Literal, TypeVar

K = TypeVar("K", bound=Hashable)

State = Literal["well", "suspect", "dead"]
"""``suspect``: silent for so long that it may hang. ``dead``: for so long that it is given up."""

_LATE: Final = 2.0  # times the time between two looks


@dataclass(frozen=True, slots=True)
class Verdict(Generic[K]):
    """The state of a watched one has changed."""

    of: K
    state: State  # the new one. After ``"dead"`` there is none
    # Seconds without a sign, by kind of sign; if it is well again, those before that.
    silences: tuple[float, ...]


@dataclass(slots=True)
class _Watched:
    counts: tuple[int, ...] | None = None  # of the last look
    silences: tuple[float, ...] = ()
    state: State = "well"


@dataclass(slots=True)
class Judge(Generic[K]):
    """Follow counts of signs of life. One thread.

    Silence is what was seen of it: the time between two looks at the same counts. A look that comes late says
    more about the looking process than about others, so the time before it does not count. The idea is that
    of Lifeguard (Dadgar and others, 2018). A laptop that was closed, or a booting process that was stopped or
    whose interpreter was busy, finds no Env dead when it goes on.
    """

    every: float  # seconds between two looks. One that comes after twice that is late
    suspect: float  # seconds of silence of any kind of sign, after which one is suspect
    dead: float  # seconds of it after which one that was suspect before is dead
    _watched: dict[K, _Watched] = field(default_factory=dict)
    _last_look: float | None = None

    def add(self, key: K) -> None:
        """Watch another one, from the next look on."""
        self._watched[key] = _Watched()

    def remove(self, key: K) -> None:
        """Watch one no more. One that is not watched makes no difference."""
        self._watched.pop(key, None)

    def look(self, at: float, counts: Mapping[K, tuple[int, ...]]) -> list[Verdict[K]]:
        """Judge all by their numbers of signs of each kind. Return those whose state has changed."""
        passed = 0.0 if self._last_look is None else at - self._last_look
        self._last_look = at
        if passed > _LATE * self.every:
            passed = 0.0
        verdicts = []
        for key, watched in self._watched.items():
            before = watched.silences
            state = self._judge(watched, counts[key], passed)
            if state != watched.state:
                watched.state = state
                verdicts.append(Verdict(key, state, before if state == "well" else watched.silences))
        return verdicts

    def _judge(self, watched: _Watched, counts: tuple[int, ...], passed: float) -> State:
        if watched.state == "dead":
            return "dead"
        seen, watched.counts = watched.counts, counts
        if seen is None:
            watched.silences = (0.0,) * len(counts)
        else:
            watched.silences = tuple(
                silence + passed if count == last else 0.0
                for count, last, silence in zip(counts, seen, watched.silences, strict=True)
            )
        longest = max(watched.silences, default=0.0)
        if longest >= self.dead and watched.state == "suspect":
            return "dead"
        return "suspect" if longest >= self.suspect else "well"
