"""The report of a storm: JSON for programs, Markdown for people. Pure but for writing the two files."""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from corps.addresses import env_label
from corps.testing.chaos.judgement import Episode, Invariant, Summary, Violation

_MIB: Final = 1024 * 1024

MEANINGS: Final = {
    Invariant.NO_DOUBLE_EXECUTION: "no double execution",
    Invariant.HONEST_SUCCESS: "a value means executed",
    Invariant.HONEST_FAILURE: "errors say truly whether it was executed",
    Invariant.RESOLVED_IN_TIME: "every Future is settled in time",
    Invariant.ORDER: "order of each sender",
    Invariant.FENCE: "nothing after its end is known",
    Invariant.ACCOUNTED: "everything is accounted for",
    Invariant.NO_ORPHANS: "no process is left",
    Invariant.NO_LEAKS: "nothing else is left",
    Invariant.BOUNDED_MEMORY: "memory is bounded",
    Invariant.ISOLATION: "failures stay where the fault is",
    Invariant.LIVENESS: "the throughput comes back",
}


OF_EXECUTIONS: Final = frozenset(
    {
        Invariant.NO_DOUBLE_EXECUTION,
        Invariant.HONEST_SUCCESS,
        Invariant.HONEST_FAILURE,
        Invariant.ORDER,
        Invariant.FENCE,
    }
)
"""What only workers that write down what they do can prove."""


@dataclass(frozen=True, slots=True)
class Injected:
    """What became of a planned fault.

    Attributes:
        number: From 1.
        at: Seconds after the beginning of the storm, as planned.
        late: Seconds after that, when it was done.
        fault: Its kind.
        text: What was done; or why it was not.
        was_missed: Whether it was not done.
    """

    number: int
    at: float
    late: float
    fault: str
    text: str
    was_missed: bool


@dataclass(frozen=True, slots=True)
class Size:
    """How large a process was.

    Attributes:
        env: The Env; 0 for the process that booted.
        pid: The process.
        first: Bytes at first.
        most: Bytes at most.
        slope: Bytes per hour over the last half; None if nobody can say.
        error: Standard error of the slope.
        span: Seconds of the last half.
    """

    env: int
    pid: int
    first: int
    most: int
    slope: float | None
    error: float | None
    span: float


@dataclass(slots=True)
class StormReport:
    """All that is to be said of a storm.

    Attributes:
        seed: Of the plan and the load.
        application: What was booted.
        replay: The command that does the same again.
        machine: Cores, kernel, Python.
        seconds: How long it took in all.
        injected: The faults.
        violations: What did not hold; empty if all is well.
        stories: What the records say of the first requests among them.
        summary: What was counted.
        errors: What Futures raised, by type and `executed`.
        strange: What they should not have raised.
        sizes: Of the processes.
        notes: What was not judged, and why.
        witness: Where the records are; empty if they were thrown away.
    """

    seed: int
    application: str
    replay: str
    machine: str
    seconds: float = 0.0
    injected: list[Injected] = field(default_factory=list)
    violations: list[Violation] = field(default_factory=list)
    stories: list[str] = field(default_factory=list)
    summary: Summary = field(default_factory=Summary)
    errors: dict[str, int] = field(default_factory=dict)
    strange: list[str] = field(default_factory=list)
    sizes: list[Size] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    witness: str = ""

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
        """Write ``report.json`` and ``report.md``.

        Raises:
            OSError: They cannot be written.
        """
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "report.json").write_text(self.as_json(), "utf-8")
        path = directory / "report.md"
        path.write_text(self.as_markdown(), "utf-8")
        return path


