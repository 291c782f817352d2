"""The claims of the page on threads: it names the files of all locks, and only files that there are."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
LOCKS: Final = frozenset({"Lock", "RLock"})
PAGES: Final = [ROOT / "docs/design" / page for page in ("threads.md", "request-path.md", "deadlock.md")]


def table() -> str:
    page = PAGES[0].read_text()
    return page[page.index("## Locks") : page.index("In an Env, locks nest")]


def files_with_locks() -> Iterator[str]:
    """Files that make a lock, but for those of the test kit."""
    for path in sorted((ROOT / "corps").rglob("*.py")):
        name = path.relative_to(ROOT / "corps").with_suffix("").as_posix()
        text = path.read_text()
        if name.startswith("testing/") or "Lock" not in text:  # parsing takes long
            continue
        calls = (node.func for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call))
        made = {ast.unparse(call).removeprefix("threading.") for call in calls}
        if made & LOCKS:
            yield name


@pytest.mark.parametrize("name", list(files_with_locks()))
def test_each_file_that_makes_a_lock_is_in_the_table(name: str) -> None:
    assert f"`{name}`" in table()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_page_names_files_that_there_are(page: Path) -> None:
    named = set(re.findall(r"`((?:[a-z_]+/)+[a-z_]+)`", page.read_text()))
    assert [
        name
        for name in sorted(named)
        if not (ROOT / "corps" / f"{name}.py").exists() and not (ROOT / f"{name}.py").exists()
    ] == []
