import pytest

from corps.errors import CorpsError, EnvLost, UnpackError
from corps.packing.exceptions import reduce_exception, restore_exception
from corps.packing.packer import Packer
from tests.unit.packing.kinds import (
    KeyedOSError,
    NeedsKeywords,
    NeedsKeywordsOSError,
    NeedsKeywordsUnicodeError,
    PacksItself,
)
from tests.unit.packing.stored import load_bytes, store_bytes


def _all_ways(error: BaseException) -> list[BaseException]:
    through = [packer.unpack(packer.pack(error)) for packer in (Packer(), Packer(codec="dill"))]
    return [*through, load_bytes(store_bytes(error))]


def test_required_keyword_arguments_survive() -> None:
    for error in _all_ways(NeedsKeywords(code=7, reason="full")):
        assert type(error) is NeedsKeywords
        assert (str(error), error.code, error.reason) == ("full (7)", 7, "full")


def test_the_fields_of_the_builtin_base_survive() -> None:
    for error in _all_ways(NeedsKeywordsOSError(path="/nowhere")):
        assert isinstance(error, NeedsKeywordsOSError)
        assert (error.errno, error.filename, error.path) == (2, "/nowhere", "/nowhere")
    for error in _all_ways(NeedsKeywordsUnicodeError(data=b"\xff")):
        assert isinstance(error, NeedsKeywordsUnicodeError)
        assert (error.object, error.reason) == (b"\xff", "bad")


def test_of_two_builtin_bases_the_one_with_the_layout_makes_the_exception() -> None:
    for error in _all_ways(KeyedOSError(2, "missing", key="k")):
        assert isinstance(error, KeyedOSError)
        assert (error.args, error.errno, error.key) == ((2, "missing"), None, "k")  # as KeyError takes them


def test_the_errors_of_corps_keep_their_fields() -> None:
    for error in _all_ways(EnvLost("gone", executed="unknown", target="a/b")):
        assert isinstance(error, CorpsError)
        assert vars(error) == {"executed": "unknown", "target": "a/b"}


def test_notes_and_groups_survive() -> None:
    group = ExceptionGroup("several", [ValueError("one"), NeedsKeywords(code=1, reason="two")])
    group.add_note("while testing")
    for error in _all_ways(group):
        assert isinstance(error, ExceptionGroup)
        assert [str(inner) for inner in error.exceptions] == ["one", "two (1)"]
        assert error.__notes__ == ["while testing"]


def test_an_exception_that_says_how_it_is_packed_is_left_to_itself() -> None:
    assert reduce_exception(PacksItself(code=5)) is NotImplemented
    assert [error.args for error in _all_ways(PacksItself(code=5))] == [(5,)] * 3


def test_exceptions_that_a_library_has_written_in_c_survive_with_what_they_hold() -> None:
    core = pytest.importorskip("pydantic_core")
    for made in (
        core.SchemaError("s"),
        core.PydanticOmit(),
        core.PydanticKnownError("greater_than", {"gt": 1}),
    ):
        made.add_note("a note")
        made.__cause__ = KeyError("k")
        for error in _all_ways(ExceptionGroup("several", [made])):
            assert isinstance(error, ExceptionGroup)
            [inner] = error.exceptions
            assert type(inner) is type(made)
            assert (str(inner), inner.args, inner.__notes__) == (str(made), made.args, ["a note"])
            assert repr(inner.__cause__) == "KeyError('k')"


def test_builtin_exceptions_go_their_own_way() -> None:
    assert reduce_exception(KeyError("k")) is NotImplemented


@pytest.mark.parametrize("forged", [int, print, "text"])
def test_only_exception_classes_are_restored(forged: type[BaseException]) -> None:
    with pytest.raises(UnpackError, match="as an exception"):
        restore_exception(forged, ())
