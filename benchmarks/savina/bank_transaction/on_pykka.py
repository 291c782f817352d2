"""The bank with Pykka."""

from typing import Any

import pykka

from benchmarks.savina.bank_transaction import BEGIN, orders


class Account(pykka.ThreadingActor):
    """Has money."""

    def __init__(self) -> None:
        super().__init__()
        self.balance = BEGIN

    def receive_money(self, amount: int) -> int:
        """Have more."""
        self.balance += amount
        return amount

    def pay(self, amount: int, payee: Any) -> int:
        """Have less, when the other one has more."""
        paid: int = payee.receive_money(amount).get()
        self.balance -= paid
        return paid


def run(accounts: int, transfers: int) -> list[int]:
    """See the description."""
    all_of_them = [Account.start().proxy() for _ in range(accounts)]
    pykka.get_all(
        [
            all_of_them[payer].pay(amount, all_of_them[payee])
            for payer, payee, amount in orders(accounts, transfers)
        ]
    )
    return list(pykka.get_all([account.balance for account in all_of_them]))
