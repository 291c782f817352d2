import pytest

from corps.testing.chaos.witness import Kind, Outcome, Record
from tests.storm.episodes import percentile
from tests.storm.executions import check
from tests.unit.testing.chaos.histories import MS, SECOND, body, sent, settled


def test_episodes_say_when_a_fault_was_noticed_and_when_it_was_healed() -> None:
    reborn = SECOND + 70 * MS
    records = [
        Record(Kind.PLACED, 0, 1, 0, 2, 0, 0),
        Record(Kind.FAULT, 0, 0, 2, 7, 0, SECOND),
        sent(1, SECOND + 1),
        settled(1, SECOND + 50 * MS, Outcome.NOT_EXECUTED),
        sent(2, SECOND + 60 * MS),
        body(Kind.START, 2, reborn + 1, incarnation=reborn),
        body(Kind.END, 2, reborn + 2, incarnation=reborn),
        settled(2, SECOND + 90 * MS, Outcome.VALUE, by=reborn),
        Record(Kind.FAULT, 0, 0, 2, 8, 0, 2 * SECOND),
        Record(Kind.FAULT, 0, 0, 2, 9, 0, 3 * SECOND),
        sent(3, 3 * SECOND + 1),
        settled(3, 4 * SECOND, Outcome.NOT_EXECUTED),
    ]
    episode, passed, last = check(records).episodes.all()
    assert (episode.number, episode.env, episode.worker) == (7, 2, 0)
    assert (passed.noticed, passed.served) == (None, None)  # another one came before anything was seen of it
    assert (last.seconds_to(last.noticed), last.served) == (1.0, None)
    assert episode.seconds_to(episode.noticed) == pytest.approx(0.05)
    assert episode.seconds_to(episode.served) == pytest.approx(0.09)
    assert list(check(records).episodes.section({7: "kill", 8: "stop", 9: "kill"}))[3:] == [
        "| kill | 50, 1000 (of 2) | 90, 90 (of 1) |",
        "| stop | - | - |",
    ]


def test_percentiles_are_values_that_occurred() -> None:
    values = [float(n) for n in range(1, 101)]
    assert [percentile(values, share) for share in (0.5, 0.99, 1.0)] == [50.0, 99.0, 100.0]
    assert percentile([3.0], 0.01) == pytest.approx(3.0)
    assert percentile([], 0.5) is None
