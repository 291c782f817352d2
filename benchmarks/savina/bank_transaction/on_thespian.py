"""The bank with Thespian."""

from collections import deque
from typing import Any

from benchmarks.savina.bank_transaction import BEGIN, orders
from benchmarks.savina.thespian_place import Methods, Place


class Account(Methods):
    """Has money. What it is to pay while it waits for another account, it pays afterwards."""

    def __init__(self) -> None:
        super().__init__()
        self.money = BEGIN
        self.orders: deque[tuple[int, Any, Any]] = deque()
        self.is_waiting = False

    def pay(self, teller: Any, amount: int, payee: Any) -> None:
        """Have less, when the other one has more."""
        self.orders.append((amount, payee, teller))
        self._pay_next()

    def receive_money(self, payer: Any, amount: int) -> None:
        """Have more."""
        self.money += amount
        self.send(payer, ("received", amount))

    def received(self, payee: Any, amount: int) -> None:
        """Have less."""
        self.money -= amount
        self.is_waiting = False
        self.send(self.teller, ("paid", amount))
        self._pay_next()

    def balance(self, sender: Any) -> None:
        """How much there is."""
        self.send(sender, self.money)

    def _pay_next(self) -> None:
        if self.orders and not self.is_waiting:
            amount, payee, self.teller = self.orders.popleft()
            self.is_waiting = True
            self.send(payee, ("receive_money", amount))


class Teller(Methods):
    """Orders transfers."""

    def order(self, sender: Any, accounts: list[Any], transfers: int) -> None:
        """Order all."""
        self.asker, self.missing = sender, transfers
        for payer, payee, amount in orders(len(accounts), transfers):
            self.send(accounts[payer], ("pay", amount, accounts[payee]))

    def paid(self, account: Any, amount: int) -> None:
        """Hear of one."""
        self.missing -= 1
        if not self.missing:
            self.send(self.asker, "done")


def run(place: Place, accounts: int, transfers: int) -> list[int]:
    """See the description."""
    all_of_them = [place.create(Account) for _ in range(accounts)]
    place.ask(place.create(Teller), "order", all_of_them, transfers)
    return [place.ask(account, "balance") for account in all_of_them]
