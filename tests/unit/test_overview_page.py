"""The claim of the overview that its table names what there is."""

import re
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = (ROOT / "docs/design/overview.md").read_text()
ROWS: Final = {row[1]: row[0] for row in re.finditer(r"^\| `([\w/]+)/` \|.*$", PAGE, re.MULTILINE)}
FOLDERS: Final = sorted(
    file.parent.relative_to(ROOT / "corps").as_posix()
    for file in (ROOT / "corps").rglob("__init__.py")
    if file.parent != ROOT / "corps" and any(file.parent.glob("[a-z]*.py*"))
)


def test_each_folder_has_its_row() -> None:
    assert sorted(set(ROWS) - {"corps"}) == FOLDERS


@pytest.mark.parametrize("folder", FOLDERS)
def test_each_file_is_named_in_the_row_of_its_folder(folder: str) -> None:
    files = [file.stem for file in (ROOT / "corps" / folder).glob("*.py") if not file.stem.startswith("__")]
    assert [name for name in sorted(files) if f"`{name}`" not in ROWS[folder]] == []
