"""Claims about what comes through all that was to stop it: there is an answer, and the worker goes on."""

from typing import Any

import pytest

import corps
from tests.integration.behaviour.paths import Way

LIMIT = 20.0


class Row:
    def __reduce__(self) -> Any:
        return (Row,)  # the usual slip: the arguments are missing


class NoText(LookupError):
    def __str__(self) -> str:
        raise SystemExit("no text")

    __repr__ = __str__


class Odd(corps.Conc):
    def row(self) -> Any:
        return Row()

    def take(self, thing: object) -> None:
        pass

    def no_text(self) -> None:
        raise NoText("x")

    async def no_text_softly(self) -> None:
        raise NoText("x")

    def ping(self) -> str:
        return "here"


class OddSteps(corps.Conc):
    def after(self, request: Any, outcome: Any) -> Any:
        return None if request.method == "ping" else "no outcome"

    def work(self) -> int:
        return 1

    def ping(self) -> str:
        return "here"


class Picky(type):
    def __instancecheck__(cls, _: object) -> bool:
        raise RuntimeError("planted")


class PickyError(Exception, metaclass=Picky):
    pass


class OddFailures(corps.Conc):
    fails_on = (PickyError,)

    def work(self) -> None:
        raise ValueError("planted")

    async def work_softly(self) -> None:
        raise ValueError("planted")

    def ping(self) -> str:
        return "here"


def test_a_result_that_breaks_packing_is_answered(way: Way) -> None:
    odd = way.create(Odd)
    future = odd.row()
    if way.is_local:
        assert future.result() is not None
    else:
        error: Any = future.exception(LIMIT)
        assert isinstance(error, corps.PackError)
        assert vars(error)["executed"] == "yes"
        assert "__reduce__" in str(error.__cause__)
    assert odd.ping().result(LIMIT) == "here"


@pytest.mark.parametrize("method", ["no_text", "no_text_softly"])
def test_an_exception_whose_text_ends_programs_is_answered(way: Way, method: str) -> None:
    odd = way.create(Odd)
    error = getattr(odd, method)().exception(LIMIT)
    assert isinstance(error, NoText)
    assert isinstance(error, corps.RemoteError)
    assert "SystemExit" in str(error)
    assert odd.ping().result(LIMIT) == "here"


def test_a_step_that_gives_no_outcome_is_an_error_of_the_call(way: Way) -> None:
    odd = way.create(OddSteps)
    error = odd.work().exception(LIMIT)
    assert isinstance(error, TypeError)
    assert "no outcome" in str(error)
    assert odd.ping().result(LIMIT) == "here"


@pytest.mark.parametrize("method", ["work", "work_softly"])
def test_what_breaks_the_judgement_of_a_failure_is_answered(way: Way, method: str) -> None:
    odd = way.create(OddFailures)
    error = getattr(odd, method)().exception(LIMIT)
    assert isinstance(error, corps.InternalError)
    assert odd.ping().result(LIMIT) == "here"


def test_arguments_that_raise_what_ends_programs_are_refused(way: Way) -> None:
    if way.is_local:
        return
    odd = way.create(Odd)
    error = odd.take(Interrupts()).exception(LIMIT)
    assert isinstance(error, corps.UnpackError)
    assert vars(error)["executed"] == "no"
    assert odd.ping().result(LIMIT) == "here"


class Interrupts:
    def __reduce__(self) -> Any:
        return interrupt, ()


def interrupt() -> None:
    raise KeyboardInterrupt
