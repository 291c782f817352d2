"""What releases have measured, one after the other: a file that a run is added to when it is asked for.

It keeps little of a run: the figures of corps, their ratios to the floor of the same run, which can be
compared where figures of different days cannot, and whether the targets were met.
"""

import json
import subprocess
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypedDict

from benchmarks.report import amount, factor, mean_rows, target_rows
from benchmarks.results import Run, floor_of, ratio

SHOWN: Final = 5
"""How many entries a table shows, the last ones."""


class Figure(TypedDict):
    """What one work took.

    Attributes:
        p50: Its median.
        p99: Its 99th percentile.
        p999: Its 99.9th percentile, where enough was measured.
        unit: Of these.
        over_floor: The ratio of p50 to that of the floor; None where there is none.
    """

    p50: float
    p99: float
    p999: float | None
    unit: str
    over_floor: float | None


class Entry(TypedDict):
    """One run of one release.

    Attributes:
        release: Its name.
        commit: Of the sources; empty where there is no git.
        day: When, in UTC.
        machine: Where, and with which core and versions.
        figures: By section, work and subject.
        means: Of the suite: ours, another system, and the geometric mean of the ratios.
        targets: Number, what, limit, value, and whether it was met; those that were measured.
    """

    release: str
    commit: str
    day: str
    machine: dict[str, Any]
    figures: dict[str, Figure]
    means: list[list[str]]
    targets: list[list[str]]


def entry_of(run: Run, release: str, commit: str, day: str) -> Entry:
    """Take from a run what is kept.

    Args:
        run: What was measured.
        release: The name of the release.
        commit: Of the sources.
        day: When.

    Returns:
        The entry.
    """
    figures: dict[str, Figure] = {}
    for _, _, beside in run.side_by_side():
        for result in beside:
            if result.role == "corps":
                floor = floor_of(result, beside)
                figures[": ".join(result.key)] = Figure(
                    p50=result.p50,
                    p99=result.p99,
                    p999=result.p999,
                    unit=result.unit,
                    over_floor=None if floor is None else round(ratio(result, floor), 3),
                )
    return Entry(
        release=release,
        commit=commit,
        day=day,
        machine=run.machine,
        figures=figures,
        means=[list(row) for row in mean_rows(run)],
        targets=[list(row) for row in target_rows(run, measured_only=True)],
    )


def read(path: Path) -> list[Entry]:
    """The entries of a file, the oldest first; none if there is no file."""
    if not path.exists():
        return []
    entries: list[Entry] = json.loads(path.read_text("utf-8"))
    return entries


def append(path: Path, entry: Entry) -> None:
    """Add an entry to a file; made if it is not there.

    Args:
        path: The file.
        entry: What to add.
    """
    lines = ",\n".join(json.dumps(each) for each in (*read(path), entry))
    path.write_text(f"[\n{lines}\n]\n", "utf-8")


def here_and_now(directory: Path) -> tuple[str, str]:
    """The commit of a checkout and the day.

    Args:
        directory: In the checkout.

    Returns:
        The commit, with a plus sign if something was changed since; empty without git. And the day.
    """
    day = datetime.now(UTC).date().isoformat()
    command = ["git", "describe", "--always", "--dirty=+", "--exclude=*"]
    try:
        done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "", day
    return done.stdout.strip(), day


def headings(entries: Sequence[Entry]) -> tuple[str, ...]:
    """The heading of `rows`: a column for each entry."""
    return "", *(f"{each['release']} {each['commit']} {each['day']}" for each in entries[-SHOWN:])


def rows(entries: Sequence[Entry]) -> Iterator[tuple[str, ...]]:
    """What each work took in the last entries, and how many times its floor that was.

    Args:
        entries: The oldest first.

    Yields:
        A text for each column of `headings`.
    """
    last = entries[-SHOWN:]
    for key in dict.fromkeys(key for entry in last for key in entry["figures"]):
        yield key, *(_text(entry["figures"].get(key)) for entry in last)


def _text(figure: Figure | None) -> str:
    if figure is None:
        return ""
    over = figure["over_floor"]
    return amount(figure["p50"], figure["unit"]) + (
        "" if over is None else f" ({factor(over)} times the floor)"
    )
