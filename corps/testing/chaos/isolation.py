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
    """The faults of one storm. For one thread.

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
        """A worker lives in an Env.

        Args:
            record: A PLACED.
        """
        self._env_of[record.worker] = record.sequence

    def begin(self, record: Record) -> None:
        """A fault begins.

        Args:
            record: A FAULT.
        """
        domain = _Domain(record.sequence, record.sender, record.worker, record.time)
        self._all.append(domain)
        self._by_number[domain.number] = domain
        # What is seen there from now on may be its doing, and not that of one before it.
        self._watched = [
            each for each in self._watched if each.env != domain.env or each.worker != domain.worker
        ]
        self._watched.append(domain)

    def end(self, record: Record) -> None:
        """A fault is over.

        Args:
            record: An OVER.
        """
        domain = self._by_number.get(record.sequence)
        if domain is not None:
            domain.end = record.time

    def failed(self, worker: int, time: int) -> None:
        """A request has failed: note which faults are noticed by that.

        Args:
            worker: The worker that it went to.
            time: When.
        """
        env = self._env_of.get(worker)
        for domain in self._watched:
            if domain.noticed is None and domain.has(worker, env) and domain.begin <= time:
                domain.noticed = time

    def answered(self, worker: int, incarnation: int, time: int) -> None:
        """A worker has answered: note which faults are healed, so that a new incarnation could.

        Args:
            worker: The worker.
            incarnation: Which one it was.
            time: When.
        """
        env = self._env_of.get(worker)
        for domain in self._watched:
            if domain.has(worker, env) and domain.begin < incarnation:
                domain.served = time
        self._watched = [
            each for each in self._watched if each.served is None and not self._is_past(each, time)
        ]

    def excuse(self, worker: int, sent: int, resolved: int) -> bool:
        """Whether a fault may be why a request failed.

        Args:
            worker: The worker; one that nobody has placed may always fail.
            sent: When it was sent.
            resolved: When it failed.

        Returns:
            Whether it was in the failure domain of any fault.
        """
        env = self._env_of.get(worker)
        return env is None or any(
            domain.has(worker, env) and domain.begin <= resolved and not self._is_past(domain, sent)
            for domain in reversed(self._all)
        )

    def excuse_sender(self, sender: int, sent: int, resolved: int) -> bool:
        """Whether a fault may have kept a worker from getting its answer.

        Args:
            sender: Who sent the request; one that is no worker lives in no failure domain.
            sent: When it was sent.
            resolved: When it failed, or the end of all records.

        Returns:
            Whether the sender was in the failure domain of any fault.
        """
        return sender > WORKERS and self.excuse(sender - WORKERS, sent, resolved)

    def episodes(self) -> tuple[Episode, ...]:
        """Returns what became of each fault."""
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
