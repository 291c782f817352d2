"""Quick sort with Pykka."""

import pykka

from benchmarks.savina.quick_sort import parted, unsorted


class Sorter(pykka.ThreadingActor):
    """Sorts."""

    def sort(self, values: list[int], short: int) -> list[int]:
        """Sort by itself, or by others."""
        if len(values) <= short:
            return sorted(values)
        less, equal, more = parted(values)
        low = Sorter.start().proxy().sort(less, short)
        high = Sorter.start().proxy().sort(more, short)
        answer: list[int] = low.get() + equal + high.get()
        return answer


def run(values: int, short: int) -> list[int]:
    """See the description."""
    answer: list[int] = Sorter.start().proxy().sort(unsorted(values), short).get()
    return answer
