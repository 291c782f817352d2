"""``python -m corps.testing.chaos``: storms an application."""

from typing import Any

from corps.testing.chaos.command import carry_out, storm_command
from corps.testing.chaos.faults import KINDS


def main(**given: Any) -> None:
    """Boot APPLICATION, do harm to it, end it, and judge whether the runtime kept its promises.

    Its workers are asked all the while, and its method run is called with WORDS if it has one. The exit
    status is 0 if every invariant held, 1 if one did not, 2 if the storm could not begin.
    """
    carry_out("corps.testing.chaos", **given)


if __name__ == "__main__":
    storm_command(main, KINDS)()
