"""The words that CONTRIBUTING.md bans, in what people read: prose, docstrings, comments, errors and logs."""

import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
BANNED: Final = re.compile(
    r"\b(whoever|whomever|somebody|told|who has (it|the cell|the role|the lock)|by who\b)|, since\b",
    re.IGNORECASE,
)
CODE: Final = re.compile(r"^([`~]{3,}).*?^\1[`~]*$", re.MULTILINE | re.DOTALL)
RULES: Final = "CONTRIBUTING.md"  # it quotes what it bans


def pages() -> list[Path]:
    found = [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("examples/**/*.py"),
        *ROOT.glob("corps/**/*.py"),
    ]
    return sorted(path.relative_to(ROOT) for path in found if path.name not in {RULES, "CHANGELOG.md"})


def prose(path: Path) -> Iterator[tuple[int, str]]:
    """Lines that people read, each with its number."""
    text = (ROOT / path).read_text()
    if path.suffix == ".md":
        text = CODE.sub(lambda block: "\n" * block[0].count("\n"), text)
        yield from enumerate(text.splitlines(), 1)
        return
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type in {tokenize.STRING, tokenize.COMMENT} or token.type == FSTRING_MIDDLE:
            yield from enumerate(token.string.splitlines(), token.start[0])


FSTRING_MIDDLE: Final = getattr(tokenize, "FSTRING_MIDDLE", -1)  # since Python 3.12


@pytest.mark.parametrize("path", pages(), ids=str)
def test_what_people_read_has_no_banned_word(path: Path) -> None:
    assert [f"{path}:{line}: {text.strip()}" for line, text in prose(path) if BANNED.search(text)] == []
