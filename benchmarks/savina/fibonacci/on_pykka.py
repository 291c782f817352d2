"""Fibonacci with Pykka."""

import pykka


class Number(pykka.ThreadingActor):
    """One of the numbers."""

    def compute(self, n: int) -> int:
        """Add up those below."""
        if n < 2:
            return n
        one, other = Number.start().proxy().compute(n - 1), Number.start().proxy().compute(n - 2)
        answer: int = one.get() + other.get()
        return answer


def run(n: int) -> int:
    """See the description."""
    answer: int = Number.start().proxy().compute(n).get()
    return answer
