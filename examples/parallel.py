"""Many items on all cores: a map, a filter, a sum, an executor. A plain script needs no Corps for it."""

import operator

import corps


def collatz(n: int) -> int:
    """How many steps it takes from n to 1."""
    steps = 0
    while n != 1:
        n = n // 2 if n % 2 == 0 else 3 * n + 1
        steps += 1
    return steps


class Parallel(corps.Corps):
    """It has the Envs; all that follows uses them."""


if __name__ == "__main__":
    print("steps:", list(corps.map(collatz, range(1, 11))))

    with corps.boot(Parallel, envs=2):
        longest = max(zip(corps.map(collatz, range(1, 20_000)), range(1, 20_000), strict=True))
        print("longest below 20000:", longest[1], "with", longest[0])
        print("more than 250 steps:", len(list(corps.filter(lambda n: collatz(n) > 250, range(1, 20_000)))))
        print("sum:", corps.reduce(operator.add, range(100_000)))
        for error in corps.map(lambda n: 1 / n, [0], errors="return"):
            print("an error in the place of a result:", error)
        with corps.Executor() as executor:
            print("submitted:", executor.submit(collatz, 27).result())
