"""Which peers there are. Nothing of them is imported here."""

import importlib
from contextlib import AbstractContextManager
from functools import partial
from typing import Final

from benchmarks.cases import BETWEEN, BOOT, CORE_ONE, ONE, PARALLEL, SAVINA, Subject
from benchmarks.core import ON
from benchmarks.processors import pinned
from benchmarks.timing import Works

PYKKA: Final = "Pykka"
XOSCAR: Final = "xoscar"
RAY: Final = "Ray"
DASK: Final = "Dask actors"
THESPIAN: Final = {
    "Thespian, TCP": "multiprocTCPBase",
    "Thespian, queue": "multiprocQueueBase",
    "Thespian, UDP": "multiprocUDPBase",
}
RPYC: Final = "RPyC"
PYRO: Final = "Pyro5"
MANAGER: Final = "multiprocessing.Manager"
POOL: Final = "ProcessPoolExecutor"
POOL_CHUNKS: Final = {f"{POOL}, chunksize={size}": size for size in (1, 500, 2_000, 10_000, 50_000)}
LOKY: Final = "loky"
PIPE: Final = "multiprocessing.Pipe"
XOSCAR_TWO: Final = "xoscar, two processes"
THESPIAN_ONE: Final = "Thespian, one thread"


def _open(file: str, function: str, share: float, **options: int) -> AbstractContextManager[Works]:
    """Import a peer, in the process that measures it, and open it."""
    module = importlib.import_module(f"benchmarks.{file}")
    opened: AbstractContextManager[Works] = getattr(module, function)(share, **options)
    return opened


def _peer(
    section: str, name: str, file: str, function: str, package: str = "", *, is_alone: bool = False
) -> Subject:
    opening = partial(_open, f"peers.{file}", function)
    return Subject(section, name, "peer", opening, package=package, is_alone=is_alone)


def _pinned(
    section: str, name: str, file: str, function: str, package: str = "", *, is_alone: bool = False
) -> Subject:
    """A peer between processes, on as many processors as the section says."""
    opening = partial(pinned, ON[section], partial(_open, f"peers.{file}", function))
    return Subject(section, name, "peer", opening, package=package, is_alone=is_alone)


def _savina(name: str, file: str, function: str, package: str) -> Subject:
    return Subject(SAVINA, name, "peer", partial(_open, f"savina.{file}", function), package=package)


SUBJECTS: Final = (
    _peer(ONE, PYKKA, "pykka", "in_one_process", "pykka"),
    _peer(ONE, XOSCAR, "xoscar", "in_one_process", "xoscar"),
    _peer(BETWEEN, XOSCAR, "xoscar", "between_processes", "xoscar"),
    _peer(BETWEEN, RPYC, "rpyc", "between_processes", "rpyc"),
    _peer(BETWEEN, PYRO, "pyro", "between_processes", "Pyro5"),
    _peer(BETWEEN, MANAGER, "standard", "manager"),
    _peer(BETWEEN, POOL, "standard", "pool"),
    *(
        Subject(
            BETWEEN,
            name,
            "peer",
            partial(_open, "peers.thespian", f"over_{base}"),
            package="thespian",
            is_alone=True,
        )
        for name, base in THESPIAN.items()
    ),
    _peer(BETWEEN, DASK, "dask", "between_processes", "distributed", is_alone=True),
    _peer(BETWEEN, RAY, "ray", "between_processes", "ray", is_alone=True),
    *(
        Subject(PARALLEL, name, "peer", partial(_open, "peers.standard", "parallel", size=size))
        for name, size in POOL_CHUNKS.items()
    ),
    _peer(PARALLEL, LOKY, "loky", "tasks", "joblib"),
    _peer(BOOT, XOSCAR, "xoscar", "boot", "xoscar"),
    _peer(BOOT, POOL, "standard", "boot_of_pools"),
    _peer(BOOT, DASK, "dask", "boot", "distributed", is_alone=True),
    _peer(BOOT, RAY, "ray", "boot", "ray", is_alone=True),
    _peer(CORE_ONE, PYKKA, "pykka", "between_actors", "pykka"),
    _peer(CORE_ONE, XOSCAR, "xoscar", "between_actors", "xoscar"),
    *(
        subject
        for section in ON
        for subject in (
            _pinned(section, MANAGER, "standard", "manager"),
            _pinned(section, PIPE, "standard", "pipe"),
            _pinned(section, XOSCAR, "xoscar", "between_processes", "xoscar"),
            _pinned(section, RAY, "ray", "between_processes", "ray", is_alone=True),
        )
    ),
    _savina(PYKKA, "pykka_place", "in_one_process", "pykka"),
    _savina(XOSCAR, "xoscar_place", "in_one_process", "xoscar"),
    _savina(XOSCAR_TWO, "xoscar_place", "over_two_processes", "xoscar"),
    _savina(THESPIAN_ONE, "thespian_place", "in_one_process", "thespian"),
)

PACKAGES: Final = sorted({subject.package for subject in SUBJECTS if subject.package})
