"""Claims about outcomes: what is kept of a failure, and that telling of it never fails."""

from typing import Any

import pytest

from corps.errors import RemoteError, WorkerGone
from corps.messages.outcomes import Raised, Refused, Value


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError("nothing to say")


def caught(error: BaseException) -> BaseException:
    try:
        raise error
    except BaseException as found:
        return found


def test_a_value_is_what_was_returned() -> None:
    value = [1]
    assert Value(value).unwrap() is value
    assert Value(value).opened().unwrap() is value
    assert not Value(value).failed


def test_a_refusal_raises_its_error() -> None:
    error = WorkerGone("it has ended")
    outcome = Refused(error)
    assert outcome.failed
    with pytest.raises(WorkerGone) as raised:
        outcome.unwrap()
    assert raised.value is error


def test_what_a_method_raised_is_kept_as_text_and_as_itself() -> None:
    outcome = Raised.capture(caught(KeyError("x")), "a Counter")
    assert outcome.failed
    assert outcome.type_name == "builtins.KeyError"
    assert outcome.text == "'x'"
    assert "Traceback" in outcome.traceback
    with pytest.raises(KeyError, match="raised in a Counter") as raised:
        outcome.unwrap()
    assert isinstance(raised.value, RemoteError)


def test_raising_an_outcome_again_does_not_make_it_longer() -> None:
    outcome = Raised.capture(caught(ValueError("no")), None)
    lengths = []
    for _ in range(3):
        with pytest.raises(ValueError, match="no") as raised:
            outcome.unwrap()
        lengths.append(len(raised.traceback))
    assert len(set(lengths)) == 1


def test_an_error_that_came_from_a_further_worker_keeps_its_type() -> None:
    first = Raised.capture(caught(KeyError("x")), "the last")
    second = Raised.capture(caught(first.error), "the first")
    assert second.type_name == "builtins.KeyError"
    assert second.origin is first.origin
    assert second.target == "the first"
    assert first.traceback.splitlines()[-1] in second.traceback


def test_an_exception_that_cannot_say_what_it_is_is_kept_all_the_same() -> None:
    outcome = Raised.capture(caught(Mute()), None)
    assert "RuntimeError" in outcome.text
    assert isinstance(outcome.error, Mute)
    assert "Mute" in outcome.type_name


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, GeneratorExit])
def test_an_exception_that_ends_programs_is_never_the_callers_own(kind: type[BaseException]) -> None:
    error: Any = Raised.capture(caught(kind()), None).error
    assert isinstance(error, RemoteError)
    assert not isinstance(error, kind)
