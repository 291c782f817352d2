"""Quick sort with corps."""

import corps
from benchmarks.savina.quick_sort import parted, unsorted


class Sorter(corps.Conc):
    """Sorts."""

    def sort(self, values: list[int], short: int) -> list[int]:
        """Sort by itself, or by others."""
        if len(values) <= short:
            return sorted(values)
        less, equal, more = parted(values)
        low, high = corps.create(Sorter).sort(less, short), corps.create(Sorter).sort(more, short)
        answer: list[int] = low.ret + equal + high.ret
        return answer


def run(values: int, short: int) -> list[int]:
    """See the description."""
    answer: list[int] = corps.create(Sorter).sort(unsorted(values), short).ret
    return answer
