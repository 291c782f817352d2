"""``python -m benchmarks``: measures, shows, compares and keeps what was measured."""

from collections.abc import Collection
from pathlib import Path
from typing import Final

import click
from rich.console import Console

from benchmarks import compare, history, pages, plots, report
from benchmarks.cases import SECTIONS, USUAL, Group, Section, chosen
from benchmarks.machine import installed_version, machine
from benchmarks.peers.table import PACKAGES
from benchmarks.results import Run, read_json, write_json
from benchmarks.running import Runner
from benchmarks.subjects import PEERS, WITHOUT_PEERS
from benchmarks.targets import TARGETS
from corps import core as core_of_corps

REFERENCE: Final = Path(__file__).with_name("reference.json")
HISTORY: Final = Path(__file__).with_name("history.json")
KEPT_SAMPLES: Final = 10
"""How many samples of each round the reference keeps: enough for a plot, and little enough for git."""

EVERYTHING: Final[tuple[Group, ...]] = ("usual", "core", "savina", "soak")
FILE: Final = click.Path(path_type=Path, dir_okay=False)


def not_measured(reference: Run) -> list[Section]:
    """The sections that targets read which a run has not measured.

    Args:
        reference: The run.

    Returns:
        The sections, whole: what stands in one is compared with what else stands there.
    """
    names = {key.section for target in TARGETS if target.value(reference) is None for key in target.keys}
    return [section for section in chosen("", quick=False, groups=EVERYTHING) if section.name in names]


def measure(
    sections: list[Section], rounds: int, *, quick: bool, peers: bool, say: Console
) -> tuple[Run, bool]:
    """Measure what was chosen.

    Args:
        sections: What.
        rounds: How often each work is measured.
        quick: Whether to do it once, and little of it.
        peers: Whether peers are measured too.
        say: Where to tell what goes on.

    Returns:
        The run, and whether corps or a floor has failed.
    """
    runner = Runner(rounds, quick, lambda text: say.print(text, style="dim", highlight=False))
    subjects = [*WITHOUT_PEERS, *(PEERS if peers else ())]
    if core_of_corps.name == "pure":  # then all are on the twin
        subjects = [subject for subject in subjects if not subject.is_pure]
    results = [
        result
        for section in sections
        for result in runner.measure(section, [each for each in subjects if each.section == section.name])
    ]
    return Run(machine(PACKAGES), tuple(results), runner.absent, quick), runner.is_broken


@click.command()
@click.option("--only", metavar="NAME", default="", help="Only sections and works whose name contains NAME.")
@click.option(
    "--peers/--no-peers",
    default=None,
    help="Whether to measure the peers that are installed, too; by default with the options that say so.",
)
@click.option("--soak", is_flag=True, help="Measure a million calls and workers, too; takes minutes.")
@click.option("--core", is_flag=True, help="Measure the shortest ways of a request, with the peers, only.")
@click.option("--savina", is_flag=True, help="Measure the Savina suite, with the peers, only.")
@click.option("--all", "everything", is_flag=True, help="Measure all there is, with the peers.")
@click.option(
    "--missing", is_flag=True, help="Measure what targets read and the reference has not, with the peers."
)
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
    "--keep",
    is_flag=True,
    help="Put the sections of this run into the reference, and have docs/performance-tables.md show it.",
)
@click.option(
    "--history",
    "release",
    is_flag=False,
    flag_value="",
    metavar="RELEASE",
    help="Add the run to benchmarks/history.json, as this release; without a name as the version of corps.",
)
@click.option("--show-history", is_flag=True, help="Measure nothing: show the last runs of the history.")
def main(
    only: str,
    peers: bool | None,
    soak: bool,
    core: bool,
    savina: bool,
    everything: bool,
    missing: bool,
    rounds: int,
    quick: bool,
    source: Path | None,
    target: Path | None,
    earlier: Path | None,
    plot_dir: Path | None,
    keep: bool,
    release: str | None,
    show_history: bool,
) -> None:
    """Measure corps; in the same run what the media themselves cost, and with --peers what others need."""
    if earlier is not None and not earlier.exists():
        raise click.UsageError(f"there is no run {earlier} to compare with: --keep makes the reference")
    console = Console()
    if not console.is_terminal:
        console = Console(width=200)
    if show_history:
        entries = history.read(HISTORY)
        report.show_history(console, history.headings(entries), history.rows(entries))
        return
    if source is None:
        groups = wanted_groups(soak=soak, core=core, savina=savina, everything=everything)
        sections = not_measured(read_json(REFERENCE)) if missing else chosen(only, quick=quick, groups=groups)
        if not sections:
            raise click.UsageError(
                "the reference has measured every target" if missing else f"nothing has {only!r} in its name"
            )
        if keep and any(each not in SECTIONS for each in sections):
            raise click.UsageError("only whole sections can be kept: --only has to name one, without --quick")
        if peers is None:
            peers = core or savina or everything or missing
        run, is_broken = measure(sections, rounds, quick=quick, peers=peers, say=Console(stderr=True))
    else:
        run, is_broken = read_json(source), False
    if run.is_quick and (keep or release is not None):
        raise click.UsageError("a quick run cannot be kept: its figures mean nothing")
    report.show(console, run)
    if earlier is not None:
        report.show_changes(console, compare.changes(read_json(earlier), run), earlier.name)
    if target is not None:
        write_json(target, run)
    if plot_dir is not None:
        plots.draw(plot_dir, run)
    if keep:
        write_json(REFERENCE, run.after(read_json(REFERENCE)).thinned(KEPT_SAMPLES))
        pages.write(read_json(REFERENCE))
    if release is not None:
        name = release or installed_version("corps") or "unknown"
        history.append(HISTORY, history.entry_of(run, name, *history.here_and_now(HISTORY.parent)))
    if is_broken:
        raise SystemExit("a benchmark of corps or of a floor is broken: see what was not measured, and why")


def wanted_groups(*, soak: bool, core: bool, savina: bool, everything: bool) -> Collection[Group]:
    """Which groups of sections the options ask for.

    Args:
        soak: Beside the others, what takes minutes.
        core: Only the core; with `savina` both.
        savina: Only the suite.
        everything: All of them.

    Returns:
        Their names.
    """
    if everything:
        return EVERYTHING
    groups: list[Group] = []
    if core:
        groups.append("core")
    if savina:
        groups.append("savina")
    if not groups:
        groups.extend(USUAL)
    if soak:
        groups.append("soak")
    return groups


if __name__ == "__main__":
    main()
