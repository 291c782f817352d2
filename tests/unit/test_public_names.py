"""What `import corps` offers: listed, sorted, documented, and pickled by a name that outlives its file."""

import inspect
import re
import textwrap
import types
from pathlib import Path
from typing import Any

import pytest

import corps
import corps.errors

DOCS = Path(__file__).parents[2] / "docs" / "reference"

NAMES: list[str] = list(corps.__all__)


def is_code(value: object) -> bool:
    """Whether it is a class or function: what has a docstring and a module of its own."""
    return inspect.isclass(value) or inspect.isroutine(value)


def own_methods(cls: type[Any]) -> dict[str, Any]:
    """The public methods and properties that a class defines or inherits from a class of corps."""
    return {
        name: value
        for parent in reversed(cls.__mro__)
        if parent.__module__.partition(".")[0] == "corps"
        for name, value in vars(parent).items()
        if not name.startswith("_") and (inspect.isroutine(value) or isinstance(value, property))
    }


def test_the_list_of_names_is_sorted_and_has_no_name_twice() -> None:
    assert sorted(set(NAMES)) == NAMES


def test_the_list_of_names_is_complete() -> None:
    assert corps.Settings.__name__ == "Settings"  # it is there once it was asked for
    public = {
        name
        for name, value in vars(corps).items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType)
    }
    assert public == {name for name in NAMES if not name.startswith("__")}


def test_every_error_is_public() -> None:
    errors = {
        name
        for name, value in vars(corps.errors).items()
        if inspect.isclass(value) and issubclass(value, corps.errors.CorpsError) and not name.startswith("_")
    }
    assert errors <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_the_name_is_documented(name: str) -> None:
    value = getattr(corps, name)
    if not is_code(value):
        return
    assert (value.__doc__ or "").strip(), f"corps.{name} has no docstring"
    if inspect.isclass(value):
        for method, function in own_methods(value).items():
            assert inspect.getdoc(getattr(value, method)), (
                f"corps.{name}.{method} has no docstring: {function}"
            )


def test_the_example_in_the_help_runs() -> None:
    (example,) = re.findall(r"^    import corps\n.*?(?=^\S)", corps.__doc__ or "", re.MULTILINE | re.DOTALL)
    exec(textwrap.dedent(example), {"__name__": __name__})


def test_the_help_lists_every_public_name_but_single_errors() -> None:
    table = (corps.__doc__ or "").rpartition("without notice.")[2]
    rows = re.findall(r"^    [a-z ]{15}(\w+)(.*)$", table, re.MULTILINE)
    listed = [name for first, rest in rows for name in (first, *re.findall(r", (\w+)", rest))]
    errors = {name for name in NAMES if hasattr(corps.errors, name)} - {"CorpsError"}
    assert sorted(listed) == sorted(set(NAMES) - errors)


@pytest.mark.parametrize("name", NAMES)
def test_the_name_says_that_it_lives_in_corps(name: str) -> None:
    value = getattr(corps, name)
    if is_code(value):
        assert (value.__module__, value.__qualname__) == ("corps", name)


@pytest.mark.parametrize("name", [name for name in NAMES if not name.startswith("__")])
def test_the_name_has_its_place_in_the_reference(name: str) -> None:
    places = [f"::: corps.{name}", *(["::: corps.errors"] if hasattr(corps.errors, name) else [])]
    lines = {line.strip() for page in DOCS.glob("*.md") for line in page.read_text("utf-8").splitlines()}
    assert lines.intersection(places), f"corps.{name} is on no page of docs/reference"


def test_the_reference_lists_nothing_that_is_not_there() -> None:
    text = (DOCS / "index.md").read_text("utf-8")
    listed = {line.removeprefix("::: corps.") for line in text.splitlines() if line.startswith("::: corps.")}
    assert listed - {"testing.plugin"} <= set(NAMES)
