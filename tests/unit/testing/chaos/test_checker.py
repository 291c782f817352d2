"""The judge finds what is planted, and nothing else."""

from dataclasses import replace
from random import Random
from typing import Final

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from corps.testing.chaos import checker
from corps.testing.chaos.judgement import Invariant, Limits
from corps.testing.chaos.witness import WORKERS, Kind, Outcome, Phase, Record, Trait, merged
from tests.storm.executions import Executions, check
from tests.unit.testing.chaos.histories import (
    DEADLINE,
    MS,
    SECOND,
    SPOILERS,
    History,
    NothingToSpoil,
    body,
    sent,
    settled,
)

LIMITS: Final = Limits()
EXPECTED: Final = {
    Invariant.NO_DOUBLE_EXECUTION,
    Invariant.HONEST_SUCCESS,
    Invariant.HONEST_FAILURE,
    Invariant.RESOLVED_IN_TIME,
    Invariant.ORDER,
    Invariant.FENCE,
    Invariant.ACCOUNTED,
    Invariant.ISOLATION,
}


class Forgetful(Executions):
    """Forgets almost at once, as a long storm does in the end."""

    forget = 0.02


seeds = st.integers(0, 2**32 - 1)


@given(seeds)
@settings(max_examples=60, deadline=None)
def test_a_correct_history_has_no_violation(seed: int) -> None:
    verdict = check(merged(History(Random(seed)).files), LIMITS)
    assert verdict.is_clean, verdict.violations
    assert verdict.summary.requests == sum(verdict.summary.outcomes.values())


@given(seeds)
@settings(max_examples=60, deadline=None)
def test_a_correct_history_has_none_for_a_judge_that_forgets_either(seed: int) -> None:
    assert checker.check(merged(History(Random(seed)).files), Forgetful(LIMITS)).is_clean


@pytest.mark.parametrize("spoil", SPOILERS)
@given(seeds)
@settings(max_examples=15, deadline=None)
def test_a_spoiled_history_is_found_out(spoil: object, seed: int) -> None:
    assert callable(spoil)
    rng = Random(seed)
    history = History(rng)
    try:
        invariant = spoil(history, rng)
    except NothingToSpoil:
        assume(False)
    assert check(merged(history.files), LIMITS).summary.counts[invariant] > 0


def test_every_invariant_of_the_records_is_planted() -> None:
    found = set()
    for number, spoil in enumerate(SPOILERS):
        for seed in range(100 * number, 100 * number + 100):
            rng = Random(seed)
            try:
                found.add(spoil(History(rng), rng))
                break
            except NothingToSpoil:
                continue
    assert found == EXPECTED


def test_a_judge_that_forgets_still_finds_a_late_second_execution() -> None:
    judge = Forgetful(LIMITS)
    for record in (
        sent(1, 10),
        body(Kind.START, 1, 20),
        body(Kind.END, 1, 30),
        settled(1, 40, Outcome.VALUE, by=5),
        sent(2, SECOND),
        body(Kind.START, 1, SECOND + 10, incarnation=SECOND),
        settled(2, SECOND + 20, Outcome.EXECUTED),
    ):
        judge.feed(record)
    judge.finish()
    assert judge.summary.counts[Invariant.NO_DOUBLE_EXECUTION] == 1


def test_a_judge_that_forgets_lets_an_unknown_request_end_late() -> None:
    records = [
        sent(1, 10),
        settled(1, 40, Outcome.UNKNOWN),
        sent(2, SECOND),
        settled(2, SECOND + 20, Outcome.NOT_EXECUTED),
        body(Kind.START, 1, 2 * SECOND),
        body(Kind.END, 1, 2 * SECOND + 10),
    ]
    assert checker.check(records, Forgetful(LIMITS)).is_clean


def test_its_memory_does_not_grow_with_the_number_of_requests() -> None:
    judge = Forgetful(LIMITS)
    for number in range(1, 5000):
        at = number * MS
        judge.feed(sent(number, at))
        judge.feed(body(Kind.START, number, at + 1))
        judge.feed(body(Kind.END, number, at + 2))
        judge.feed(settled(number, at + 3, Outcome.VALUE, by=5))
    assert len(judge._open) + len(judge._requests) < 50
    judge.finish()
    assert judge.is_clean


@pytest.mark.parametrize("late", [0.2, 0.6])
def test_a_busy_machine_is_allowed_for_and_that_is_counted(late: float) -> None:
    records = [sent(1, 0), settled(1, DEADLINE + int(late * SECOND), Outcome.UNKNOWN)]
    verdict = check(records, LIMITS)
    assert verdict.is_clean
    assert verdict.summary.late == (late > LIMITS.lateness)
    assert verdict.summary.latest == pytest.approx(late)


def test_a_future_that_its_client_gave_up_is_a_violation() -> None:
    verdict = check([sent(1, 0), settled(1, SECOND, Outcome.NEVER)], LIMITS)
    assert verdict.summary.counts == {Invariant.RESOLVED_IN_TIME: 1}


def test_an_idempotent_request_may_start_again_out_of_order() -> None:
    again = Trait.IDEMPOTENT
    records = [
        sent(1, 1, traits=again),
        body(Kind.START, 1, 2)._replace(detail=again),
        sent(2, 3),
        body(Kind.START, 2, 10, incarnation=9),
        body(Kind.END, 2, 11, incarnation=9),
        body(Kind.START, 1, 12, incarnation=9)._replace(detail=again),
        body(Kind.END, 1, 13, incarnation=9)._replace(detail=again),
        settled(1, 14, Outcome.VALUE, by=9),
        settled(2, 15, Outcome.VALUE, by=9),
    ]
    assert check(records, LIMITS).is_clean


