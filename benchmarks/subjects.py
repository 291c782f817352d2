"""Everybody who can be measured: floors first, then corps, then peers."""

from typing import Final

from benchmarks import borders, dirs, floors, logs, ours, packing, parallel, recovery, sizes, timers
from benchmarks.peers import table

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
)
PEERS: Final = table.SUBJECTS
