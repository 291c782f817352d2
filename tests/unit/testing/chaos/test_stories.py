from corps.testing.chaos.stories import stories
from corps.testing.chaos.witness import Kind, Outcome, Record, Trait
from tests.storm.executions import check

MS = 1_000_000
RECORDS = [
    Record(Kind.PLACED, 0, 3, 0, 2, 0, 1),
    Record(Kind.BORN, 0, 3, 0, 0, 50, 50),
    Record(Kind.SENT, Trait.HASTY, 3, 1, 7, 5_000_000_000, 10 * MS),
    Record(Kind.FAULT, 0, 0, 2, 4, 0, 11 * MS),
    Record(Kind.FAULT, 0, 0, 1, 5, 0, 11 * MS),
    Record(Kind.START, 0, 3, 1, 7, 50, 12 * MS),
    Record(Kind.OVER, 0, 0, 0, 4, 0, 13 * MS),
    Record(Kind.RESOLVED, Outcome.NOT_EXECUTED, 3, 1, 7, 0, 14 * MS),
    Record(Kind.SENT, 0, 3, 1, 8, 0, 15 * MS),
]


def test_the_story_of_a_request_has_all_that_happened_to_it_and_to_its_env() -> None:
    violations = check(RECORDS).violations
    story, other = stories(RECORDS, violations)
    assert story.splitlines() == [
        "request 1/7 to worker 3 of env2:",
        "     -10.000 ms  BORN incarnation 50",
        "      +0.000 ms  SENT, deadline 5 s, <Trait.HASTY: 2>",
        "      +1.000 ms  fault 4 hits env2",
        "      +2.000 ms  START incarnation 50",
        "      +3.000 ms  fault 4 is over",
        "      +4.000 ms  RESOLVED not_executed",
    ]
    assert other.splitlines()[-1] == "      +0.000 ms  SENT"
    assert len(stories(RECORDS, violations, most=1)) == 1


def test_without_violations_there_is_nothing_to_tell() -> None:
    assert stories(RECORDS, []) == []
