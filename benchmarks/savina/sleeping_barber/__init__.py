"""Customers come to a barber's waiting room all at once. It has few chairs; those who find none go home,
and one of them comes again for each one that was served. The barber cuts one at a time, and then asks the
room for the next.

It shows messages between three actors that depend on each other.
"""

from typing import Final

TITLE: Final = "sleeping barber"
FULL: Final = {"customers": 1000, "chairs": 50}
SMALL: Final = {"customers": 10, "chairs": 2}


def expected(customers: int, chairs: int) -> int:
    """All are served."""
    return customers
