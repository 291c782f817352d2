"""``python -m tests.storm``: storms the built-in load, alone or in the Envs of an application."""

from typing import Any

import click

from corps.testing.chaos.command import carry_out, storm_command
from corps.testing.chaos.faults import KINDS
from corps.testing.chaos.storm import StormOptions
from tests.storm.border import over_a_border
from tests.storm.built_in import alone, with_load
from tests.storm.cuts import own_ring, with_cuts
from tests.storm.load import LoadOptions
from tests.storm.worker_faults import worker_faults

NO_APPLICATION = "alone"
TWO_CORPS = "border"
CUT_CORPS = "cuts"


def main(rate: float, **given: Any) -> None:
    """Storm a load whose every step is written down.

    It runs in the Envs of APPLICATION, beside it. If APPLICATION is the word "alone", it runs in a Corps that
    does nothing else; with the word "border", in two of them, whose workers ask each other; and with the word
    "cuts", in two that are connected over tcp: there all connections are cut, and no request may fail.
    """

    def built_in(options: StormOptions) -> StormOptions:
        if options.source == TWO_CORPS:
            return over_a_border(options, LoadOptions(rate=rate))
        if options.source == CUT_CORPS:
            return with_cuts(options, LoadOptions(rate=rate))
        chosen = alone(options) if options.source == NO_APPLICATION else options
        return with_load(chosen, LoadOptions(rate=rate))

    with own_ring():
        carry_out("tests.storm", change=built_in, **given)


if __name__ == "__main__":
    rate = click.Option(["--rate"], type=float, default=50.0, help="Requests/s of each of 4 clients.")
    storm_command(main, [*KINDS, *worker_faults([]), "cut"], rate)()
