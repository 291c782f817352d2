"""The barber with corps."""

from collections import deque

import corps


class Barber(corps.Conc):
    """Cuts."""

    def __init__(self, home: "corps.Name[Home]") -> None:
        self.home = home

    def cut(self, customer: int, room: "corps.Name[Room]") -> None:
        """Cut one, and ask for the next."""
        self.home.served.send()
        room.next.send()


class Room(corps.Conc):
    """Where they wait."""

    def __init__(self, chairs: int, barber: corps.Name[Barber], home: "corps.Name[Home]") -> None:
        self.chairs, self.barber, self.home = chairs, barber, home
        self.waiting: deque[int] = deque()
        self.is_asleep = True

    def enter(self, customer: int) -> None:
        """Have one come in, if there is a chair."""
        if len(self.waiting) == self.chairs:
            self.home.refused.send(customer)
            return
        self.waiting.append(customer)
        if self.is_asleep:
            self.is_asleep = False
            self.next()

    def next(self) -> None:
        """Send the next one to the barber, who sleeps if there is none."""
        if self.waiting:
            self.barber.cut.send(self.waiting.popleft(), self.my_name())
        else:
            self.is_asleep = True


class Home(corps.Conc):
    """Where they come from."""

    def __init__(self, customers: int) -> None:
        self.left = self.customers = customers
        self.credit = 0
        self.refused_ones: deque[int] = deque()
        self.room: corps.Name[Room] | None = None
        self._done: corps.Promise[int] = corps.Promise()

    def send_all(self, room: corps.Name[Room]) -> "corps.Promise[int]":
        """Send all; answer when all were served."""
        self.room = room
        for customer in range(self.customers):
            room.enter.send(customer)
        return self._done

    def refused(self, customer: int) -> None:
        """Keep one for later."""
        self.refused_ones.append(customer)
        self._send_again()

    def served(self) -> None:
        """One chair is free."""
        self.left -= 1
        self.credit += 1
        self._send_again()
        if not self.left:
            self._done.set_result(self.customers)

    def _send_again(self) -> None:
        if self.credit and self.refused_ones and self.room is not None:
            self.credit -= 1
            self.room.enter.send(self.refused_ones.popleft())


def run(customers: int, chairs: int) -> int:
    """See the description."""
    home = corps.create(Home, customers)
    room = corps.create(Room, chairs, corps.create(Barber, home), home)
    answer: int = home.send_all(room).ret
    return answer
