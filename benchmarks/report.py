"""What was measured, as a table and as JSON."""

import json
import platform
import statistics
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.table import Table

from benchmarks.cases import Case

Samples = Mapping[tuple[str, str], list[list[float]]]
"""By group and name: a list of samples, in seconds, for each round."""


def p50(rounds: list[list[float]]) -> float:
    """The median of all samples, in seconds."""
    return statistics.median(sample for samples in rounds for sample in samples)


def p99(rounds: list[list[float]]) -> float:
    """The 99th percentile of all samples, in seconds."""
    ordered = sorted(sample for samples in rounds for sample in samples)
    return ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]


def machine() -> dict[str, Any]:
    """Where this was measured, and with what."""
    return {
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "processor": platform.machine(),
        "versions": {name: version(name) for name in ("pyzmq", "msgpack", "cloudpickle")},
    }


def show(cases: list[Case], samples: Samples) -> None:
    """Print a table: each group with its floors, and the ratio to them."""
    facts = machine()
    table = Table(title=f"Python {facts['python']}, {facts['platform']}")
    for heading in ("work", "case", "p50 µs", "p99 µs", "per second", "spread of rounds", "/ floor"):
        justify: Literal["left", "right"] = "left" if heading in ("work", "case") else "right"
        table.add_column(heading, justify=justify, no_wrap=True)
    floors = {case.group: p50(samples[case.group, case.name]) for case in cases if case.is_floor}
    for case in sorted(cases, key=lambda case: (case.group, not case.is_floor)):
        rounds = samples[case.group, case.name]
        middle = p50(rounds)
        medians = [statistics.median(one) for one in rounds]
        ratio = "" if case.is_floor or case.group not in floors else f"{middle / floors[case.group]:.2f}"
        table.add_row(
            case.group,
            f"[dim]{case.name}" if case.is_floor else case.name,
            f"{middle * 1e6:,.1f}",
            f"{p99(rounds) * 1e6:,.1f}",
            f"{1 / middle:,.0f}",
            f"{(max(medians) - min(medians)) / middle:.0%}",
            ratio,
        )
    console = Console()
    (console if console.is_terminal else Console(width=150)).print(table)


def write_json(path: Path, samples: Samples) -> None:
    """Write every sample, with the machine."""
    groups: dict[str, dict[str, list[list[float]]]] = {}
    for (group, name), rounds in samples.items():
        groups.setdefault(group, {})[name] = rounds
    path.write_text(json.dumps({"machine": machine(), "seconds": groups}, indent=1) + "\n")
