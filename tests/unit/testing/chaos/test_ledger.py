from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from corps.errors import (
    CorpsError,
    EnvLost,
    InternalError,
    NoSuchMethod,
    Overloaded,
    RemoteError,
    UnpackError,
)
from corps.messages.outcomes import Refused, Value
from corps.runtime.calls.futures import Future
from corps.testing.chaos.ledger import Ledger, outcome_of
from corps.testing.chaos.witness import Kind, Outcome, Record, Trait, Witness, WitnessFile


class Desk:
    """A ledger and what it has written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.witness = Witness(path)
        self.ledger = Ledger(self.witness)

    def records(self) -> list[Record]:
        return list(WitnessFile(self.path))

    def ask(self, sequence: int, **options: Any) -> Future[Any]:
        future: Future[Any] = Future()
        assert self.ledger.ask(1, sequence, 9, lambda: future, **options) is future
        return future


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path / "clients.witness")
    yield desk
    desk.witness.close()


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (EnvLost(""), Outcome.UNKNOWN),
        (EnvLost("", executed="no"), Outcome.NOT_EXECUTED),
        (RemoteError(""), Outcome.RAISED),
        (EnvLost("", executed="yes"), Outcome.EXECUTED),
        (NoSuchMethod(""), Outcome.NOT_EXECUTED),
        (EnvLost("", executed="perhaps"), Outcome.STRANGE),
        (UnpackError(""), Outcome.UNKNOWN),
        (UnpackError("", executed="yes"), Outcome.EXECUTED),
        (CorpsError(""), Outcome.UNKNOWN),
        (InternalError(""), Outcome.STRANGE),
        (ValueError(""), Outcome.STRANGE),
    ],
)
def test_an_error_says_whether_its_request_was_executed(error: Exception, outcome: Outcome) -> None:
    assert outcome_of(error) == outcome


def test_a_request_is_written_down_before_it_is_sent_and_when_it_is_settled(desk: Desk) -> None:
    future = desk.ask(5, deadline=2.0, traits=Trait.IDEMPOTENT, expected=lambda value: int(value))
    (sent,) = desk.records()
    assert sent[:6] == (Kind.SENT, Trait.IDEMPOTENT, 9, 1, 5, 2 * 10**9)
    assert desk.ledger.under_way() == 1
    future.settle(Value(77))
    _, resolved = desk.records()
    assert resolved[:6] == (Kind.RESOLVED, Outcome.VALUE, 9, 1, 5, 77)
    assert (desk.ledger.under_way(), desk.ledger.served) == (0, 1)


def test_the_value_of_another_request_is_strange(desk: Desk) -> None:
    desk.ask(1, expected=lambda value: None).settle(Value(1))
    assert desk.records()[-1].detail == Outcome.STRANGE
    assert desk.ledger.strange == ["builtins.ValueError: the value of another request"]


def test_an_error_is_counted_by_its_type_and_whether_it_ran(desk: Desk) -> None:
    desk.ask(1).settle(Refused(EnvLost("gone", executed="no")))
    desk.ask(2).settle(Refused(EnvLost("gone")))
    assert desk.ledger.errors == {"EnvLost no": 1, "EnvLost unknown": 1}
    assert desk.ledger.served == 0


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (Overloaded("full"), Outcome.NOT_EXECUTED),
        (CorpsError("closed"), Outcome.NOT_EXECUTED),
        (KeyError("x"), Outcome.STRANGE),
    ],
)
def test_what_the_call_itself_raises_is_the_outcome(desk: Desk, error: Exception, outcome: Outcome) -> None:
    def call() -> Future[Any]:
        raise error

    assert desk.ledger.ask(1, 1, 9, call) is None
    assert desk.records()[-1].detail == outcome
    assert desk.ledger.under_way() == 0


def test_what_is_never_settled_is_written_down_when_nobody_waits_any_more(desk: Desk) -> None:
    future = desk.ask(1)
    assert desk.ledger.drain(0.0) == 1
    assert desk.records()[-1].detail == Outcome.NEVER
    future.settle(Value(1))  # too late to count
    assert len(desk.records()) == 2
    assert desk.ledger.drain(0.0) == 0
