"""``python -m tests.storm``: storms the built-in load, alone or in the Envs of an application."""

from pathlib import Path

import click

from corps.testing.chaos.command import carry_out, storm_parameters
from corps.testing.chaos.faults import KINDS
from corps.testing.chaos.storm import StormOptions
from tests.storm.built_in import alone, with_load
from tests.storm.load import LoadOptions
from tests.storm.worker_faults import EndWorker, SlowWorker

NO_APPLICATION = "alone"


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@storm_parameters("tests.storm", [*KINDS, EndWorker.name, SlowWorker.name])
@click.option("--rate", type=float, default=50.0, show_default=True, help="Requests/s of each of 4 clients.")
def main(options: StormOptions, report: Path | None, rate: float) -> None:
    """Storm a load whose every step is written down.

    It runs in the Envs of APPLICATION, beside it. If APPLICATION is the word "alone", it runs in a Corps that
    does nothing else.
    """
    if options.source == NO_APPLICATION:
        options = alone(options)
    carry_out(with_load(options, LoadOptions(rate=rate)), report)


if __name__ == "__main__":
    main()
