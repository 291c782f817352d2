"""``python -m benchmarks``: measures in interleaved rounds, so that a drift of the machine hits all alike."""

from contextlib import ExitStack
from pathlib import Path

import click

from benchmarks import floors, ours
from benchmarks.cases import Case, Measure
from benchmarks.report import show, write_json


def run(cases: list[Case], rounds: int, share: float) -> dict[tuple[str, str], list[list[float]]]:
    """Measure cases, group by group, round by round.

    Args:
        cases: What to measure.
        rounds: How often; one more comes first, and is not counted.
        share: Which part of its operations each case does.

    Returns:
        The samples of each round, by group and name.
    """
    samples: dict[tuple[str, str], list[list[float]]] = {}
    for group in dict.fromkeys(case.group for case in cases):
        with ExitStack() as stack:
            opened: list[tuple[Case, Measure]] = [
                (case, stack.enter_context(case.open())) for case in cases if case.group == group
            ]
            for number in range(rounds + 1):
                for case, measure in opened:
                    measured = measure(max(1, int(case.operations * share)))
                    if number:
                        samples.setdefault((group, case.name), []).append(measured)
    return samples


@click.command()
@click.option("--only", metavar="TEXT", default="", help="Measure the groups whose name contains TEXT.")
@click.option("--rounds", default=7, show_default=True, help="How often each case is measured.")
@click.option("--quick", is_flag=True, help="A few seconds: shows that it works, measures nothing well.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Write every sample to this file.")
def main(only: str, rounds: int, quick: bool, json_path: Path | None) -> None:
    """Measure corps, and in the same run what the media themselves cost."""
    cases = [case for case in [*floors.CASES, *ours.CASES] if only in case.group]
    if not cases:
        raise click.UsageError(f"no group has {only!r} in its name")
    samples = run(cases, 1 if quick else rounds, 0.1 if quick else 1.0)
    show(cases, samples)
    if json_path is not None:
        write_json(json_path, samples)


if __name__ == "__main__":
    main()
