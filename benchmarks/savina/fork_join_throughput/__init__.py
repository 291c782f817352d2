"""Many actors. One sends each of them many messages, in turn; they do a little with each, and are asked at
the end.

It shows how many messages a system carries when many actors are busy.
"""

from typing import Final

TITLE: Final = "fork-join, throughput"
FULL: Final = {"actors": 30, "messages": 200}
SMALL: Final = {"actors": 3, "messages": 10}


def little(n: int) -> int:
    """What an actor does with a message."""
    return n * n % 7 + 1


def expected(actors: int, messages: int) -> int:
    """What all have come to."""
    return actors * sum(map(little, range(messages)))
