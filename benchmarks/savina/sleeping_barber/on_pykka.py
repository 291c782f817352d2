"""The barber with Pykka."""

from collections import deque
from typing import Any

import pykka


class Barber(pykka.ThreadingActor):
    """Cuts."""

    def __init__(self, home: Any) -> None:
        super().__init__()
        self.home = home

    def cut(self, customer: int, room: Any) -> None:
        """Cut one, and ask for the next."""
        self.home.served.defer()
        room.next.defer()


class Room(pykka.ThreadingActor):
    """Where they wait."""

    def __init__(self, chairs: int, barber: Any, home: Any) -> None:
        super().__init__()
        self.chairs, self.barber, self.home = chairs, barber, home
        self._waiting: deque[int] = deque()
        self.is_asleep = True

    def on_start(self) -> None:
        """Keep a proxy of oneself: making one takes long."""
        self._own = self.actor_ref.proxy()

    def enter(self, customer: int) -> None:
        """Have one come in, if there is a chair."""
        if len(self._waiting) == self.chairs:
            self.home.refused.defer(customer)
            return
        self._waiting.append(customer)
        if self.is_asleep:
            self.is_asleep = False
            self.next()

    def next(self) -> None:
        """Send the next one to the barber, who sleeps if there is none."""
        if self._waiting:
            self.barber.cut.defer(self._waiting.popleft(), self._own)
        else:
            self.is_asleep = True


class Home(pykka.ThreadingActor):
    """Where they come from."""

    def __init__(self, customers: int, done: Any) -> None:
        super().__init__()
        self.left = self.customers = customers
        self.credit = 0
        self._refused: deque[int] = deque()
        self._room: Any = None
        self._done = done

    def send_all(self, room: Any) -> None:
        """Send all."""
        self._room = room
        for customer in range(self.customers):
            room.enter.defer(customer)

    def refused(self, customer: int) -> None:
        """Keep one for later."""
        self._refused.append(customer)
        self._send_again()

    def served(self) -> None:
        """One chair is free."""
        self.left -= 1
        self.credit += 1
        self._send_again()
        if not self.left:
            self._done.set(self.customers)

    def _send_again(self) -> None:
        if self.credit and self._refused:
            self.credit -= 1
            self._room.enter.defer(self._refused.popleft())


def run(customers: int, chairs: int) -> int:
    """See the description."""
    done = pykka.ThreadingFuture()
    home = Home.start(customers, done).proxy()
    room = Room.start(chairs, Barber.start(home).proxy(), home).proxy()
    home.send_all.defer(room)
    answer: int = done.get()
    return answer
