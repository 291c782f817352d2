"""The bank with xoscar."""

import asyncio
from typing import Any

import xoscar

from benchmarks.savina.bank_transaction import BEGIN, orders
from benchmarks.savina.xoscar_place import Place


class Account(xoscar.Actor):
    """Has money."""

    def __init__(self) -> None:
        super().__init__()
        self.money = BEGIN

    def receive_money(self, amount: int) -> int:
        """Have more."""
        self.money += amount
        return amount

    async def pay(self, amount: int, payee: Any) -> int:
        """Have less, when the other one has more."""
        paid: int = await payee.receive_money(amount)
        self.money -= paid
        return paid

    def balance(self) -> int:
        """How much there is."""
        return self.money


async def run(place: Place, accounts: int, transfers: int) -> list[int]:
    """See the description."""
    all_of_them = [await place.create(Account) for _ in range(accounts)]
    await asyncio.gather(
        *[
            all_of_them[payer].pay(amount, all_of_them[payee])
            for payer, payee, amount in orders(accounts, transfers)
        ]
    )
    answer: list[int] = await asyncio.gather(*[account.balance() for account in all_of_them])
    return answer
