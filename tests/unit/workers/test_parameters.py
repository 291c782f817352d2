from pathlib import Path
from typing import Any

import pytest

from corps.packing.data import decode_data, encode_data
from corps.workers.parameters import Parameter, keywords_of, parameters_of, read_assignments, read_words


class Methods:
    def plain(self, first, second=1):  # type: ignore[no-untyped-def]
        """Has no annotations."""

    def typed(self, count: int, ratio: float | None = None, sure: bool = False, *rest: Path) -> None: ...

    def unknown(self, where: "NotThere", *, only_by_name: int = 1, **more: Any) -> None:  # type: ignore[name-defined]  # noqa: F821
        ...


def test_parameters_are_described_without_the_worker_itself() -> None:
    assert [str(each) for each in parameters_of(Methods.plain)] == ["FIRST", "[SECOND]"]
    assert parameters_of(Methods.typed) == [
        Parameter("count", "int", False, False),
        Parameter("ratio", "float", True, False),
        Parameter("sure", "bool", True, False),
        Parameter("rest", "Path", False, True),
    ]


def test_annotations_that_cannot_be_resolved_take_the_word_as_it_is() -> None:
    assert parameters_of(Methods.unknown) == [Parameter("where", "str", False, False)]


def test_a_description_survives_the_way_as_a_list() -> None:
    described = parameters_of(Methods.typed)
    arrived = decode_data(encode_data([list(each) for each in described]))
    assert [Parameter(*fields) for fields in arrived] == described


def test_words_become_what_the_annotations_say() -> None:
    words = ["3", "0.5", "yes", "a", "b"]
    assert read_words(parameters_of(Methods.typed), words) == [3, 0.5, True, Path("a"), Path("b")]
    assert read_words(parameters_of(Methods.typed), ["3"]) == [3]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "COUNT is missing; run takes: COUNT [RATIO] [SURE] [REST]..."),
        (["x"], "COUNT wants a whole number, not 'x'"),
        (["1", "x"], "RATIO wants a number, not 'x'"),
        (["1", "2", "maybe"], "SURE wants true or false, not 'maybe'"),
    ],
)
def test_words_that_do_not_fit_are_refused_with_the_reason(words: list[str], said: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011  # its text is the point
        read_words(parameters_of(Methods.typed), words)
    assert str(caught.value) == said


def test_a_word_too_many_is_refused() -> None:
    with pytest.raises(ValueError, match="'c' is one too many; run takes: FIRST"):
        read_words(parameters_of(Methods.plain), ["a", "b", "c"])
    with pytest.raises(ValueError, match="run takes: no arguments"):
        read_words([], ["a"])


def test_what_is_given_by_name_is_known_and_read() -> None:
    described = keywords_of(Methods.typed)
    assert [each.name for each in described] == ["count", "ratio", "sure"]
    assert read_assignments(described, {"count": "3", "sure": "no"}) == {"count": 3, "sure": False}
    more = keywords_of(Methods.unknown)
    assert [(each.name, each.is_optional, each.is_repeated) for each in more] == [
        ("where", False, False),
        ("only_by_name", True, False),
        ("more", False, True),
    ]
    assert read_assignments(more, {"where": "x", "other": "1"}) == {"where": "x", "other": "1"}
    assert keywords_of(object.__init__) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({}, r"count is missing; it takes: count=\.\.\. ratio"),
        ({"count": "1", "size": "1"}, "size is no argument of it"),
        ({"count": "x"}, "COUNT wants a whole number, not 'x'"),
    ],
)
def test_assignments_that_do_not_fit_are_refused(words: dict[str, str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read_assignments(keywords_of(Methods.typed), words)
