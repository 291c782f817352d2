"""The claim of the page of proofs that each test that it names is there, and that it leaves out no row."""

import re
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = (ROOT / "docs/design/proofs.md").read_text()
ROWS: Final = [line for line in PAGE.splitlines() if line.startswith("| ") and "`" in line]


def missing(row: str) -> list[str]:
    """Return what a row names and is not there. Tests that follow the name of a file are of that file."""
    lacking, source = [], ""
    for word in re.findall(r"`([^`]+)`", row):
        if "/test_" in word:
            file = ROOT / "tests" / f"{word}.py"
            source = file.read_text() if file.exists() else ""
            lacking += [] if source else [word]
        elif word.startswith("test_"):
            lacking += [] if f"def {word}(" in source else [word]
        elif word.endswith(".md"):
            lacking += [] if (ROOT / word).exists() else [word]
    return lacking


def test_each_test_that_the_page_names_is_there() -> None:
    assert [each for row in ROWS for each in missing(row)] == []


def test_a_test_that_is_not_there_is_found() -> None:
    assert missing("| `unit/test_proofs_page`: `test_nothing`; `unit/test_none` |") == [
        "test_nothing",
        "unit/test_none",
    ]


def test_each_attack_and_each_bad_input_has_a_row() -> None:
    wanted = [f"S{number}" for number in range(1, 14)] + [f"B{number}" for number in range(1, 14)]
    assert re.findall(r"^\| ([SB]\d+) \|.*`test_", PAGE, re.MULTILINE) == wanted
