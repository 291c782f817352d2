"""Draws what a run has measured. Needs matplotlib, which the extra `bench` installs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from benchmarks.cases import (
    AMONG,
    AMONG_ENVS,
    BETWEEN,
    BOOT,
    BOOT_2,
    CALL,
    CREATE,
    GROWTH,
    KINDS,
    MIB,
    ONE,
    SIZES,
    SOAK,
    SOAK_MEMORY,
    echo,
    in_flight,
)
from benchmarks.results import Key, Result, Run
from benchmarks.sizes import ENVS, WORKERS

PLOTS: Final = {
    "latency-by-payload": "Time of an echo between two processes, by payload",
    "cost-by-number": "Time of a call, by the number of workers and of Envs",
    "against-peers": "corps beside its peers and its floors; shorter is better",
    "memory-over-calls": "Resident memory over a million calls",
}
COLOURS: Final = {"floor": "0.6", "corps": "tab:red", "peer": "tab:blue"}
AGAINST: Final = (
    (ONE, CALL),
    (ONE, in_flight(100)),
    (ONE, CREATE),
    (BETWEEN, CALL),
    (BETWEEN, in_flight(100)),
    (BETWEEN, echo("array", "64 MiB")),
    (BOOT, BOOT_2),
)


def draw(directory: Path, run: Run) -> None:
    """Draw all plots that the run has figures for.

    Args:
        directory: Where to; made if it is not there.
        run: What was measured.

    Raises:
        ImportError: matplotlib is not installed.
    """
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams.update(
        {"svg.hashsalt": "corps", "font.size": 9, "figure.constrained_layout.use": True}
    )
    import matplotlib.pyplot as plt

    directory.mkdir(parents=True, exist_ok=True)
    drawings: dict[str, Callable[[Any, Run], Any]] = dict(
        zip(PLOTS, (_by_payload, _by_number, _against_peers, _over_calls), strict=True)
    )
    for name, drawing in drawings.items():
        figure = drawing(plt, run)
        if figure is not None:
            figure.suptitle(PLOTS[name])
            figure.savefig(directory / f"{name}.svg", metadata={"Date": None})
            plt.close(figure)


def _of(run: Run, section: str, work: str) -> list[Result]:
    return [result for result in run.results if result.key.section == section and result.key.work == work]


def _by_payload(plt: Any, run: Run) -> Any:
    figure, axes = plt.subplots(1, len(KINDS), figsize=(11, 5), sharey=True)
    drawn = False
    for axis, kind in zip(axes, KINDS, strict=True):
        lines: dict[str, list[tuple[int, Result]]] = {}
        for text, size in SIZES.items():
            for result in _of(run, BETWEEN, echo(kind, text)):
                lines.setdefault(result.key.subject, []).append((size, result))
        for subject, points in lines.items():
            role = points[0][1].role
            axis.plot(
                [size for size, _ in points],
                [result.p50 * 1e6 for _, result in points],
                marker="o",
                markersize=3,
                label=subject,
                linewidth=2 if role == "corps" else 1,
                linestyle={"floor": ":", "corps": "-", "peer": "--"}[role],
            )
            drawn = True
        axis.set(xscale="log", yscale="log", title=kind, xlabel="bytes", ylabel="µs")
        axis.grid(visible=True, alpha=0.3)
        if lines:
            axis.legend(fontsize=7)
    return figure if drawn else None


def _by_number(plt: Any, run: Run) -> Any:
    figure, axes = plt.subplots(1, 2, figsize=(11, 4))
    drawn = False
    for axis, work, numbers in zip(axes, (AMONG, AMONG_ENVS), (WORKERS, ENVS), strict=True):
        points = [
            (numbers[name], result)
            for name in numbers
            if (result := run.find(Key(GROWTH, work, name))) is not None
        ]
        for label, values in (
            ("p50", [result.p50 * 1e6 for _, result in points]),
            ("p99", [result.p99 * 1e6 for _, result in points]),
        ):
            axis.plot([number for number, _ in points], values, marker="o", label=label)
        axis.set(xscale="log", title=work, ylabel="µs")
        axis.set_ylim(bottom=0)
        axis.legend()
        axis.grid(visible=True, alpha=0.3)
        drawn = drawn or bool(points)
    return figure if drawn else None


def _against_peers(plt: Any, run: Run) -> Any:
    groups = [
        (f"{section}: {work}", results) for section, work in AGAINST if (results := _of(run, section, work))
    ]
    if not groups:
        return None
    figure, axes = plt.subplots(
        len(groups),
        1,
        squeeze=False,
        figsize=(9, sum(0.6 + 0.22 * len(results) for _, results in groups)),
        height_ratios=[1 + len(results) for _, results in groups],
    )
    for axis, (title, results) in zip(axes[:, 0], groups, strict=True):
        ordered = sorted(results, key=lambda result: -result.p50)
        axis.barh(
            [result.key.subject for result in ordered],
            [result.p50 * 1e6 for result in ordered],
            color=[COLOURS[result.role] for result in ordered],
        )
        axis.set(xscale="log", xlabel="µs")
        axis.set_title(title, loc="left", fontsize=9)
    return figure


def _over_calls(plt: Any, run: Run) -> Any:
    results = _of(run, SOAK, SOAK_MEMORY)
    if not results:
        return None
    figure, axis = plt.subplots(figsize=(8, 4))
    for result in results:
        samples = result.rounds[0].samples
        step = 1_000_000 / len(samples)
        axis.plot(
            [step * (number + 1) for number in range(len(samples))],
            [sample / MIB for sample in samples],
            label=result.key.subject,
        )
    axis.set(xlabel="calls", ylabel="MiB, all processes")
    axis.set_ylim(bottom=0)
    axis.legend()
    axis.grid(visible=True, alpha=0.3)
    return figure
