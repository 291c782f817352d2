"""``python -m corps.testing.chaos``: storms an application, or the built-in load."""

import os
import shlex
import sys
from pathlib import Path

import click
from rich.console import Console

from corps.errors import BootError, ConfigError
from corps.testing.chaos.faults import KINDS
from corps.testing.chaos.judgement import Limits
from corps.testing.chaos.load import LoadOptions
from corps.testing.chaos.storm import StormOptions, storm


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("application", required=False)
@click.argument("words", nargs=-1)
@click.option("--seed", type=int, help="What chance follows; drawn and printed if not given.")
@click.option("--minutes", type=click.FloatRange(min=0, min_open=True), help="How long the storm lasts.")
@click.option("--faults", type=click.IntRange(1), help="How many faults; 20 if no minutes are given either.")
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    type=click.Choice(list(KINDS)),
    help="Only faults of this kind; may be given several times.",
)
@click.option(
    "--mean-gap",
    type=click.FloatRange(min=0, min_open=True),
    default=2.0,
    show_default=True,
    help="Seconds between two faults, on average.",
)
@click.option("--calm", type=click.FloatRange(0), default=3.0, show_default=True, help="Seconds before it.")
@click.option("--envs", type=click.IntRange(1, 1024), default=3, show_default=True, help="Env processes.")
@click.option("--front", is_flag=True, help="Hit the front, the Env of the Corps object, too.")
@click.option("--beside", is_flag=True, help="Run the built-in load in the Envs of APPLICATION too.")
@click.option("--rate", type=float, default=50.0, show_default=True, help="Requests/s of each of 4 clients.")
@click.option("--allowance", type=float, default=0.75, show_default=True, help="Seconds for a busy machine.")
@click.option("--report", type=click.Path(path_type=Path, file_okay=False), help="Directory for the report.")
@click.option("--witness", type=click.Path(path_type=Path, file_okay=False), help="Keep witness files there.")
def main(
    application: str | None,
    words: tuple[str, ...],
    seed: int | None,
    minutes: float | None,
    faults: int | None,
    kinds: tuple[str, ...],
    mean_gap: float,
    calm: float,
    envs: int,
    front: bool,
    beside: bool,
    rate: float,
    allowance: float,
    report: Path | None,
    witness: Path | None,
) -> None:
    """Boot APPLICATION, do harm to it, end it, and judge whether the runtime kept its promises.

    Its workers are asked all the while, and its method run is called with WORDS if it has one. Without
    APPLICATION a load is stormed whose every step is written down. The exit status is 0 if every invariant
    held, 1 if one did not, 2 if it could not begin.
    """
    console = Console(stderr=True, highlight=False)
    if seed is None:
        seed = int.from_bytes(os.urandom(4), "little")
    options = StormOptions(
        seed=seed,
        source=application,
        words=words,
        envs=envs,
        kinds=kinds or tuple(KINDS),
        mean_gap=mean_gap,
        count=20 if faults is None and minutes is None else faults,
        seconds=None if minutes is None else 60 * minutes,
        calm=calm,
        hit_front=front,
        load=LoadOptions(rate=rate) if application is None or beside else None,
        limits=Limits(allowance=allowance),
        config={"log_level": "ERROR"} if application is None else None,
        directory=witness,
        replay=_command(seed),
    )
    console.print(f"seed {options.seed}")
    try:
        done = storm(options, lambda text: console.print(text, style="dim"))
    except (BootError, ConfigError, ValueError) as error:
        raise click.UsageError(str(error)) from error
    click.echo(done.as_markdown(), nl=False)
    if report is not None:
        console.print(f"written to {done.write(report)}")
    raise SystemExit(0 if done.is_clean else 1)


def _command(seed: int) -> str:
    """What was typed, with the seed."""
    given = list(sys.argv[1:])
    if not any(word == "--seed" or word.startswith("--seed=") for word in given):
        given = ["--seed", str(seed), *given]
    return shlex.join(["python", "-m", "corps.testing.chaos", *given])


if __name__ == "__main__":
    main()
