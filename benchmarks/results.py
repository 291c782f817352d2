"""What was measured: results by section, work and subject, each with its rounds; and their form as JSON.

Pure values. The p50 and p99 of a result are the medians of those of its rounds, so they survive when a file
keeps only some of the samples.
"""

import gzip
import json
import statistics
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final, NamedTuple

from benchmarks.cases import Role, Unit


class Key(NamedTuple):
    """Which work, and who did it."""

    section: str
    work: str
    subject: str


_FEWEST: Final = 20  # samples that have a 95th percentile


@dataclass(frozen=True, slots=True)
class Round:
    """The samples of one round, in the order in which they were taken.

    Attributes:
        count: How many were taken.
        p50: Their median.
        p99: Their 99th percentile.
        samples: Some or all of them.
        p999: The sample that one in a thousand exceeds; None in a run that did not keep it.
    """

    count: int
    p50: float
    p99: float
    samples: tuple[float, ...]
    p999: float | None = None

    @classmethod
    def of(cls, samples: list[float]) -> "Round":
        """Make it of all samples.

        Args:
            samples: At least one.

        Returns:
            The round.
        """
        ordered = sorted(samples)
        p99, p999 = (ordered[min(len(ordered) - 1, int(len(ordered) * part))] for part in (0.99, 0.999))
        short = tuple(_short(each) for each in samples)
        return cls(len(samples), statistics.median(ordered), p99, short, p999)

    def thinned(self, at_most: int) -> "Round":
        """Keep only some of the samples.

        Args:
            at_most: How many, evenly chosen.

        Returns:
            The same round with fewer samples.
        """
        step = -(-len(self.samples) // at_most)
        return replace(self, samples=self.samples[:: max(1, step)])


@dataclass(frozen=True, slots=True)
class Result:
    """What one subject did of one work.

    Attributes:
        key: Which work, and who did it.
        role: Of the subject.
        unit: Of the samples.
        size: Bytes of payload of one operation; 0 if that is not the point.
        floors: What to compare it with, first choice first.
        rounds: At least one.
    """

    key: Key
    role: Role
    unit: Unit
    size: int
    floors: tuple[str, ...]
    rounds: tuple[Round, ...]

    @property
    def p50(self) -> float:
        """The median of the rounds' medians."""
        return statistics.median(each.p50 for each in self.rounds)

    @property
    def p99(self) -> float:
        """The median of the rounds' 99th percentiles."""
        return statistics.median(each.p99 for each in self.rounds)

    @property
    def p999(self) -> float | None:
        """The median of the rounds' 99.9th percentiles; None if one of them has less than 1 000 samples."""
        known = [each.p999 for each in self.rounds if each.p999 is not None and each.count >= 1000]
        return statistics.median(known) if len(known) == len(self.rounds) else None

    @property
    def p95(self) -> float | None:
        """The 95th percentile of the samples that were kept, of all rounds; None for less than 20."""
        samples = sorted(sample for each in self.rounds for sample in each.samples)
        return samples[int(len(samples) * 0.95)] if len(samples) >= _FEWEST else None

    @property
    def spread(self) -> float | None:
        """How far the medians of the rounds lie apart, as a part of p50; None after one round, and of 0."""
        if len(self.rounds) < 2 or not self.p50:
            return None
        medians = [each.p50 for each in self.rounds]
        return (max(medians) - min(medians)) / self.p50


@dataclass(frozen=True, slots=True)
class Run:
    """A whole run, or the sections of several ones.

    Attributes:
        machine: Where it was, and with which versions.
        results: In the order of the works, and of the subjects in each.
        absent: Why something was not measured, by who and what.
        is_quick: Whether its figures mean nothing.
        elsewhere: Where a section was measured that is of another run, by its name.
    """

    machine: dict[str, Any]
    results: tuple[Result, ...]
    absent: dict[str, str] = field(default_factory=dict)
    is_quick: bool = False
    elsewhere: dict[str, dict[str, Any]] = field(default_factory=dict)

    def find(self, key: Key) -> Result | None:
        """The result of that key, or None if it was not measured."""
        return next((result for result in self.results if result.key == key), None)

    def side_by_side(self) -> Iterator[tuple[str, str, list[Result]]]:
        """The results by work.

        Yields:
            The names of a section and of a work, and the results of all who did it.
        """
        groups: dict[tuple[str, str], list[Result]] = {}
        for result in self.results:
            groups.setdefault((result.key.section, result.key.work), []).append(result)
        for (section, work), results in groups.items():
            yield section, work, results

    @property
    def sections(self) -> set[str]:
        """The names of the sections of which something was measured."""
        return {result.key.section for result in self.results}

    def after(self, earlier: "Run") -> "Run":
        """This run, with the sections of an earlier one that it has not measured.

        Sections are taken as a whole, because results are compared with others of their section only.

        Args:
            earlier: Another run.

        Returns:
            Both, in the order of the sections of the earlier one.
        """
        kept = earlier.sections - self.sections
        others = {section: earlier.elsewhere.get(section, earlier.machine) for section in kept}
        names = dict.fromkeys(result.key.section for result in (*earlier.results, *self.results))
        results = (*(each for each in earlier.results if each.key.section in kept), *self.results)
        stale = tuple(f", {section}: " for section in self.sections)
        absent = {
            what: why for what, why in earlier.absent.items() if not any(each in what for each in stale)
        }
        return replace(
            self,
            results=tuple(each for name in names for each in results if each.key.section == name),
            absent={**absent, **self.absent},
            elsewhere={name: facts for name, facts in others.items() if facts != self.machine},
        )

    def thinned(self, at_most: int) -> "Run":
        """The same run with at most so many samples in each round."""
        results = tuple(
            replace(result, rounds=tuple(each.thinned(at_most) for each in result.rounds))
            for result in self.results
        )
        return replace(self, results=results)


def ratio(one: Result, other: Result) -> float:
    """How much one result is of another, judged round by round if both have as many rounds.

    Args:
        one: The numerator.
        other: The denominator.

    Returns:
        The median of the ratios of the rounds.
    """
    return statistics.median(ratios(one, other))


def ratios(one: Result, other: Result) -> list[float]:
    """The ratios of two results, round by round; a single one if they have not as many rounds."""
    if len(one.rounds) != len(other.rounds):
        return [one.p50 / other.p50]
    return [a.p50 / b.p50 for a, b in zip(one.rounds, other.rounds, strict=True)]


def geometric_mean(run: Run, section: str, one: str, other: str) -> float | None:
    """How much one subject is of another, over all works of a section that both have done.

    Args:
        run: What was measured.
        section: Of the works.
        one: The numerator.
        other: The denominator.

    Returns:
        The geometric mean of the ratios; None if they have no work in common.
    """
    found = []
    for name, _, beside in run.side_by_side():
        by_subject = {result.key.subject: result for result in beside}
        if name == section and one in by_subject and other in by_subject:
            found.append(ratio(by_subject[one], by_subject[other]))
    return statistics.geometric_mean(found) if found else None


def floor_of(result: Result, beside: list[Result]) -> Result | None:
    """What a result is compared with as its floor.

    Args:
        result: Of any subject.
        beside: The results of all who did the same work.

    Returns:
        The first of its own choice that was measured, or else the first floor; None for a floor itself.
    """
    if result.role == "floor":
        return None
    by_name = {each.key.subject: each for each in beside if each is not result}
    wanted = [by_name[name] for name in result.floors if name in by_name]
    return next(iter([*wanted, *(each for each in by_name.values() if each.role == "floor")]), None)


def write_json(path: Path, run: Run) -> None:
    """Write a run with all samples that it has.

    Args:
        path: Where; compressed if it ends in ``.gz``.
        run: What.
    """
    document = asdict(run)
    lines = [json.dumps(result) for result in document.pop("results")]
    text = json.dumps(document, indent=1)[:-2] + ',\n "results": [\n' + ",\n".join(lines) + "\n ]\n}\n"
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode(), mtime=0))
    else:
        path.write_text(text, "utf-8")


def read_json(path: Path) -> Run:
    """Read what `write_json` has written.

    Args:
        path: The file.

    Returns:
        The run.
    """
    content = path.read_bytes()
    document = json.loads(gzip.decompress(content) if path.suffix == ".gz" else content)
    results = tuple(
        Result(
            Key(*each["key"]),
            each["role"],
            each["unit"],
            each["size"],
            tuple(each["floors"]),
            tuple(Round(**{**one, "samples": tuple(one["samples"])}) for one in each["rounds"]),
        )
        for each in document["results"]
    )
    return Run(
        document["machine"],
        results,
        document["absent"],
        document["is_quick"],
        document.get("elsewhere", {}),  # an older file has one run only
    )


def _short(sample: float) -> float:
    return float(f"{sample:.4g}")
