"""The report of a storm: JSON for programs, Markdown for people. Pure but for writing the two files."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from corps.testing.chaos.judgement import MEANINGS, OF_EXECUTIONS, Invariant, Summary, Violation
from corps.testing.chaos.sizes import Size


@dataclass(frozen=True, slots=True)
class Injected:
    """What became of a planned fault."""

    number: int  # from 1
    at: float  # seconds after the beginning of the storm, as planned
    late: float  # seconds after that, when it was done
    fault: str  # its kind
    text: str  # what was done; or why it was not
    was_missed: bool  # whether it was not done


@dataclass(slots=True)
class StormReport:
    """All that is to be said of a storm."""

    seed: int  # of the plan and the load
    application: str  # what was booted
    replay: str  # the command that does the same again
    machine: str  # cores, kernel, Python
    seconds: float = 0.0  # how long it took in all
    injected: list[Injected] = field(default_factory=list)  # the faults
    violations: list[Violation] = field(default_factory=list)  # what did not hold; empty if all is well
    stories: list[str] = field(default_factory=list)  # what the records say of requests among them
    sections: list[str] = field(default_factory=list)  # what the judge says beyond that, as lines of Markdown
    summary: Summary = field(default_factory=Summary)  # what was counted
    errors: dict[str, int] = field(default_factory=dict)  # what Futures raised, by type and `executed`
    strange: list[str] = field(default_factory=list)  # what they should not have raised
    sizes: list[Size] = field(default_factory=list)  # of the processes
    notes: list[str] = field(default_factory=list)  # what else went on; what was not judged, and why
    witness: str = ""  # where the records are; empty if they were thrown away

    @property
    def is_clean(self) -> bool:
        """True if every invariant held."""
        return not self.violations

    def as_json(self) -> str:
        """Return everything as JSON, for programs."""
        return json.dumps(asdict(self), indent=2, default=str) + "\n"

    def as_markdown(self) -> str:
        """Return what people want to know, as Markdown."""
        return "\n".join(_lines(self)) + "\n"

    def write(self, directory: Path) -> Path:
        """Write ``report.json`` and ``report.md``; return the path of the latter."""
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "report.json").write_text(self.as_json(), "utf-8")
        path = directory / "report.md"
        path.write_text(self.as_markdown(), "utf-8")
        return path


def table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> Iterator[str]:
    """Yield the lines of a table in Markdown; none if it has no rows."""
    if not rows:
        return
    yield from ["", f"| {' | '.join(header)} |", f"|{'---|' * len(header)}"]
    yield from (f"| {' | '.join(map(str, row))} |" for row in rows)


def _lines(report: StormReport) -> Iterator[str]:
    summary, done = report.summary, sum(not each.was_missed for each in report.injected)
    verdict = "all invariants held" if report.is_clean else f"{len(report.violations)} violations"
    yield from [f"# Storm {report.seed}: {verdict}", ""]
    yield f"- application: {report.application}"
    yield f"- machine: {report.machine}"
    missed = len(report.injected) - done
    yield f"- {done} faults in {report.seconds:.0f} s; {missed} more could not be done"
    worked = f", {summary.starts} executions by {summary.incarnations} incarnations of workers"
    yield f"- {summary.requests} requests{worked if summary.incarnations else ''}"
    yield f"- again: `{report.replay}`"
    if summary.looks or summary.timers or summary.records:
        yield f"- {summary.looks} looks into Dirs, {summary.timers} timers, {summary.records} log records"
    if report.is_clean and done:
        bound = f"fewer than {300 / done:.2g} % of faults cause one"
        yield f"- no violation in {done} faults: with 95 % confidence, {bound}"
    if report.witness:
        yield f"- witness: {report.witness}"
    yield from (f"- {note}" for note in report.notes)
    rows = [[each, meaning, _counted(report, each)] for each, meaning in MEANINGS.items()]
    yield from table(["invariant", "", "violations"], rows)
    if report.violations:
        yield from ["", "## Violations", ""]
        yield from (f"- {violation}" for violation in report.violations[:200])
    for story in report.stories:
        yield from ["", "```text", story, "```"]
    yield from ["", "## Faults"]
    counts = Counter((each.fault, each.was_missed) for each in report.injected)
    kinds = sorted({fault for fault, _ in counts})
    yield from table(
        ["fault", "done", "missed"], [[kind, counts[kind, False], counts[kind, True]] for kind in kinds]
    )
    yield from report.sections
    yield from ["", "## What Futures gave", ""]
    yield ", ".join(f"{count} {name}" for name, count in sorted(summary.outcomes.items())) or "nothing"
    yield from table(["raised", "times"], sorted(report.errors.items()))
    yield from (f"- strange: {text}" for text in report.strange)
    yield from ["", "## Time", ""]
    latest = (
        "none was late" if summary.latest is None else f"the latest came {1000 * summary.latest:.1f} ms after"
    )
    yield f"- deadlines: {latest}; {summary.late} needed the allowance of a busy machine"
    if summary.base is not None:
        back = "not judged" if summary.recovered is None else f"back after {summary.recovered:.1f} s"
        yield f"- throughput: {summary.base:.0f}/s in the calm; {back}"
    if summary.torn:
        yield f"- {summary.torn} bytes of witness files were no record"
    if report.sizes:
        yield from ["", "## Memory"]
        header = ["process", "first (MiB)", "most (MiB)", "slope (MiB/h)"]
        yield from table(header, [size.as_row() for size in report.sizes[:50]])


def _counted(report: StormReport, invariant: Invariant) -> str:
    listed = sum(violation.invariant == invariant for violation in report.violations)
    summary = report.summary
    count = max(listed, summary.counts.get(invariant, 0))
    seen = {
        Invariant.REGISTERED: summary.looks,
        Invariant.TIMELY: summary.timers,
        Invariant.LOGGED: summary.records,
        **dict.fromkeys(OF_EXECUTIONS, summary.incarnations),
    }
    return str(count) if count or seen.get(invariant, 1) else "not judged"
