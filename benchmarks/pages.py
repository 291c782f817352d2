"""Writes docs/performance-tables.md, which shows a run. The story is told by hand, in docs/performance.md."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from benchmarks.plots import PLOTS
from benchmarks.report import (
    HEADINGS,
    MEAN_HEADINGS,
    TARGET_HEADINGS,
    Row,
    machine_lines,
    mean_rows,
    row,
    section_lines,
    target_rows,
)
from benchmarks.results import Run

PAGE: Final = Path(__file__).parents[1] / "docs" / "performance-tables.md"
PICTURES: Final = PAGE.with_name("assets") / "performance"
INTRODUCTION: Final = """# Performance tables

`python -m benchmarks --keep` writes this page from `benchmarks/reference.json`.
[Performance](performance.md) says what they mean, and why targets are missed.
[How to measure](benchmarks.md) says how the figures were taken, and what the columns are."""


def content(run: Run, pictures: Path = PICTURES) -> str:
    """Return the whole page.

    Args:
        run: What was measured.
        pictures: Where plots may be.

    Returns:
        Markdown.
    """
    return "\n".join(_lines(run, pictures)) + "\n"


def write(run: Run) -> None:
    """Have the page show a run.

    Args:
        run: What was measured.
    """
    PAGE.write_text(content(run), "utf-8")


def _lines(run: Run, pictures: Path) -> Iterator[str]:
    yield INTRODUCTION
    yield ""
    yield "Measured on:"
    yield ""
    yield from (f"- {line}" for line in machine_lines(run))
    yield ""
    yield "## Targets"
    yield ""
    yield from _table(TARGET_HEADINGS, target_rows(run), left=3)
    for name, title in PLOTS.items():
        if (pictures / f"{name}.svg").exists():
            yield ""
            yield f"![{title}](assets/performance/{name}.svg)"
    last = ""
    for section, work, results in run.side_by_side():
        if section != last:
            yield ""
            yield f"## {section[0].upper()}{section[1:]}"
            if lines := list(section_lines(run, section)):
                yield ""
                yield "Measured in another run, on:"
                yield ""
                yield from (f"- {line}" for line in lines)
        last = section
        yield ""
        yield from _table((f"**{work}**", *HEADINGS[1:]), (row(each, results) for each in results), left=1)
    if means := list(mean_rows(run)):
        yield ""
        yield "## Savina, all of it"
        yield ""
        yield from _table(MEAN_HEADINGS, means, left=2)
    if run.absent:
        yield ""
        yield "## Not measured"
        yield ""
        yield from (f"- {what}: `{why}`" for what, why in run.absent.items())


def _table(headings: Row, rows: Iterable[Row], *, left: int) -> Iterator[str]:
    yield f"| {' | '.join(headings)} |"
    yield "|" + "".join("---|" if number < left else "--:|" for number in range(len(headings)))
    for each in rows:
        yield f"| {' | '.join(each)} |"
