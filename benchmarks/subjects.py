"""Everybody who can be measured: floors first, then corps, then peers."""

from typing import Final

from benchmarks import (
    borders,
    core,
    dirs,
    floors,
    idleness,
    logs,
    loops,
    ours,
    packing,
    parallel,
    recovery,
    sizes,
    timers,
)
from benchmarks.peers import table
from benchmarks.savina import corps_place

WITHOUT_PEERS: Final = (
    *floors.SUBJECTS,
    *ours.SUBJECTS,
    *borders.SUBJECTS,
    *sizes.SUBJECTS,
    *packing.SUBJECTS,
    *recovery.SUBJECTS,
    *dirs.SUBJECTS,
    *timers.SUBJECTS,
    *logs.SUBJECTS,
    *parallel.SUBJECTS,
    *loops.SUBJECTS,
    *idleness.SUBJECTS,
    *core.SUBJECTS,
    *corps_place.SUBJECTS,
)
PEERS: Final = table.SUBJECTS
