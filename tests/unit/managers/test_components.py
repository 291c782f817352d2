"""Claims about which components a Corps has, and in which order they start."""

from collections.abc import Mapping
from typing import Any

import pytest

from corps.errors import ConfigError
from corps.managers.components import Component, components_of, in_order
from corps.settings import Autoload


def found(*components: Any, offered: Mapping[str, str] | None = None, **more: Any) -> list[Component]:
    settings = Autoload(components=list(components), **more)  # type: ignore[arg-type]  # as a file has them
    return components_of(settings, lambda: offered or {})


def chain(**needs: str) -> list[str]:
    return [
        each.name for each in in_order([Component("m:C", name, text.split()) for name, text in needs.items()])
    ]


def test_a_text_alone_is_a_component_with_the_name_of_its_class() -> None:
    assert found("a.b:Outer.Inner") == [Component("a.b:Outer.Inner", "Inner", ())]


def test_a_table_says_all_of_it() -> None:
    table = {
        "use": "m:C",
        "name": "c",
        "needs": [],
        "required": False,
        "where": "corps",
        "arguments": {"n": 1},
    }
    assert found(table) == [Component("m:C", "c", (), False, "corps", {"n": 1})]


def test_what_is_needed_comes_first_and_all_else_stays_where_it_stands() -> None:
    assert chain(a="", b="d", c="", d="c") == ["a", "c", "d", "b"]


def test_a_circle_is_refused_with_its_members() -> None:
    with pytest.raises(ConfigError, match=r"in a circle: b -> c -> b$"):
        chain(a="b", b="c", c="b")
    with pytest.raises(ConfigError, match=r"in a circle: a -> a$"):
        chain(a="a")


def test_a_need_that_is_no_component_is_refused() -> None:
    with pytest.raises(ConfigError, match="'a' needs 'x', which is none of them: a, b"):
        chain(a="x", b="")


def test_two_of_one_name_are_refused_with_both() -> None:
    with pytest.raises(ConfigError, match=r"two of the name 'C', m:C and n:C"):
        found("m:C", "n:C")


def test_an_entry_point_is_a_component_by_its_name() -> None:
    assert found("metrics", offered={"metrics": "m:C"}) == [Component("m:C", "metrics", ())]


def test_an_entry_point_that_is_not_installed_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"names 'other': wants .*installed are: metrics$"):
        found("other", offered={"metrics": "m:C"})


def test_all_entry_points_start_if_that_is_wanted_and_none_is_required() -> None:
    offered = {"metrics": "m:C", "other": "n:D"}
    components = found({"use": "other", "needs": ["metrics"]}, offered=offered, entry_points=True)
    assert components == [
        Component("m:C", "metrics", required=False),
        Component("n:D", "other", ("metrics",)),
    ]


def test_installed_packages_are_looked_at_only_if_that_is_needed() -> None:
    def looked() -> Mapping[str, str]:
        raise AssertionError("installed packages were looked at")

    assert components_of(Autoload(), looked) == []
    assert len(components_of(Autoload(components=["m:C"]), looked)) == 1  # type: ignore[arg-type]
