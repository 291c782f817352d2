"""Two actors. Ping asks pong, which counts and answers with its count; ping asks again when it has the
answer.

It shows what one message and its answer cost.
"""

from typing import Final

TITLE: Final = "ping pong"
FULL: Final = {"rounds": 5000}
SMALL: Final = {"rounds": 20}


def expected(rounds: int) -> int:
    """The last count."""
    return rounds
