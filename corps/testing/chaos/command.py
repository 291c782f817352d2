"""What can be typed to storm an application; corps' own storms add to it."""

import os
import shlex
import sys
from collections.abc import Callable, Iterable
from functools import wraps
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Console

from corps.errors import BootError, ConfigError
from corps.testing.chaos.judgement import Limits
from corps.testing.chaos.storm import StormOptions, storm

_POSITIVE: Final = click.FloatRange(min=0, min_open=True)
_DIRECTORY: Final = click.Path(path_type=Path, file_okay=False)
_Function = Callable[..., None]


def storm_parameters(program: str, kinds: Iterable[str]) -> Callable[[_Function], _Function]:
    """Make a function a command that takes what every storm can be given.

    The function gets the options of the storm and the directory for the report, and by keyword what other
    parameters it declares. What follows ``python -m`` is `program`, and `kinds` are the faults that may be
    chosen.
    """
    decorators = (
        click.argument("application"),
        click.argument("words", nargs=-1),
        click.option("--seed", type=int, help="What chance follows; drawn and printed if not given."),
        click.option("--minutes", type=_POSITIVE, help="How long the storm lasts."),
        click.option(
            "--faults", type=click.IntRange(1), help="How many faults; 20 if no minutes are given either."
        ),
        click.option(
            "--kind",
            "kinds",
            multiple=True,
            type=click.Choice(list(kinds)),
            help="Only faults of this kind; may be given several times.",
        ),
        click.option(
            "--mean-gap",
            type=_POSITIVE,
            default=2.0,
            show_default=True,
            help="Seconds between two faults, on average.",
        ),
        click.option(
            "--calm", type=click.FloatRange(0), default=3.0, show_default=True, help="Seconds before it."
        ),
        click.option(
            "--envs", type=click.IntRange(1, 1024), default=3, show_default=True, help="Env processes."
        ),
        click.option("--front", is_flag=True, help="Hit the front, the Env of the Corps object, too."),
        click.option(
            "--allowance", type=float, default=0.75, show_default=True, help="Seconds for a busy machine."
        ),
        click.option("--report", type=_DIRECTORY, help="Directory for the report."),
        click.option("--witness", type=_DIRECTORY, help="Keep witness files there."),
    )

    def decorate(function: _Function) -> _Function:
        @wraps(function)
        def command(
            application: str,
            words: tuple[str, ...],
            seed: int | None,
            minutes: float | None,
            faults: int | None,
            kinds: tuple[str, ...],
            mean_gap: float,
            calm: float,
            envs: int,
            front: bool,
            allowance: float,
            report: Path | None,
            witness: Path | None,
            **more: Any,
        ) -> None:
            if seed is None:
                seed = int.from_bytes(os.urandom(4), "little")
            options = StormOptions(
                seed=seed,
                source=application,
                words=words,
                envs=envs,
                kinds=kinds or None,
                mean_gap=mean_gap,
                count=20 if faults is None and minutes is None else faults,
                seconds=None if minutes is None else 60 * minutes,
                calm=calm,
                hit_front=front,
                limits=Limits(allowance=allowance),
                directory=witness,
                replay=_typed(program, seed),
            )
            function(options, report, **more)

        result: _Function = command
        for decorator in reversed(decorators):
            result = decorator(result)
        return result

    return decorate


def carry_out(options: StormOptions, report: Path | None) -> None:
    """Storm, print the report, write it to its directory if there is one, and end the process.

    Raises:
        SystemExit: 0 if every invariant held, 1 if one did not.
        UsageError: The storm could not begin.
    """
    console = Console(stderr=True, highlight=False)
    console.print(f"seed {options.seed}")
    try:
        done = storm(options, lambda text: console.print(text, style="dim"))
    except (BootError, ConfigError, ValueError) as error:
        raise click.UsageError(str(error)) from error
    click.echo(done.as_markdown(), nl=False)
    if report is not None:
        console.print(f"written to {done.write(report)}")
    raise SystemExit(0 if done.is_clean else 1)


def _typed(program: str, seed: int) -> str:
    """Return what was typed, with the seed."""
    given = list(sys.argv[1:])
    if not any(word == "--seed" or word.startswith("--seed=") for word in given):
        given = ["--seed", str(seed), *given]
    return shlex.join(["python", "-m", program, *given])
