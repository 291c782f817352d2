from pathlib import Path

from corps.testing.chaos.witness import Kind, Witness, WitnessFile
from tests.storm.witnessed import Answers


def test_the_answer_of_a_younger_incarnation_is_the_end_of_the_older_one(tmp_path: Path) -> None:
    witness = Witness(tmp_path / "a.witness")
    answers = Answers(witness)
    for incarnation in (100, 100, 200, 100, 200):
        assert answers.incarnation_of((incarnation, 1, 7), 9, (1, 7)) == incarnation
    assert answers.incarnation_of((300, 1, 7, b"x"), 9, (1, 7), b"x") == 300
    witness.close()
    ended = [
        (record.kind, record.worker, record.incarnation) for record in WitnessFile(tmp_path / "a.witness")
    ]
    assert ended == [(Kind.ENDED, 9, 100), (Kind.ENDED, 9, 200)]


def test_the_answer_to_another_request_is_of_no_incarnation(tmp_path: Path) -> None:
    witness = Witness(tmp_path / "a.witness")
    answers = Answers(witness)
    for value in (None, (100, 1, 8), (100, 2, 7), (100, 1, 7, b"x")):
        assert answers.incarnation_of(value, 9, (1, 7)) is None
    assert answers.incarnation_of((100, 1, 7), 9, (1, 7), b"x") is None
    witness.close()
    assert list(WitnessFile(tmp_path / "a.witness")) == []
