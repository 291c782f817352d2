"""The barber with xoscar."""

from collections import deque
from typing import Any

import xoscar

from benchmarks.savina.xoscar_place import Latch, Place


class Barber(xoscar.Actor):
    """Cuts."""

    def __init__(self, home: Any) -> None:
        super().__init__()
        self.home = home

    async def cut(self, customer: int, room: Any) -> None:
        """Cut one, and ask for the next."""
        await self.home.served.tell()
        await room.next.tell()


class Room(xoscar.Actor):
    """Where they wait."""

    def __init__(self, chairs: int, barber: Any, home: Any) -> None:
        super().__init__()
        self.chairs, self.barber, self.home = chairs, barber, home
        self.waiting: deque[int] = deque()
        self.is_asleep = True

    async def enter(self, customer: int) -> None:
        """Have one come in, if there is a chair."""
        if len(self.waiting) == self.chairs:
            await self.home.refused.tell(customer)
            return
        self.waiting.append(customer)
        if self.is_asleep:
            self.is_asleep = False
            await self.next()

    async def next(self) -> None:
        """Send the next one to the barber, who sleeps if there is none."""
        if self.waiting:
            await self.barber.cut.tell(self.waiting.popleft(), self.ref())
        else:
            self.is_asleep = True


class Home(xoscar.Actor):
    """Where they come from."""

    def __init__(self, customers: int, done: Any) -> None:
        super().__init__()
        self.left = self.customers = customers
        self.credit = 0
        self.refused_ones: deque[int] = deque()
        self.room: Any = None
        self.done = done

    async def send_all(self, room: Any) -> None:
        """Send all."""
        self.room = room
        for customer in range(self.customers):
            await room.enter.tell(customer)

    async def refused(self, customer: int) -> None:
        """Keep one for later."""
        self.refused_ones.append(customer)
        await self._send_again()

    async def served(self) -> None:
        """One chair is free."""
        self.left -= 1
        self.credit += 1
        await self._send_again()
        if not self.left:
            await self.done.open.tell(self.customers)

    async def _send_again(self) -> None:
        if self.credit and self.refused_ones:
            self.credit -= 1
            await self.room.enter.tell(self.refused_ones.popleft())


async def run(place: Place, customers: int, chairs: int) -> int:
    """See the description."""
    done = await place.create(Latch)
    home = await place.create(Home, customers, done)
    room = await place.create(Room, chairs, await place.create(Barber, home), home)
    await home.send_all.tell(room)
    answer: int = await done.wait()
    return answer
