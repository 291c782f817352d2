"""``python -m corps.testing.chaos``: storms an application."""

from pathlib import Path

import click

from corps.testing.chaos.command import carry_out, storm_parameters
from corps.testing.chaos.faults import KINDS
from corps.testing.chaos.storm import StormOptions


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@storm_parameters("corps.testing.chaos", KINDS)
def main(options: StormOptions, report: Path | None) -> None:
    """Boot APPLICATION, do harm to it, end it, and judge whether the runtime kept its promises.

    Its workers are asked all the while, and its method run is called with WORDS if it has one. The exit
    status is 0 if every invariant held, 1 if one did not, 2 if the storm could not begin.
    """
    carry_out(options, report)


if __name__ == "__main__":
    main()
