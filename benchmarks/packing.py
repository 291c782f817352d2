"""What packing costs: each codec of corps, and the plain pickler, there and back within one thread."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from benchmarks.cases import MIB, PACKING, PAYLOADS, Subject, packing
from benchmarks.timing import Works, each
from benchmarks.works import payload
from corps.packing.codecs import CODEC_TAGS
from corps.packing.packer import Packer


@dataclass
class Order:
    """An object of a class that can be imported."""

    customer: str
    items: list[int]
    paid: bool = False


def _values() -> tuple[Any, ...]:
    return (
        7,
        {"id": 17, "name": "Ada", "scores": (1.5, 2.5), "active": True, "parent": None},
        [number / 7 for number in range(1000)],
        Order("Ada", [1, 2, 3]),
        lambda x: x + 1,
        payload("bytes", MIB),
        payload("array", MIB),
    )


def round_trips(trip: Callable[[Any], Any]) -> Works:
    """The works of packing.

    Args:
        trip: Packs a value and unpacks it again.

    Returns:
        A measure for each payload that it can pack.
    """
    works = {}
    for name, value in zip(PAYLOADS, _values(), strict=True):
        try:
            trip(value)
        except Exception:  # what a codec does not pack, each says in its own way
            continue
        works[packing(name)] = each(partial(trip, value))
    return works


@contextmanager
def _codec(name: str, share: float) -> Iterator[Works]:
    packer = Packer(codec=name)
    yield round_trips(lambda value: packer.unpack(packer.pack(value)))


SUBJECTS: Final = tuple(
    Subject(PACKING, f"codec {name}", "corps", partial(_codec, name)) for name in CODEC_TAGS
)
