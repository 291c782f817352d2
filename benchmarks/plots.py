"""Draws what a run has measured. Needs matplotlib, which the group `bench` installs."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

from benchmarks.cases import (
    AMONG,
    AMONG_ENVS,
    BESIDE,
    BESIDE_ENVS,
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
from benchmarks.report import amount
from benchmarks.results import Key, Result, Run
from benchmarks.sizes import ENVS, WORKERS

PLOTS: Final = {
    "latency-by-payload": "Time of an echo between two processes, by payload",
    "cost-by-number": "Time of a call, by the number of workers and of Envs",
    "against-peers": "Time of one operation, p50, on a logarithmic scale: corps red, peers blue, floors grey",
    "memory-over-calls": "Resident memory over a million calls",
}
STYLE: Final = {
    "figure.constrained_layout.use": True,
    "font.size": 9,
    "svg.fonttype": "none",  # letters as letters: a fifth of the size
    "svg.hashsalt": "corps",  # the same figures give the same file
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
    matplotlib.rcParams.update(STYLE)
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


class Flood(Protocol):
    """What a flood of clients has shown, as `benchmarks.fairness` has it."""

    @property
    def honest(self) -> Sequence[int]:
        """Answers of each client."""

    @property
    def memory(self) -> Sequence[Sequence[float]]:
        """Seconds and resident bytes."""

    @property
    def before(self) -> int:
        """Resident bytes before it."""


def draw_floods(directory: Path, floods: Sequence[tuple[str, Flood]]) -> None:
    """Draw how the clients of each flood share a worker, and what that does to the memory of its process.

    Args:
        directory: Where to; made if it is not there. A file for each flood, ``flood-1.svg`` the first.
        floods: Each with its name.

    Raises:
        ImportError: matplotlib is not installed.
    """
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams.update(STYLE)
    import matplotlib.pyplot as plt

    directory.mkdir(parents=True, exist_ok=True)
    for number, (name, flood) in enumerate(floods, 1):
        figure, (shares, sizes) = plt.subplots(1, 2, figsize=(10, 3.5))
        counts = sorted(flood.honest)
        mean = sum(counts) / len(counts)
        steps = {"color": COLOURS["corps"], "linewidth": 3, "drawstyle": "steps-mid"}
        shares.plot(range(1, len(counts) + 1), counts, **steps)
        shares.axhline(mean, color=COLOURS["floor"], label="mean")
        shares.axhline(mean / 2, color=COLOURS["floor"], linestyle=":", label="half of the mean")
        shares.set(xlabel="clients, the slowest first", ylabel="answers", ylim=(0, 1.1 * counts[-1]))
        shares.locator_params(axis="x", integer=True)
        shares.legend(loc="lower right")
        grown = [(at, (size - flood.before) / MIB) for at, size in flood.memory]
        sizes.plot(*zip(*grown, strict=True), color=COLOURS["corps"])
        sizes.axhline(64.0, color=COLOURS["floor"], linestyle=":", label="64 MiB, the room of all clients")
        sizes.set(xlabel="seconds", ylabel="MiB more than before", ylim=(0, 80))
        sizes.legend(loc="center right")
        figure.suptitle(name)
        figure.savefig(directory / f"flood-{number}.svg", metadata={"Date": None})
        plt.close(figure)


def _of(run: Run, section: str, work: str) -> list[Result]:
    return [result for result in run.results if result.key.section == section and result.key.work == work]


def _by_payload(plt: Any, run: Run) -> Any:
    measured = [
        (kind, size, result)
        for kind in KINDS
        for text, size in SIZES.items()
        for result in _of(run, BETWEEN, echo(kind, text))
    ]
    if not measured:
        return None
    figure, axes = plt.subplots(1, len(KINDS), figsize=(12, 5.5), sharey=True)
    roles = {result.key.subject: result.role for _, _, result in measured}
    palette = plt.get_cmap("tab20").colors
    for number, (subject, role) in enumerate(roles.items()):
        for axis, kind in zip(axes, KINDS, strict=True):
            points = [(size, r.p50 * 1e6) for k, size, r in measured if (k, r.key.subject) == (kind, subject)]
            axis.plot(
                *zip(*points, strict=True) if points else ((), ()),
                color=palette[number % len(palette)],
                label=subject,
                linestyle={"floor": ":", "corps": "-", "peer": "--"}[role],
                linewidth=3 if role == "corps" else 1.3,
                marker="o",
                markersize=3,
            )
    for axis, kind in zip(axes, KINDS, strict=True):
        axis.set(xscale="log", yscale="log", title=kind, xlabel="bytes", ylabel="µs, p50")
        axis.grid(visible=True, alpha=0.3)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right center", fontsize=8)
    return figure


def _by_number(plt: Any, run: Run) -> Any:
    figure, axes = plt.subplots(1, 2, figsize=(12, 4.5))
    drawn = False
    for axis, title, works, numbers in (
        (axes[0], "workers in one Env", (BESIDE, AMONG), WORKERS),
        (axes[1], "Envs", (BESIDE_ENVS, AMONG_ENVS), ENVS),
    ):
        for work, colour in zip(works, ("tab:red", "tab:blue"), strict=True):
            points = [
                (number, result)
                for name, number in numbers.items()
                if (result := run.find(Key(GROWTH, work, name))) is not None
            ]
            x = [number for number, _ in points]
            axis.plot(x, [r.p50 * 1e6 for _, r in points], marker="o", color=colour, label=f"{work}, p50")
            axis.plot(x, [r.p99 * 1e6 for _, r in points], marker=".", ls=":", color=colour, label="p99")
            drawn = drawn or bool(points)
        axis.set(xscale="log", yscale="log", title=title, ylabel="µs")
        axis.legend(fontsize=8)
        axis.grid(visible=True, which="both", alpha=0.3)
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
        bars = axis.barh(
            [result.key.subject for result in ordered],
            [result.p50 for result in ordered],
            color=[COLOURS[result.role] for result in ordered],
        )
        axis.bar_label(bars, [f" {amount(result.p50, result.unit)}" for result in ordered], fontsize=8)
        # A logarithmic axis has no zero: it begins at half of the shortest, and ends with room for text.
        axis.set(xscale="log", xticks=[], xlim=(ordered[-1].p50 / 2, ordered[0].p50 * 4))
        axis.minorticks_off()
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