def test_an_answer_of_an_incarnation_whose_end_was_known_is_found() -> None:
    records = [
        Record(Kind.BORN, 0, 1, 0, 0, 5, 5),
        Record(Kind.ENDED, 0, 1, 0, 0, 5, 6),
        sent(1, 7),
        body(Kind.START, 1, 8),
        body(Kind.END, 1, 9),
        settled(1, 10, Outcome.VALUE, by=5),
    ]
    assert check(records, LIMITS).summary.counts == {Invariant.FENCE: 3}  # START, END and answer


def test_requests_without_a_witness_are_not_judged_by_executions() -> None:
    records = [sent(1, 1, traits=Trait.UNWITNESSED), settled(1, 2, Outcome.VALUE)]
    assert check(records, LIMITS).is_clean


@pytest.mark.parametrize("traits", [Trait.HASTY, Trait.CANCELLED])
def test_hasty_and_cancelled_requests_may_fail_without_a_fault(traits: Trait) -> None:
    records = [
        Record(Kind.PLACED, 0, 1, 0, 2, 0, 0),
        sent(1, 1, traits=traits),
        settled(1, 2, Outcome.UNKNOWN),
    ]
    assert check(records, LIMITS).is_clean


def test_a_worker_that_was_ended_waits_for_no_answer() -> None:
    sender = WORKERS + 3
    records = [
        Record(Kind.PLACED, 0, 3, 0, 2, 0, 0),
        sent(1, 5)._replace(sender=sender),
        Record(Kind.FAULT, 0, 0, 2, 1, 0, 6),
    ]
    assert check(records, LIMITS).is_clean
    assert check(records[:2], LIMITS).summary.counts == {Invariant.RESOLVED_IN_TIME: 1}
    assert check([records[0], sent(1, 5), records[2]], LIMITS).summary.counts == {
        Invariant.RESOLVED_IN_TIME: 1
    }


def test_a_worker_that_was_stopped_may_get_its_answer_late() -> None:
    sender = WORKERS + 3
    records = [
        Record(Kind.PLACED, 0, 3, 0, 2, 0, 0),
        sent(1, 5)._replace(sender=sender),
        Record(Kind.FAULT, 0, 0, 2, 1, 0, 6),
        settled(1, 3 * DEADLINE, Outcome.UNKNOWN)._replace(sender=sender),
    ]
    assert check(records, LIMITS).is_clean
    late = check([*records[:2], records[3]], LIMITS)
    assert late.summary.counts == {Invariant.RESOLVED_IN_TIME: 1}


def test_a_worker_that_was_hit_alone_excuses_nobody_else_of_its_env() -> None:
    records = [
        Record(Kind.PLACED, 0, 1, 0, 2, 0, 0),
        Record(Kind.PLACED, 0, 2, 0, 2, 0, 0),
        Record(Kind.FAULT, 0, 2, 2, 1, 0, 1),
        sent(1, 2),
        settled(1, 3, Outcome.UNKNOWN),
    ]
    assert check(records, LIMITS).summary.counts == {Invariant.ISOLATION: 1}
    assert check([*records[:2], records[2]._replace(worker=1), *records[3:]], LIMITS).is_clean


def test_a_fault_that_is_over_excuses_for_a_while_only() -> None:
    def storm(sent_at: float) -> list[Record]:
        at = int(sent_at * SECOND)
        return [
            Record(Kind.PLACED, 0, 1, 0, 2, 0, 0),
            Record(Kind.FAULT, 0, 0, 2, 1, 0, 1),
            Record(Kind.OVER, 0, 0, 0, 1, 0, SECOND),
            sent(1, at),
            settled(1, at + 1, Outcome.UNKNOWN),
        ]

    assert check(storm(LIMITS.settle), LIMITS).is_clean
    assert check(storm(LIMITS.settle + 2), LIMITS).summary.counts == {Invariant.ISOLATION: 1}


def calls(begin: float, end: float, rate: float, first: int) -> list[Record]:
    records = []
    for number in range(int((end - begin) * rate)):
        at = int((begin + (number + 0.5) / rate) * SECOND)
        records += [
            sent(first + number, at - 1, traits=Trait.UNWITNESSED),
            settled(first + number, at, Outcome.VALUE),
        ]
    return records


def phase(which: Phase, at: float) -> Record:
    return Record(Kind.PHASE, which, time=int(at * SECOND))


@pytest.mark.parametrize(
    ("pause", "allowed"), [(0.0, True), (4.5, True), (5.6, True), (7.0, False), (12.0, False)]
)
def test_the_throughput_has_to_come_back(pause: float, allowed: bool) -> None:
    records = [
        phase(Phase.CALM, 0),
        *calls(0, 5, 100, 1),
        phase(Phase.STORM, 5),
        phase(Phase.AFTER, 10),
        *calls(10 + pause, 20, 100, 1000),
        phase(Phase.OVER, 20),
    ]
    verdict = check(records, LIMITS)
    assert verdict.is_clean is allowed
    assert verdict.summary.base == pytest.approx(100, rel=0.05)
    assert verdict.summary.late == (pause == 5.6)
    if allowed:
        assert verdict.summary.recovered == pytest.approx(pause, abs=0.15)
    else:
        assert verdict.summary.counts == {Invariant.LIVENESS: 1}
    assert check(records, replace(LIMITS, recovery_share=0.0)).is_clean


def test_violations_beyond_a_number_are_counted_only() -> None:
    verdict = check([sent(number, number) for number in range(1, 50)], replace(LIMITS, kept=3))
    assert len(verdict.violations) == 3
    assert verdict.summary.counts == {Invariant.RESOLVED_IN_TIME: 49}
    assert str(verdict.violations[0]) == "I4: a Future was never settled (request 1/1 to worker 1)"
