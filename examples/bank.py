"""What a Future raises: errors of the method, deadlines, circles of waits, workers that are gone.

python examples/bank.py
"""

import threading

import corps


class NotEnough(Exception):
    def __init__(self, *, missing: int) -> None:
        super().__init__(f"{missing} are missing")
        self.missing = missing


class Account(corps.Conc):
    def __init__(self, balance: int) -> None:
        self.balance = balance

    def pay(self, amount: int, to: "corps.Name[Account]") -> int:
        if amount > self.balance:
            raise NotEnough(missing=amount - self.balance)
        self.balance -= amount
        to.receive_money(amount).result()  # waits for the other account
        return self.balance

    def receive_money(self, amount: int) -> None:
        self.balance += amount

    def audit(self, seconds: float) -> None:
        threading.Event().wait(seconds)


class Bank(corps.Corps):
    def __init__(self) -> None:
        self.accounts = corps.options(tag="account").create_many(2, Account, 100)

    def open_accounts(self) -> list[corps.Name[Account]]:
        return self.accounts


with corps.boot(Bank, envs=2) as bank:
    anna, bert = bank.open_accounts().ret  # they live in two processes
    print("Anna has", anna.pay(30, to=bert).ret)

    try:
        anna.pay(500, to=bert).result()
    except NotEnough as error:  # the type that the method raised, with what it carried ...
        print("not paid:", error.missing, "are missing;", isinstance(error, corps.RemoteError))  # both

    try:
        anna.pay(10, to=anna).result()  # Anna would wait for Anna
    except corps.DeadlockError as error:
        print("deadlock, executed:", error.executed)

    try:
        bert.options(deadline=0.2).audit(1.0).result()
    except TimeoutError as error:  # corps.DeadlineExceeded is one
        print(type(error).__name__, "- the audit itself goes on")

    bert.exit().result()
    try:
        bert.balance.result()
    except corps.WorkerGone as error:
        print("Bert is gone; executed:", error.executed)
