"""The bank with corps."""

import corps
from benchmarks.savina.bank_transaction import BEGIN, orders


class Account(corps.Conc):
    """Has money."""

    def __init__(self) -> None:
        self.balance = BEGIN

    def receive_money(self, amount: int) -> int:
        """Have more."""
        self.balance += amount
        return amount

    def pay(self, amount: int, payee: "corps.Name[Account]") -> int:
        """Have less, when the other one has more."""
        paid: int = payee.receive_money(amount).ret
        self.balance -= paid
        return paid


def run(accounts: int, transfers: int) -> list[int]:
    """See the description."""
    all_of_them = [corps.create(Account) for _ in range(accounts)]
    corps.gather(
        [
            all_of_them[payer].pay(amount, all_of_them[payee])
            for payer, payee, amount in orders(accounts, transfers)
        ]
    ).result()
    answer: list[int] = corps.gather([account.balance for account in all_of_them]).ret
    return answer
