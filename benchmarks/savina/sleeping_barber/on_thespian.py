"""The barber with Thespian."""

from collections import deque
from typing import Any

from benchmarks.savina.thespian_place import Methods, Place


class Barber(Methods):
    """Cuts."""

    def cut(self, room: Any, customer: int, home: Any) -> None:
        """Cut one, and ask for the next."""
        self.send(home, ("served",))
        self.send(room, ("next",))


class Room(Methods):
    """Where they wait."""

    def open(self, sender: Any, chairs: int, barber: Any, home: Any) -> None:
        """Have so many chairs."""
        self.chairs, self.barber, self.home = chairs, barber, home
        self.waiting: deque[int] = deque()
        self.is_asleep = True

    def enter(self, home: Any, customer: int) -> None:
        """Have one come in, if there is a chair."""
        if len(self.waiting) == self.chairs:
            self.send(home, ("refused", customer))
            return
        self.waiting.append(customer)
        if self.is_asleep:
            self.is_asleep = False
            self.next(home)

    def next(self, sender: Any) -> None:
        """Send the next one to the barber, who sleeps if there is none."""
        if self.waiting:
            self.send(self.barber, ("cut", self.waiting.popleft(), self.home))
        else:
            self.is_asleep = True


class Home(Methods):
    """Where they come from."""

    def send_all(self, sender: Any, room: Any, customers: int) -> None:
        """Send all."""
        self.asker, self.room, self.customers = sender, room, customers
        self.left, self.credit = customers, 0
        self.refused_ones: deque[int] = deque()
        for customer in range(customers):
            self.send(room, ("enter", customer))

    def refused(self, room: Any, customer: int) -> None:
        """Keep one for later."""
        self.refused_ones.append(customer)
        self._send_again()

    def served(self, barber: Any) -> None:
        """One chair is free."""
        self.left -= 1
        self.credit += 1
        self._send_again()
        if not self.left:
            self.send(self.asker, self.customers)

    def _send_again(self) -> None:
        if self.credit and self.refused_ones:
            self.credit -= 1
            self.send(self.room, ("enter", self.refused_ones.popleft()))


def run(place: Place, customers: int, chairs: int) -> Any:
    """See the description."""
    home, room = place.create(Home), place.create(Room)
    place.tell(room, "open", chairs, place.create(Barber), home)
    return place.ask(home, "send_all", room, customers)