def percentile(values: Sequence[float], share: float) -> float | None:
    """Return the least value that this share of all (0 to 1) does not exceed; None if there are none."""
    if not values:
        return None
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def _lines(report: StormReport) -> Iterator[str]:
    summary, done = report.summary, [each for each in report.injected if not each.was_missed]
    verdict = "all invariants held" if report.is_clean else f"{len(report.violations)} violations"
    yield f"# Storm {report.seed}: {verdict}"
    yield ""
    yield f"- application: {report.application}"
    yield f"- machine: {report.machine}"
    missed = len(report.injected) - len(done)
    yield f"- {len(done)} faults in {report.seconds:.0f} s; {missed} more could not be done"
    worked = f", {summary.starts} executions by {summary.incarnations} incarnations of workers"
    yield f"- {summary.requests} requests{worked if summary.incarnations else ''}"
    yield f"- again: `{report.replay}`"
    if report.is_clean and done:
        bound = f"fewer than {300 / len(done):.2g} % of faults cause one"
        yield f"- no violation in {len(done)} faults: with 95 % confidence, {bound}"
    if report.witness:
        yield f"- witness: {report.witness}"
    yield from (f"- {note}" for note in report.notes)
    yield from _table(
        ["invariant", "", "violations"],
        [[each, MEANINGS[each], _counted(report, each)] for each in Invariant],
    )
    if report.violations:
        yield from ["", "## Violations", ""]
        yield from (f"- {violation}" for violation in report.violations[:200])
    for story in report.stories:
        yield from ["", "```text", story, "```"]
    yield from _faults(report, done)
    yield from ["", "## What Futures gave", ""]
    yield ", ".join(f"{count} {name}" for name, count in sorted(summary.outcomes.items())) or "nothing"
    yield from _table(["raised", "times"], [[name, str(n)] for name, n in sorted(report.errors.items())])
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
    yield from _sizes(report)


def _counted(report: StormReport, invariant: Invariant) -> str:
    listed = sum(violation.invariant == invariant for violation in report.violations)
    count = max(listed, report.summary.counts.get(invariant, 0))
    if not count and invariant in OF_EXECUTIONS and not report.summary.incarnations:
        return "not judged"
    return str(count)


def _faults(report: StormReport, done: Sequence[Injected]) -> Iterator[str]:
    yield from ["", "## Faults"]
    episodes = {episode.number: episode for episode in report.summary.episodes}
    rows = []
    for kind in sorted({each.fault for each in report.injected}):
        ours = [each for each in done if each.fault == kind]
        seen = [episodes[each.number] for each in ours if each.number in episodes]
        missed = sum(each.fault == kind and each.was_missed for each in report.injected)
        rows.append([kind, str(len(ours)), str(missed), *_times(seen)])
    header = ["fault", "done", "missed", "noticed p50, p99 (ms)", "new incarnation answered p50, p95 (ms)"]
    yield from _table(header, rows)


def _times(episodes: Sequence[Episode]) -> list[str]:
    noticed = [each.noticed for each in episodes if each.noticed is not None]
    served = [each.served for each in episodes if each.served is not None]
    return [_pair(noticed, 0.5, 0.99), _pair(served, 0.5, 0.95)]


def _pair(values: Sequence[float], *shares: float) -> str:
    if not values:
        return "-"
    return (
        ", ".join(f"{1000 * (percentile(values, share) or 0.0):.0f}" for share in shares)
        + f" (of {len(values)})"
    )


def _sizes(report: StormReport) -> Iterator[str]:
    if not report.sizes:
        return
    rows = []
    for size in report.sizes[:50]:
        slope = "-"
        if size.slope is not None and size.error is not None:
            slope = f"{size.slope / _MIB:+.1f} ± {size.error / _MIB:.1f} over {size.span:.0f} s"
        rows.append([f"{env_label(size.env)}", f"{size.first / _MIB:.1f}", f"{size.most / _MIB:.1f}", slope])
    yield from ["", "## Memory"]
    yield from _table(["process", "first (MiB)", "most (MiB)", "slope (MiB/h)"], rows)


def _table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> Iterator[str]:
    if not rows:
        return
    yield ""
    yield f"| {' | '.join(header)} |"
    yield f"|{'---|' * len(header)}"
    for row in rows:
        yield f"| {' | '.join(map(str, row))} |"
