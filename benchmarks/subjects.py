"""Everybody who can be measured: floors first, then corps, then peers."""

from typing import Final

from benchmarks import dirs, floors, ours, packing, recovery, sizes
from benchmarks.peers import table

WITHOUT_PEERS: Final = (
    *floors.SUBJECTS,
    *ours.SUBJECTS,
    *sizes.SUBJECTS,
    *packing.SUBJECTS,
    *recovery.SUBJECTS,
    *dirs.SUBJECTS,
)
PEERS: Final = table.SUBJECTS
