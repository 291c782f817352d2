"""``python -m benchmarks``: measures, shows, compares and keeps what was measured."""

from pathlib import Path
from typing import Final

import click
from rich.console import Console

from benchmarks import compare, pages, plots, report
from benchmarks.cases import chosen
from benchmarks.machine import machine
from benchmarks.peers.table import PACKAGES
from benchmarks.results import Run, read_json, write_json
from benchmarks.running import Runner
from benchmarks.subjects import PEERS, WITHOUT_PEERS

REFERENCE: Final = Path(__file__).with_name("reference.json")
KEPT_SAMPLES: Final = 10
"""How many samples of each round the reference keeps: enough for a plot, and little enough for git."""

FILE: Final = click.Path(path_type=Path, dir_okay=False)


def measure(
    only: str, rounds: int, *, quick: bool, peers: bool, soak: bool, say: Console
) -> tuple[Run, bool]:
    """Measure what was chosen.

    Args:
        only: What the names of sections or works have to contain.
        rounds: How often each work is measured.
        quick: Whether to do it once, and little of it.
        peers: Whether peers are measured too.
        soak: Whether what takes minutes is measured too.
        say: Where to tell what goes on.

    Returns:
        The run, and whether corps or a floor has failed.
    """
    sections = chosen(only, quick=quick, soak=soak)
    if not sections:
        raise click.UsageError(f"no section and no work has {only!r} in its name")
    runner = Runner(rounds, quick, lambda text: say.print(text, style="dim", highlight=False))
    subjects = [*WITHOUT_PEERS, *(PEERS if peers else ())]
    results = [
        result
        for section in sections
        for result in runner.measure(section, [each for each in subjects if each.section == section.name])
    ]
    return Run(machine(PACKAGES), tuple(results), runner.absent, quick), runner.is_broken


@click.command()
@click.option("--only", metavar="NAME", default="", help="Only sections and works whose name contains NAME.")
@click.option("--peers", is_flag=True, help="Measure the peers that are installed, too.")
@click.option("--soak", is_flag=True, help="Measure over a million calls, too; takes minutes.")
@click.option(
    "--rounds", type=click.IntRange(1), default=7, show_default=True, help="How often each work is measured."
)
@click.option("--quick", is_flag=True, help="A few seconds: shows that it works, measures nothing well.")
@click.option("--from", "source", type=FILE, help="Measure nothing: take the run that --json has written.")
@click.option("--json", "target", type=FILE, help="Write every sample; compressed if the name ends in .gz.")
@click.option(
    "--compare",
    "earlier",
    is_flag=False,
    flag_value=str(REFERENCE),
    type=FILE,
    help="Say what changed since a run; without a name since benchmarks/reference.json.",
)
@click.option("--plot", "plot_dir", type=click.Path(path_type=Path), help="Draw plots into this directory.")
@click.option(
    "--keep", is_flag=True, help="Make this run the reference, and docs/performance-tables.md show it."
)
def main(
    only: str,
    peers: bool,
    soak: bool,
    rounds: int,
    quick: bool,
    source: Path | None,
    target: Path | None,
    earlier: Path | None,
    plot_dir: Path | None,
    keep: bool,
) -> None:
    """Measure corps; in the same run what the media themselves cost, and with --peers what others need."""
    if earlier is not None and not earlier.exists():
        raise click.UsageError(f"there is no run {earlier} to compare with: --keep makes the reference")
    if keep and (only or quick):
        raise click.UsageError("only a whole run can be kept: leave out --only and --quick")
    console = Console()
    if not console.is_terminal:
        console = Console(width=170)
    if source is None:
        run, is_broken = measure(only, rounds, quick=quick, peers=peers, soak=soak, say=Console(stderr=True))
    else:
        run, is_broken = read_json(source), False
    if keep and run.is_quick:
        raise click.UsageError("a quick run cannot be kept: its figures mean nothing")
    report.show(console, run)
    if earlier is not None:
        report.show_changes(console, compare.changes(read_json(earlier), run), earlier.name)
    if target is not None:
        write_json(target, run)
    if plot_dir is not None:
        plots.draw(plot_dir, run)
    if keep:
        write_json(REFERENCE, run.thinned(KEPT_SAMPLES))
        pages.write(read_json(REFERENCE))
    if is_broken:
        raise SystemExit("a benchmark of corps or of a floor is broken: see what was not measured, and why")


if __name__ == "__main__":
    main()
