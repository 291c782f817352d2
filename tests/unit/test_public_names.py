"""What `import corps` offers: listed, sorted, documented, and pickled by a name that outlives its file."""

import ast
import inspect
import re
import textwrap
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


def imports_for_types() -> list[tuple[str, str]]:
    """The file and name of each import in the package root that type checkers alone see."""
    tree = ast.parse(Path(corps.__file__).read_text("utf-8"))
    (block,) = (
        node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    )
    return [
        (str(each.module).removeprefix("corps."), alias.name)
        for each in block.body
        if isinstance(each, ast.ImportFrom)
        for alias in each.names
        if alias.asname == alias.name
    ]


def test_type_checkers_and_the_interpreter_import_the_same_names_from_the_same_files() -> None:
    listed = [(file, name) for file, names in vars(corps)["_FILES"].items() for name in names.split()]
    assert sorted(listed) == sorted(imports_for_types())
    assert sorted(name for _, name in listed) == NAMES


def test_what_is_marked_as_public_is_listed_and_nothing_else() -> None:
    marked = [
        node.name
        for path in Path(corps.__file__).parent.rglob("*.py")
        for node in ast.parse(path.read_text("utf-8")).body
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and "exported" in map(ast.unparse, node.decorator_list)
    ]
    assert sorted(marked) == NAMES


def test_a_name_that_is_not_public_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'corps' has no attribute 'nonsense'"):
        getattr(corps, "nonsense")  # noqa: B009
    assert not hasattr(corps, "exported")


def test_a_listing_of_the_package_has_every_name_before_it_was_asked_for() -> None:
    assert set(NAMES) <= set(dir(corps))


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
