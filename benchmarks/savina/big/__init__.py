"""Many actors that all know each other. Each sends a ping to another one, in no regular order, and the next
when the pong is there, until it has sent all of its own.

It shows what many mailboxes stand to which many send.
"""

from typing import Final

TITLE: Final = "big"
FULL: Final = {"actors": 20, "messages": 200}
SMALL: Final = {"actors": 4, "messages": 5}


def partner(own: int, number: int, actors: int) -> int:
    """To whom an actor sends its ping of that number; never to itself."""
    return (own + 1 + (own * 104_729 + number * 7_919) // 13 % (actors - 1)) % actors


def expected(actors: int, messages: int) -> int:
    """All pongs."""
    return actors * messages
