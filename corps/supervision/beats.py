"""Which of the Envs behind a network are asked for a sign of life, and which were silent for too long.

Inside a host the kernel reports the end of a process. Over a network nothing does, so silence has to. Every
message is a sign of life; only who is silent is asked. Pure: no clock, no thread, no socket.
"""

from collections.abc import Collection, Hashable
from typing import Final, Generic, NamedTuple, TypeVar

from corps.supervision.vitals import Judge

K = TypeVar("K", bound=Hashable)

_LOOKS: Final = 4  # in the time after which silence means that one is gone


class Looked(NamedTuple, Generic[K]):
    """What is to be done after a look."""

    ask: list[K]  # nothing has come of them since the last look
    silent: list[K]  # nothing has come for too long; said once


class Beats(Generic[K]):
    """Follow who was heard of. The thread that reads uses it alone.

    A look that comes late says more about this process than about others: the time before it does not count.
    """

    def __init__(self, silence: float) -> None:
        """Take one to be gone that is silent for so many seconds, and at most half as many more."""
        self.every: Final = silence / _LOOKS
        """Seconds from one look to the next."""
        self._judge: Judge[K] = Judge(self.every, silence / 2, silence)
        self._counts: dict[K, int] = {}  # looks at which each had been heard of

    def look(self, at: float, there: Collection[K], heard: Collection[K]) -> Looked[K]:
        """Judge all that are `there`. Those in `heard` gave a sign since the last look. Forget all others."""
        for gone in self._counts.keys() - there:
            self._judge.remove(gone)
            del self._counts[gone]
        fresh = [each for each in there if each not in self._counts]
        for each in fresh:
            self._judge.add(each)
            self._counts[each] = 0
        for each in heard:
            if each in self._counts:
                self._counts[each] += 1
        verdicts = self._judge.look(at, {each: (count,) for each, count in self._counts.items()})
        silent = [verdict.of for verdict in verdicts if verdict.state == "dead"]
        ask = [each for each in self._counts if each not in heard and each not in silent]
        return Looked(ask, silent)
