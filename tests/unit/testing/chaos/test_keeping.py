"""The judge of services finds what is planted, and nothing else."""

from collections.abc import Iterable
from typing import Final

import pytest

from corps.testing.chaos.judgement import Invariant, Limits, Violation
from corps.testing.chaos.witness import Kind, Look, Phase, Record
from tests.storm.executions import check

SECOND: Final = 1_000_000_000
ENTRY: Final = 7
TIMER: Final = 8
LOG: Final = 9


def at(seconds: float, kind: Kind, **numbers: int) -> Record:
    return Record(kind, time=round(seconds * SECOND), **numbers)


def armed(seconds: float, due: float, *, durable: bool = True) -> list[Record]:
    about = {"worker": 1, "sequence": TIMER, "detail": int(durable)}
    return [
        at(seconds, Kind.ARMING, **about),
        at(seconds + 0.1, Kind.ARMED, incarnation=round(due * SECOND), **about),
    ]


def ticked(seconds: float, number: int = TIMER) -> Record:
    return at(seconds, Kind.TICKED, worker=1, incarnation=1, sequence=number)


def logged(seconds: float) -> Record:
    return at(seconds, Kind.LOGGED, worker=1, incarnation=1, sequence=LOG)


def looked(seconds: float, found: Look) -> Record:
    return at(seconds, Kind.LOOKED, detail=found, worker=1, sequence=ENTRY)


ENTERED: Final = at(1, Kind.ENTERED, worker=1, sequence=ENTRY)
LEFT: Final = at(2, Kind.LEFT, sequence=ENTRY)
PLACED: Final = at(0, Kind.PLACED, worker=1, sequence=3)
REPEATS: Final = at(1, Kind.ARMED, worker=1)
OVER: Final = at(9, Kind.PHASE, detail=Phase.OVER)


def kept(seconds: float) -> Record:
    return at(seconds, Kind.KEPT, sequence=LOG)


def fault(seconds: float, env: int = 3) -> list[Record]:
    begin = at(seconds, Kind.FAULT, sender=env, sequence=1)
    return [begin, at(seconds + 0.1, Kind.OVER, sequence=1)]


def violations(records: Iterable[Record]) -> list[Violation]:
    return check([PLACED, *records, OVER], Limits()).violations


@pytest.mark.parametrize(
    "records",
    [
        [ENTERED, looked(1.5, Look.FOUND), LEFT, looked(2.5, Look.MISSING)],
        [looked(1.5, Look.MISSING)],
        [*armed(1, 2), ticked(2.1)],
        [*armed(1, 2)[:1], ticked(1.05), *armed(1, 1)[1:]],
        [*armed(1, 2)[:1]],
        [*armed(1, 2, durable=False), *fault(2.0)],
        [*armed(1, 2, durable=False), *fault(2.9)],
        armed(1, 100_000, durable=False),
        [logged(1), kept(1.1)],
        [kept(1), logged(1.1)],
        [kept(1)],
        [REPEATS, ticked(1.1, 0), *fault(2), ticked(2.5, 0)],
    ],
)
def test_what_services_promise_is_no_violation(records: list[Record]) -> None:
    assert violations(records) == []


@pytest.mark.parametrize(
    ("invariant", "text", "records"),
    [
        (
            Invariant.REGISTERED,
            "is in the Dir, and worker 1 found missing",
            [ENTERED, looked(2, Look.MISSING)],
        ),
        (Invariant.REGISTERED, "is in the Dir, and worker 1 found other", [ENTERED, looked(2, Look.OTHER)]),
        (Invariant.REGISTERED, "was taken out", [ENTERED, LEFT, looked(3, Look.FOUND)]),
        (Invariant.TIMELY, "the durable timer 8 for worker 1 has not called", [*armed(1, 2), *fault(2.0)]),
        (Invariant.TIMELY, "the timer 8 for worker 1 has not called", armed(1, 2, durable=False)),
        (Invariant.TIMELY, "has not called", [*armed(1, 2, durable=False), *fault(2.0, env=4)]),
        (Invariant.TIMELY, "has not called", [*armed(1, 2, durable=False), *fault(3.1)]),
        (Invariant.TIMELY, "called twice", [*armed(1, 2), ticked(2.1), ticked(2.2)]),
        (Invariant.TIMELY, "0.500 s before its time", [*armed(1, 2), ticked(1.5)]),
        (Invariant.TIMELY, "nobody has set it", [ticked(1.5)]),
        (Invariant.TIMELY, "after the last fault", [REPEATS, ticked(1.1, 0), *fault(2)]),
        (Invariant.LOGGED, "did not come to the sink", [logged(1)]),
        (Invariant.LOGGED, "came twice", [logged(1), kept(1.1), kept(1.2), kept(1.3)]),
        (
            Invariant.FENCE,
            "after the end",
            [at(1, Kind.ENDED, worker=1, incarnation=1), *armed(1, 2), ticked(2.1)],
        ),
    ],
)
def test_what_they_do_not_keep_is_one(invariant: Invariant, text: str, records: list[Record]) -> None:
    [found] = violations(records)
    assert found.invariant is invariant
    assert text in found.text


def test_what_is_missing_is_not_judged_if_the_storm_did_not_come_to_its_end() -> None:
    assert check([PLACED, logged(1), *armed(1, 2)], Limits()).is_clean


def test_what_was_done_is_counted() -> None:
    summary = check([ENTERED, looked(1, Look.FOUND), *armed(1, 2), logged(1)], Limits()).summary
    assert (summary.looks, summary.timers, summary.records) == (1, 1, 1)
