"""What can be typed to storm an application; corps' own storms add to it."""

import os
import shlex
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

import click

from corps.errors import BootError, ConfigError
from corps.testing.chaos.judgement import Limits
from corps.testing.chaos.storm import StormOptions, storm

_POSITIVE: Final = click.FloatRange(min=0, min_open=True)
_DIRECTORY: Final = click.Path(path_type=Path, file_okay=False)


def storm_command(main: Callable[..., None], kinds: Iterable[str], *more: click.Parameter) -> click.Command:
    """Make a command of a function that gives `carry_out` what was typed. `kinds` are all faults."""
    kind = click.Choice(list(kinds))
    option = click.Option
    return click.Command(
        None,
        callback=main,
        help=main.__doc__,
        context_settings={"help_option_names": ["-h", "--help"], "show_default": True},
        params=[
            click.Argument(["source"], metavar="APPLICATION"),
            click.Argument(["words"], nargs=-1),
            option(["--seed"], type=int, help="What chance follows; drawn and printed if not given."),
            option(["--minutes"], type=_POSITIVE, help="How long the storm lasts."),
            option(["--faults"], type=click.IntRange(1), help="How many; 20 if no minutes are given either."),
            option(
                ["--kind", "kinds"],
                multiple=True,
                type=kind,
                help="Only these faults; may be given several times.",
            ),
            option(["--mean-gap"], type=_POSITIVE, default=2.0, help="Seconds between faults, on average."),
            option(["--calm"], type=click.FloatRange(0), default=3.0, help="Seconds before it."),
            option(["--envs"], type=click.IntRange(1, 1024), default=3, help="Env processes."),
            option(["--front", "hit_front"], is_flag=True, help="Hit the Env of the Corps object, too."),
            option(["--allowance"], type=float, default=0.75, help="Seconds for a busy machine."),
            option(["--report"], type=_DIRECTORY, help="Directory for the report."),
            option(["--witness", "directory"], type=_DIRECTORY, help="Keep witness files there."),
            *more,
        ],
    )


def carry_out(
    program: str,
    *,
    seed: int | None,
    minutes: float | None,
    faults: int | None,
    kinds: tuple[str, ...],
    allowance: float,
    report: Path | None,
    change: Callable[[StormOptions], StormOptions] = lambda options: options,
    **same: Any,
) -> None:
    """Storm, print the report, write it to its directory if there is one, and end the process.

    `program` is what follows ``python -m``, and `change` has the last word on the options. Those in `same`
    have the names that `StormOptions` gives them. The exit status is 0 if every invariant held, 1 if one did
    not, 2 if the storm could not begin.
    """
    given = list(sys.argv[1:])
    if seed is None:
        seed = int.from_bytes(os.urandom(4), "little")
        given = ["--seed", str(seed), *given]
    options = StormOptions(
        seed=seed,
        kinds=kinds or None,
        count=20 if faults is None and minutes is None else faults,
        seconds=None if minutes is None else 60 * minutes,
        limits=Limits(allowance=allowance),
        replay=shlex.join(["python", "-m", program, *given]),
        **same,
    )
    click.echo(f"seed {seed}", err=True)
    try:
        done = storm(change(options), lambda text: click.secho(text, err=True, dim=True))
    except (BootError, ConfigError, ValueError) as error:
        raise click.UsageError(str(error)) from error
    click.echo(done.as_markdown(), nl=False)
    if report is not None:
        click.echo(f"written to {done.write(report)}", err=True)
    raise SystemExit(0 if done.is_clean else 1)
