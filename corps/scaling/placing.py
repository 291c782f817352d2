"""In which Env an instance is begun: a decision over reports of Envs. Pure: values in, values out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

FRESH: Final = 5.0
"""Seconds for which a report counts."""

_BUSY: Final = 0.9  # of one processor: Python code of one process gets no more than one
_FULL: Final = 0.95  # of the memory of a host
_WEIGHT_BUSY: Final = 0.5
_WEIGHT_MEMORY: Final = 0.2
_WEIGHT_WORKERS: Final = 0.3


@dataclass(frozen=True, slots=True)
class EnvReport:
    """What one Env, and its host, have free.

    Attributes:
        env: Its id.
        labels: What the settings call it.
        busy: The share of one processor that its process has used lately.
        workers: How many it has.
        free: What its host has free: ``"cpu"`` in processors, ``"memory"`` in bytes.
        memory_used: The share of the memory of its host that is in use.
        at: When it came, on the clock of the process that decides.
    """

    env: int
    labels: frozenset[str]
    busy: float
    workers: int
    free: Mapping[str, float]
    memory_used: float
    at: float

    @property
    def is_overloaded(self) -> bool:
        """Whether it should get nothing more while there is another one."""
        return self.busy >= _BUSY or self.memory_used >= _FULL


def fresh(reports: Sequence[EnvReport], now: float) -> list[EnvReport]:
    """Return the reports that still count."""
    return [report for report in reports if now - report.at <= FRESH]


def place(
    reports: Sequence[EnvReport], label: str | None, needs: Mapping[str, float], chance: Callable[[int], int]
) -> int | None:
    """Return the id of the Env in which the next instance is begun; None if none fits.

    Of those that fit, two at random are compared, so that all who decide at once do not choose the same one.

    Args:
        reports: Of all Envs that count; see `fresh`.
        label: What the Env has to be called; None for any.
        needs: What has to be free on its host.
        chance: Gives a random number below its argument.
    """
    fitting = [
        report
        for report in reports
        if (label is None or label in report.labels)
        and all(report.free.get(what, 0.0) >= least for what, least in needs.items())
    ]
    choice = [report for report in fitting if not report.is_overloaded] or fitting
    if not choice:
        return None
    if len(choice) == 1:
        return choice[0].env
    first = chance(len(choice))
    second = (first + 1 + chance(len(choice) - 1)) % len(choice)
    most = max(1, *(report.workers for report in choice))
    return min(choice[first], choice[second], key=lambda report: _score(report, most)).env


def _score(report: EnvReport, most: int) -> float:
    """Return how much an Env has to do, from 0 to 1; `most` are the workers of the one that has most."""
    return (
        _WEIGHT_BUSY * min(report.busy, 1.0)
        + _WEIGHT_MEMORY * report.memory_used
        + _WEIGHT_WORKERS * report.workers / most
    )
