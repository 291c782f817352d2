"""Failure domains: which requests a fault may touch (I11), and when the clients saw it come and go. Pure."""

from dataclasses import dataclass

from corps.testing.chaos.judgement import Episode
from corps.testing.chaos.witness import WORKERS, Record


@dataclass(slots=True)
class _Domain:
    """Where and when a fault may make requests fail; times are in nanoseconds."""

    number: int
    env: int
    worker: int
    begin: int
    end: int | None = None  # None: not over yet
    noticed: int | None = None
    served: int | None = None

    def has(self, worker: int, env: int | None) -> bool:
        return self.env == env and self.worker in {0, worker}


class Domains:
    """The faults of one storm. One thread.

    Args:
        settle: Nanoseconds that what a fault broke may take to heal.
    """

    def __init__(self, settle: int) -> None:
        self._settle = settle
        self._all: list[_Domain] = []
        self._by_number: dict[int, _Domain] = {}
        self._watched: list[_Domain] = []  # nothing was answered there again yet
        self._env_of: dict[int, int] = {}

    def place(self, record: Record) -> None:
        """Take a PLACED: a worker lives in an Env."""
        self._env_of[record.worker] = record.sequence

    def begin(self, record: Record) -> None:
        """Take a FAULT: a fault begins."""
        domain = _Domain(record.sequence, record.sender, record.worker, record.time)
        self._all.append(domain)
        self._by_number[domain.number] = domain
        # What is seen there from now on may be its doing, and not that of one before it.
        self._watched = [
            each for each in self._watched if each.env != domain.env or each.worker != domain.worker
        ]
        self._watched.append(domain)

    def end(self, record: Record) -> None:
        """Take an OVER: a fault is over."""
        domain = self._by_number.get(record.sequence)
        if domain is not None:
            domain.end = record.time

    def failed(self, worker: int, time: int) -> None:
        """Note which faults a failed request to a worker has shown."""
        env = self._env_of.get(worker)
        for domain in self._watched:
            if domain.noticed is None and domain.has(worker, env) and domain.begin <= time:
                domain.noticed = time

    def answered(self, worker: int, incarnation: int, time: int) -> None:
        """Note which faults have healed, because an incarnation that was born after them has answered."""
        env = self._env_of.get(worker)
        for domain in self._watched:
            if domain.has(worker, env) and domain.begin < incarnation:
                domain.served = time
        self._watched = [
            each for each in self._watched if each.served is None and not self._is_past(each, time)
        ]

    def excuse(self, worker: int, sent: int, resolved: int) -> bool:
        """Return whether a fault may be why a request failed. One to an unplaced worker may always fail."""
        env = self._env_of.get(worker)
        return env is None or any(
            domain.has(worker, env) and domain.begin <= resolved and not self._is_past(domain, sent)
            for domain in reversed(self._all)
        )

    def excuse_sender(self, sender: int, sent: int, resolved: int) -> bool:
        """Return whether a fault may have kept a worker from its answer. Clients have no excuse."""
        return sender > WORKERS and self.excuse(sender - WORKERS, sent, resolved)

    def episodes(self) -> tuple[Episode, ...]:
        """Return what became of each fault."""
        return tuple(
            Episode(
                domain.number,
                domain.env,
                domain.worker,
                _seconds(domain.begin, domain.noticed),
                _seconds(domain.begin, domain.served),
            )
            for domain in self._all
        )

    def _is_past(self, domain: _Domain, time: int) -> bool:
        return domain.end is not None and domain.end + self._settle < time


def _seconds(begin: int, time: int | None) -> float | None:
    return None if time is None else (time - begin) / 1e9
