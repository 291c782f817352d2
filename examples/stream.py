"""Results one by one: a generator method gives an iterator that pulls from the worker.

python examples/stream.py
"""

from collections.abc import Iterator

import corps


class Numbers(corps.Conc):
    def __init__(self) -> None:
        self.looked_at = 0
        self.is_closed = False

    def primes(self) -> Iterator[int]:
        """Yield all of them. The worker looks at no number before the consumer needs the next prime."""
        found: list[int] = []
        try:
            for candidate in range(2, 10**9):
                self.looked_at += 1
                if all(candidate % prime for prime in found):
                    found.append(candidate)
                    yield candidate
        finally:
            self.is_closed = True


class App(corps.Corps):
    def __init__(self) -> None:
        self.numbers = corps.create(Numbers)

    def source(self) -> corps.Name[Numbers]:
        return self.numbers


with corps.boot(App, envs=1) as app:
    numbers = app.source().ret
    with numbers.primes().ret as primes:  # leaving the block ends the generator early
        for prime in primes:
            if prime > 30:
                break
            print(prime, end=" ")
    print()
    print("numbers looked at:", numbers.looked_at.ret)
    print("the generator has ended:", numbers.is_closed.ret)
