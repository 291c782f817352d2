"""Claims about outcomes: what is kept of a failure, and that telling of it never fails."""

import traceback
from collections.abc import Callable
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


def caught_by(function: Callable[[], object]) -> BaseException:
    try:
        function()
    except BaseException as found:
        return found
    raise AssertionError


def test_a_value_is_what_was_returned() -> None:
    value = [1]
    assert Value(value).unwrap() is value
    assert Value(value).opened().unwrap() is value
    assert not Value(value).failed


def test_a_refusal_raises_a_copy_of_its_error() -> None:
    error = WorkerGone("it has ended", executed="no")
    outcome = Refused(error)
    assert outcome.failed
    for _ in range(2):
        with pytest.raises(WorkerGone, match="it has ended") as raised:
            outcome.unwrap()
        assert raised.value.executed == "no"
        raised.value.add_note("by a caller")
        assert not hasattr(error, "__notes__")


def test_what_a_method_raised_is_kept_as_text_and_as_itself() -> None:
    outcome = Raised.capture(caught(KeyError("x")), "a Counter")
    assert outcome.failed
    assert outcome.remote.type_name == "builtins.KeyError"
    assert outcome.remote.text == "'x'"
    assert "Traceback" in outcome.remote.traceback
    with pytest.raises(KeyError) as raised:
        outcome.unwrap()
    assert isinstance(raised.value, RemoteError)
    assert (str(raised.value), raised.value.args) == ("'x'", ("x",))
    assert "on the side of a Counter" in raised.value.__notes__[0]


def test_raising_an_outcome_again_does_not_make_it_longer() -> None:
    outcome = Raised.capture(caught(ValueError("no")), None)
    lengths = []
    for _ in range(3):
        with pytest.raises(ValueError, match="no") as raised:
            outcome.unwrap()
        lengths.append(len(raised.traceback))
    assert len(set(lengths)) == 1


def test_a_kept_exception_that_is_raised_again_and_again_does_not_grow() -> None:
    kept = ValueError("kept")
    kept.add_note("while connecting")

    def again() -> None:
        raise kept

    texts, frames = set(), set()
    for _ in range(4):
        try:
            again()
        except ValueError as error:
            outcome = Raised.capture(error, "a Counter")
        texts.add(outcome.remote.traceback)
        frames.add(len(traceback.extract_tb(kept.__traceback__)))
        notes: Any = outcome.error.__notes__
        assert len(notes) == 2
        notes.append("by a caller")
    assert len(texts) == len(frames) == 1
    assert kept.__notes__ == ["while connecting"]


def test_a_kept_exception_shows_where_it_first_came_from() -> None:
    def connect() -> None:
        raise ValueError("refused")

    try:
        connect()
    except ValueError as error:
        kept = error

    def query() -> None:
        raise kept

    for _ in range(3):
        shown = Raised.capture(caught_by(query), None).remote.traceback
        assert shown.count("in query") == shown.count("in connect") == 1


def test_a_captured_exception_keeps_no_frames() -> None:
    outcome = Raised.capture(caught(KeyError("x")), "a Counter")
    assert outcome.remote.origin is not None
    assert outcome.remote.origin.__traceback__ is None


def test_each_raise_has_an_error_of_its_own() -> None:
    outcome = Raised.capture(caught(KeyError("x")), "a Counter")
    errors = [caught_by(outcome.unwrap) for _ in range(2)]
    assert errors[0] is not errors[1]
    assert outcome.error is outcome.error


def test_an_error_that_came_from_a_further_worker_keeps_its_type() -> None:
    first = Raised.capture(caught(KeyError("x")), "the last")
    second = Raised.capture(caught(first.error), "the first")
    assert second.remote.type_name == "builtins.KeyError"
    assert type(second.remote.origin) is KeyError
    assert second.remote.target == "the first"
    assert first.remote.traceback.splitlines()[-1] in second.remote.traceback


def test_an_exception_that_cannot_say_what_it_is_is_kept_all_the_same() -> None:
    outcome = Raised.capture(caught(Mute()), None)
    assert "RuntimeError" in outcome.remote.text
    assert isinstance(outcome.error, Mute)
    assert "Mute" in outcome.remote.type_name


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, GeneratorExit])
def test_an_exception_that_ends_programs_is_never_the_callers_own(kind: type[BaseException]) -> None:
    error: Any = Raised.capture(caught(kind()), None).error
    assert isinstance(error, RemoteError)
    assert not isinstance(error, kind)


def fall(levels: int) -> int:
    return fall(levels - 1) if levels else 1 // 0


@pytest.mark.parametrize("chained", [False, True])
def test_a_place_of_a_deep_recursion_is_made_text_once(
    chained: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = list[int]()
    original = traceback.StackSummary.format_frame_summary

    def counting(self: Any, frame_summary: Any, **options: Any) -> str:
        made.append(frame_summary.lineno)
        return original(self, frame_summary, **options)

    def fall_and_say_so() -> None:
        try:
            fall(500)
        except ZeroDivisionError as error:
            raise KeyError("no") from error

    error = caught_by(fall_and_say_so if chained else lambda: fall(500))
    expected = "".join(traceback.format_exception(error))
    monkeypatch.setattr(traceback.StackSummary, "format_frame_summary", counting)
    assert Raised.capture(error, None).remote.traceback == expected
    assert len(made) < 10
