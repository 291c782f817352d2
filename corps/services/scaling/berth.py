"""A worker that has one contained Corps, in the Env that was chosen for it."""

from typing import Any

from corps.addresses import ConcAddr
from corps.messages.endings import Failure
from corps.workers.conc import Conc
from corps.workers.factory import Boots, BootWish
from corps.workers.names import Name


class Berth(Conc):
    """Boots a Corps, and ends with it. It is a child of the pool, and the Mgr of that Corps."""

    def __init__(self, boots: Boots, wish: BootWish) -> None:
        """Boot nothing yet."""
        self._boots = boots
        self._wish = wish
        self._corps: Name[Any]

    async def start(self) -> None:
        """Boot the Corps; what that raises fails the creation of this worker."""
        self._corps = await self._boots(self._wish)
        self._corps_own_cell().family.on_end = self._corps_ended

    def corps(self) -> Name[Any]:
        """Return the Name of the Corps."""
        return self._corps

    def _corps_ended(self, child: ConcAddr, failure: Failure | None) -> None:
        cell = self._corps_own_cell()
        cell.env.exit(cell.addr)
