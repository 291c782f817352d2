"""What an Env of another Corps asks of this one: within its share, in a fair order, with signs of life."""

from collections.abc import Sequence
from functools import partial
from typing import Any, Final, cast

from corps.addresses import BORDER
from corps.clock import now
from corps.errors import Overloaded
from corps.messages.outcomes import Outcome, Refused
from corps.messages.promises import Promise
from corps.messages.requests import DROP, WATCH, Request
from corps.peers.answering import Answering, Opening
from corps.peers.reception import Place, Reception
from corps.wire.fair_share import LEAST, Share
from corps.wire.frames import (
    CancelHeader,
    Frame,
    RequestHeader,
    SharedHeader,
    ShareHeader,
    WorkingHeader,
    frame_of,
)

_AT_ONCE: Final = frozenset({DROP, WATCH})  # kinds of requests that wait for nobody, and take no share

_NEARLY: Final = 0.9  # of the pause between two signs, after which a request is one that takes long


class FairAnswering(Answering):
    """The requests of one client of another Corps. Thread-safe, but for `on_*`: the thread that reads."""

    weight = 1  # see `Client.weight`; replaced as a whole

    _reception: Reception
    _pause: float

    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self._hand_over = self._admit
        self._returns.resize(*LEAST)
        # By its number, or by its promise if it has none. Each step on it is atomic.
        self._places: dict[int | Promise, Place] = {}
        self._gives_signs = False  # protected by the lock of the base

    def serve(self, reception: Reception, pause: float) -> None:
        """Take its requests by way of a reception, and give a sign at each pause. Before its first one."""
        self._reception, self._pause = reception, pause
        reception.join(self)

    def _admit(self, request: Request) -> None:
        """Hand a request to its worker when it is its turn. In the thread that reads."""
        opening = cast("Opening", request.packed)
        header, frames = opening.header, opening.frames
        if header.number and not self._gives_signs:
            self._give_signs()
        if request.kind in _AT_ONCE or header.conc == BORDER:
            self._env.deliver(request)
            return
        place = Place(self._reception, self, request, sum(map(len, frames)) - len(frames[0]))
        key: int | Promise = header.number or request.promise
        request.packed = partial(self._begin, header, frames, place)
        self._places[key] = place
        try:
            if self._reception.take(place):
                return
        except Overloaded as error:
            self._places.pop(key, None)
            error.target = str(request.target)
            request.settle(Refused(error))
            return
        self._places.pop(key, None)
        self._env.deliver(request)  # it was lost at this very moment

    def _begin(self, header: RequestHeader, frames: Sequence[Frame], place: Place) -> tuple[object, ...]:
        """Begin a request as `_open`: another one may take its place in the mailbox."""
        self._reception.began(place)
        return self.open(header, frames)

    def answer(self, number: int, outcome: Outcome) -> None:
        """See `Answering.answer`. The share is free before the client hears of it, which may send at once."""
        self._over(number)
        super().answer(number, outcome)

    def give_credit(self, size: int, promise: Promise | None = None) -> None:
        """See `Answering.give_credit`."""
        if promise is not None:
            self._over(promise)
        super().give_credit(size)

    def _over(self, key: int | Promise) -> None:
        place = self._places.pop(key, None)
        if place is not None:
            self._reception.over(place)

    def cancelled_late(self, request: Request) -> None:
        """See `Client.cancelled_late`."""
        if request.is_given_up:
            if request.route is not None:
                request.route.withdraw(request)
            return
        with self._lock:
            number = next((number for number, each in self._incoming.items() if each is request), 0)
        self.on_cancel(CancelHeader(number, only_if_waiting=1))

    def say_share(self, share: Share) -> None:
        """See `Client.say_share`."""
        with self._lock:
            self._returns.resize(*share.room)
        self._way.transmit([frame_of(ShareHeader(share.serial, *share.room))])

    def on_shared(self, header: SharedHeader, _: Sequence[Frame] = ()) -> None:
        """Note that the client keeps to a share. Raise WireError if no such one was said."""
        self._reception.confirm(self, header.serial)

    def lose(self) -> None:
        """See `Answering.lose`. What wants no answer is still done."""
        super().lose()
        gone = [key for key in list(self._places) if isinstance(key, int)]
        for key in gone:  # before any of them makes room for the next one
            if (place := self._places.get(key)) is not None:
                self._reception.take_back(place)
        for key in gone:
            self._over(key)
        self._reception.leave(self)

    def _give_signs(self) -> None:
        """Say at each pause from now on that this Env lives, as long as requests are under way."""
        with self._lock:
            if self._gives_signs:
                return
            self._gives_signs = True
        self._env.alarms.at(now() + self._pause, self._sign)

    def _sign(self) -> None:
        with self._lock:
            oldest = next(iter(self._incoming.values()), None)
            self._gives_signs = oldest is not None and not self._is_lost
        if oldest is None or not self._gives_signs:
            return
        if now() - oldest.came >= _NEARLY * self._pause:
            self._way.transmit([frame_of(WorkingHeader(max(1, round(1000 * self._pause))))])
        self._env.alarms.at(now() + self._pause, self._sign)
