"""What was measured, as rows of text, and as tables of the terminal."""

from collections.abc import Iterable, Iterator
from typing import Any, Final, Literal

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.cases import KIB, MIB, SAVINA
from benchmarks.compare import Change
from benchmarks.results import Result, Run, floor_of, geometric_mean, ratio
from benchmarks.targets import TARGETS

Row = tuple[str, ...]

HEADINGS: Final = ("", "p50", "p99", "p99.9", "rate", "spread of rounds", "÷ floor", "corps is faster by")
TARGET_HEADINGS: Final = ("", "what", "target", "measured", "")
MEAN_HEADINGS: Final = ("", "to", "geometric mean of the ratios")
CHANGE_HEADINGS: Final = ("section", "work", "who", "÷ before", "noise", "as ratio to", "")


def amount(value: float, unit: str) -> str:
    """A value with the unit that suits it."""
    if unit == "/s":
        return f"{value:.3g} /s"
    scale: float
    if unit == "B":
        scale, text = (MIB, "MiB") if value >= MIB else (KIB, "KiB") if value >= KIB else (1, "B")
    else:
        scale, text = (1, "s") if value >= 1 else (1e-3, "ms") if value >= 1e-3 else (1e-6, "µs")
    return f"{value / scale:.3g} {text}" if value / scale < 1000 else f"{value / scale:,.0f} {text}"


def rate(result: Result) -> str:
    """How much per second."""
    if result.unit != "s":
        return ""
    if result.size >= 64 * KIB:
        return f"{result.size / result.p50 / KIB**3:.2f} GiB/s"
    return f"{1 / result.p50:,.0f} /s" if result.p50 < 0.1 else f"{1 / result.p50:.2g} /s"


def factor(value: float) -> str:
    """A ratio with as many digits as mean something."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}" if value >= 10 else f"{value:.2f}"


def machine_lines(run: Run) -> Iterator[str]:
    """Where a run was, in words.

    Args:
        run: Which.

    Yields:
        Lines of text.
    """
    yield from _facts(run.machine)
    if run.is_quick:
        yield "A quick run: it shows that the benchmarks work; its figures mean nothing."


def _facts(machine: dict[str, Any]) -> Iterator[str]:
    core = f"; {machine['core']} core" if "core" in machine else ""
    yield f"{machine['cpu']}, {machine['cores']} cores; {machine['kernel']}; {machine['python']}{core}"
    yield ", ".join(f"{name} {version}" for name, version in machine["versions"].items())


def section_lines(run: Run, section: str) -> Iterator[str]:
    """Where a section was measured, if that was elsewhere.

    Args:
        run: Which.
        section: Its name.

    Yields:
        Lines of text.
    """
    if section in run.elsewhere:
        yield from _facts(run.elsewhere[section])


def mean_rows(run: Run) -> Iterator[Row]:
    """The geometric means of the ratios of the suite's works: ours to each other system.

    Args:
        run: Which.

    Yields:
        Texts for `MEAN_HEADINGS`.
    """
    roles = {result.key.subject: result.role for result in run.results if result.key.section == SAVINA}
    ours = [name for name, role in roles.items() if role == "corps"]
    for other in [name for name, role in roles.items() if role == "peer"]:
        for one in ours:
            value = geometric_mean(run, SAVINA, one, other)
            if value is not None:
                yield (one, other, factor(value))


def row(result: Result, beside: list[Result]) -> Row:
    """A result among those of all who did the same work.

    Args:
        result: Which.
        beside: All of them.

    Returns:
        Texts for `HEADINGS`.
    """
    floor = floor_of(result, beside)
    ours = next((each for each in beside if each.role == "corps"), None)
    return (
        result.key.subject,
        amount(result.p50, result.unit),
        _tail(result),
        "" if result.p999 is None else amount(result.p999, result.unit),
        rate(result),
        "" if result.spread is None else f"{result.spread:.0%}",
        "" if floor is None else factor(ratio(result, floor)),
        factor(ratio(result, ours)) if ours is not None and result.role == "peer" else "",
    )


def _tail(result: Result) -> str:
    if result.rounds[0].count >= 100:
        return amount(result.p99, result.unit)
    return "" if result.p95 is None else f"p95 {amount(result.p95, result.unit)}"


def target_rows(run: Run, *, measured_only: bool = False) -> Iterator[Row]:
    """The targets, held against a run.

    Args:
        run: Which.
        measured_only: Whether to leave out those that it has not measured.

    Yields:
        Texts for `TARGET_HEADINGS`.
    """
    for target in TARGETS:
        value, verdict = target.judge(run)
        if value is None and measured_only:
            continue
        yield (
            target.number,
            target.what,
            target.wanted,
            "" if value is None else f"{factor(value)} {target.unit}",
            verdict,
        )


def change_rows(changes: list[Change]) -> Iterator[Row]:
    """What has changed, the worst first; what has not, is left out.

    Args:
        changes: All of them.

    Yields:
        Texts for `CHANGE_HEADINGS`.
    """
    for change in sorted(changes, key=lambda each: -each.factor):
        if change.verdict != "same":
            noise = "one round" if change.noise is None else f"± {change.noise:.0%}"
            yield (*change.key, factor(change.factor), noise, change.floor or "itself", change.verdict)


def show(console: Console, run: Run) -> None:
    """Print all tables of a run.

    Args:
        console: Where.
        run: What.
    """
    for line in machine_lines(run):
        console.print(line, style="bold", highlight=False)
    for section, table in _sections(run):
        console.print()
        console.print(f"[bold]{section}[/]")
        console.print(table)
    if means := list(mean_rows(run)):
        console.print("\n[bold]savina, all of it[/]")
        console.print(_table(MEAN_HEADINGS, means, left=2))
    console.print("\n[bold]targets[/], those that this run can judge")
    console.print(_table(TARGET_HEADINGS, target_rows(run, measured_only=True), left=3))
    if run.absent:
        console.print("\n[bold]not measured[/]")
        console.print(_table(("who and what", "why"), run.absent.items(), left=2, wraps=True))


def show_changes(console: Console, changes: list[Change], name: str) -> None:
    """Print what has changed.

    Args:
        console: Where.
        changes: All of them.
        name: Of the earlier run.
    """
    same = sum(change.verdict == "same" for change in changes)
    console.print(f"\n[bold]since {name}[/]: {same} of {len(changes)} within the noise")
    if same < len(changes):
        console.print(_table(CHANGE_HEADINGS, change_rows(changes), left=3))


def show_history(console: Console, titles: Row, rows: Iterable[Row]) -> None:
    """Print what releases have measured.

    Args:
        console: Where.
        titles: Of the columns.
        rows: Texts for them.
    """
    console.print(_table(titles, rows, left=1))


def _sections(run: Run) -> Iterator[tuple[str, Table]]:
    tables: dict[str, Table] = {}
    for section, work, results in run.side_by_side():
        if section not in tables:
            tables[section] = _table(("work", *HEADINGS), [], left=2)
        for number, result in enumerate(results):
            style = {"floor": "dim", "corps": "bold", "peer": ""}[result.role]
            table = tables[section]
            table.add_row(
                "" if number else work,
                *row(result, results),
                style=style,
                end_section=number == len(results) - 1,
            )
    yield from tables.items()


def _table(headings: Row, rows: Iterable[Row], *, left: int, wraps: bool = False) -> Table:
    table = Table(box=box.SIMPLE)
    for number, heading in enumerate(headings):
        justify: Literal["left", "right"] = "left" if number < left else "right"
        table.add_column(heading, justify=justify, no_wrap=not wraps)
    for each in rows:
        table.add_row(*each)
    return table
