"""Claims about errors that cross to another owner: a text, a type from a list, and nothing of the inside."""

from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

import corps.errors
from corps.errors import (
    ContextError,
    CorpsError,
    InternalError,
    NoSuchMethod,
    Overloaded,
    PackError,
    Remote,
    RemoteError,
    RequestError,
    UnpackError,
    WorkerGone,
    remote_of,
)
from corps.messages.crossing_errors import RAISED, REFUSED, CrossingError, arrived, crossing
from corps.messages.outcomes import Raised, Refused


class Mine(ValueError):
    """An error of an author that holds what must not cross."""

    def __init__(self, text: str, secret: str) -> None:
        super().__init__(text)
        self.secret = secret


class ValueErrorInName(Exception):
    pass


ValueErrorInName.__name__ = "ValueError"


def raised(error: BaseException) -> Raised:
    try:
        raise error
    except BaseException as caught:
        return Raised.capture(caught, "inside/env1/5")


def seen(outcome: Raised | Refused) -> BaseException:
    """What the caller of another owner gets."""
    sent = crossing(outcome).as_list()
    with pytest.raises(BaseException) as caught:  # noqa: PT011
        arrived(CrossingError.from_plain(sent), "worker").unwrap()
    return caught.value


def test_an_error_of_a_method_arrives_as_the_nearest_type_in_the_list() -> None:
    for error, kind in [
        (ValueError("a"), ValueError),
        (Mine("a", "b"), ValueError),
        (FileNotFoundError(2, "a"), FileNotFoundError),
        (BrokenPipeError("a"), OSError),
        (UnicodeDecodeError("utf-8", b"", 0, 1, "a"), ValueError),
        (RecursionError("a"), RuntimeError),
        (ValueErrorInName("a"), Exception),
        (ContextError("a"), RuntimeError),
        (UnpackError("a"), UnpackError),
    ]:
        found = seen(raised(error))
        assert isinstance(found, kind)
        assert isinstance(found, RemoteError)
        assert type(error).__mro__[0] is kind or type(error) not in type(found).__mro__
        assert found.executed == "yes"
        assert found.target == "worker"


def test_neither_the_traceback_nor_what_the_error_holds_crosses() -> None:
    error = Mine("what went wrong", "hush")
    error.add_note("hush")
    error.__cause__ = KeyError("hush")
    found = seen(raised(error))
    remote = remote_of(found)
    assert remote is not None
    assert remote.traceback == ""
    assert str(found) == "what went wrong"
    assert "hush" not in f"{crossing(raised(error))} {vars(found)} {found.__cause__}"


def test_an_error_whose_original_did_not_travel_is_known_by_its_name_alone() -> None:
    assert crossing(Raised(Remote("builtins.KeyError", "a"))).kind == "KeyError"
    assert crossing(Raised(Remote("shop.KeyError", "a"))).kind == "Exception"
    assert crossing(Raised(Remote("os.system", "a"))).kind == "Exception"


@pytest.mark.parametrize("kind", REFUSED.values())
def test_an_error_of_the_runtime_arrives_as_itself(kind: type[CorpsError]) -> None:
    found = seen(Refused(kind("a", executed="no", target="inside")))
    assert type(found) is kind
    assert str(found) == "a"
    assert (vars(found)["executed"], vars(found)["target"]) == ("no", "worker")


def test_when_to_try_again_crosses() -> None:
    found = seen(Refused(Overloaded("a", retry_after=2)))
    assert isinstance(found, Overloaded)
    assert found.retry_after == 2.0
    assert crossing(Refused(Overloaded("a", retry_after=float("inf")))).retry_after == 86_400.0
    assert crossing(Refused(WorkerGone("a"))).retry_after is None


class Gone(WorkerGone):
    """Of an author."""


@pytest.mark.parametrize("kind", [InternalError, ContextError, Gone, RemoteError])
def test_an_error_of_the_runtime_that_is_not_in_the_list_says_nothing_of_the_inside(
    kind: type[CorpsError],
) -> None:
    found = seen(Refused(kind("hush")))
    assert type(found) is RequestError
    assert "hush" not in str(found)
    assert "the log of that Corps says why" in str(found)


def test_every_error_of_a_request_is_in_the_list_but_that_of_methods() -> None:
    kinds = {
        each
        for each in vars(corps.errors).values()
        if isinstance(each, type) and issubclass(each, RequestError) and each is not RemoteError
    }
    assert kinds | {PackError, UnpackError} == set(REFUSED.values())


def test_a_long_text_is_cut() -> None:
    assert len(crossing(raised(ValueError("x" * 100_000))).text) == 4000
    assert len(CrossingError.from_plain([True, "ValueError", "x" * 100_000, "yes", None]).text) == 4000


def test_a_name_that_is_not_in_the_list_becomes_the_most_general_type() -> None:
    for name in ("os.system", "SystemExit", "KeyboardInterrupt", "NoSuchMethod", "", "__class__"):
        assert CrossingError.from_plain([True, name, "a", "yes", None]).kind == "Exception"
    for name in ("ValueError", "RemoteError", "CorpsError"):
        assert CrossingError.from_plain([False, name, "a", "no", None]).kind == "RequestError"


GOOD: Final = [False, "NoSuchMethod", "a", "no", 1.0]


@pytest.mark.parametrize(
    "plain",
    [
        None,
        [],
        GOOD[:4],
        [*GOOD, 1],
        tuple(GOOD),
        *(
            [*GOOD[:at], wrong, *GOOD[at + 1 :]]
            for at, wrong in [(0, 1), (1, 1), (2, b""), (3, "maybe"), (3, [])]
        ),
        *([*GOOD[:4], wrong] for wrong in ("1", -1.0, float("nan"), float("inf"), True, 1e9)),
    ],
)
def test_what_is_no_such_error_is_refused(plain: Any) -> None:
    with pytest.raises(UnpackError):
        CrossingError.from_plain(plain)
    assert CrossingError.from_plain(GOOD) == CrossingError(False, "NoSuchMethod", "a", "no", 1.0)


@given(
    st.lists(
        st.none() | st.booleans() | st.text() | st.floats() | st.integers() | st.sampled_from([*RAISED]),
        min_size=4,
    )
)
def test_whatever_comes_is_an_error_of_the_list_or_the_typed_one(plain: list[Any]) -> None:
    try:
        outcome = arrived(CrossingError.from_plain(plain[:5]), None)
    except UnpackError:
        return
    with pytest.raises((RemoteError, *REFUSED.values(), NoSuchMethod)):
        outcome.unwrap()
