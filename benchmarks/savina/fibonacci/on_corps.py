"""Fibonacci with corps."""

import corps


class Number(corps.Conc):
    """One of the numbers."""

    def compute(self, n: int) -> int:
        """Add up those below."""
        if n < 2:
            return n
        one, other = corps.create(Number).compute(n - 1), corps.create(Number).compute(n - 2)
        answer: int = one.ret + other.ret
        return answer


def run(n: int) -> int:
    """See the description."""
    answer: int = corps.create(Number).compute(n).ret
    return answer
