"""Quick sort with xoscar."""

import asyncio

import xoscar

from benchmarks.savina.quick_sort import parted, unsorted
from benchmarks.savina.xoscar_place import Place


class Sorter(xoscar.Actor):
    """Sorts."""

    async def sort(self, place: Place, values: list[int], short: int) -> list[int]:
        """Sort by itself, or by others."""
        if len(values) <= short:
            return sorted(values)
        less, equal, more = parted(values)
        low, high = await place.create(Sorter), await place.create(Sorter)
        sorted_low, sorted_high = await asyncio.gather(
            low.sort(place, less, short), high.sort(place, more, short)
        )
        answer: list[int] = sorted_low + equal + sorted_high
        return answer


async def run(place: Place, values: int, short: int) -> list[int]:
    """See the description."""
    answer: list[int] = await (await place.create(Sorter)).sort(place, unsorted(values), short)
    return answer
