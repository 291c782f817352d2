"""Several workers of one class: asked all at once, by a key, by a word, or as a pool.

python examples/groups.py
"""

import corps


class Cart(corps.Conc):
    """Keeps what each customer has chosen."""

    def __init__(self) -> None:
        self._chosen: dict[str, list[str]] = {}

    def put(self, customer: str, what: str) -> None:
        self._chosen.setdefault(customer, []).append(what)

    @corps.readonly
    def of(self, customer: str) -> list[str]:
        return self._chosen.get(customer, [])

    @corps.readonly
    def customers(self) -> int:
        return len(self._chosen)

    def clear(self) -> None:
        self._chosen.clear()


class Checker(corps.Conc):
    def is_prime(self, n: int) -> bool:
        return n > 1 and all(n % divisor for divisor in range(2, int(n**0.5) + 1))


class Till(corps.Conc):
    def prime_of(self, numbers: list[int]) -> int:
        checker = corps.find(Checker)  # any of those that the Corps has, and nobody has passed its Name
        return next(n for n in numbers if checker.is_prime(n).ret)


with corps.env() as env:
    group = env.options().replicate(3, Cart)
    carts = group.any_by(key="customer")  # the same customer reaches the same worker
    for customer in ("Anna", "Bert", "Cleo", "Dora"):
        carts.put(customer, "bread").result()
        carts.put(customer, "milk").result()
    print("Anna has", carts.of("Anna").ret)
    print("customers:", sum(group.gather.customers().ret), "in", len(group.names()), "workers")
    group.broadcast.clear()
    print("left:", sum(group.gather.customers().ret))

    pool = corps.pool(4, Checker)  # each worker has one request at a time, the others wait
    numbers = range(10_000, 10_100)
    found = corps.gather(*[pool.submit(Checker.is_prime, n) for n in numbers]).ret
    print("primes:", [n for n, is_prime in zip(numbers, found, strict=True) if is_prime])

    corps.options(where="corps", tag="checkers").replicate(2, Checker)  # found by all, until the Corps ends
    print("the first above 10 000 is", env.create(Till).prime_of(list(numbers)).ret)
