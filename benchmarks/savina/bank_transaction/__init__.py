"""Accounts, each an actor. A teller orders many transfers; the account that pays waits until the other one
has the money, and then answers. Money goes to accounts of higher numbers only, so no circle can wait for
itself.

It shows requests that are answered with the help of a second actor.
"""

from collections.abc import Iterator
from typing import Final

TITLE: Final = "bank transaction"
FULL: Final = {"accounts": 50, "transfers": 2000}
SMALL: Final = {"accounts": 4, "transfers": 20}
BEGIN: Final = 1000


def orders(accounts: int, transfers: int) -> Iterator[tuple[int, int, int]]:
    """From which account, to which, and how much."""
    for number in range(transfers):
        payer = number * 7919 % (accounts - 1)
        payee = payer + 1 + number * 31 % (accounts - 1 - payer)
        yield payer, payee, 1 + number % 10


def expected(accounts: int, transfers: int) -> list[int]:
    """The balances."""
    balances = [BEGIN] * accounts
    for payer, payee, amount in orders(accounts, transfers):
        balances[payer] -= amount
        balances[payee] += amount
    return balances
