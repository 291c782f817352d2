"""Two actors. A producer sends a counter many messages, without waiting, and then asks it for its count.

It shows what a message costs that nobody waits for.
"""

from typing import Final

TITLE: Final = "counting"
FULL: Final = {"messages": 10_000}
SMALL: Final = {"messages": 50}


def expected(messages: int) -> int:
    """The count."""
    return messages
