"""Two Envs without threads and sockets: what one sends lies on the line until the test delivers it."""

from collections import deque
from collections.abc import Callable, Sequence
from threading import RLock
from typing import Any

from corps.addresses import ConcAddr
from corps.errors import BrokenError
from corps.messages.interfaces import Interface
from corps.messages.members import Member
from corps.messages.outcomes import Outcome
from corps.messages.promises import NoAnswer, Promise
from corps.messages.requests import CALL, Kind, Request
from corps.messages.streams import Held
from corps.packing.identities import Identities
from corps.packing.packer import Packer
from corps.peers.members import Peers
from corps.peers.peer import Peer
from corps.runtime.letter_box import DeadLetterBox
from corps.security.audit import Audit
from corps.transport.link import Link, OnBroken, OnMessage, Ready, Transport
from corps.wire.frames import Frame, ProbeHeader

CORPS = "0123456789abcdef"
FIRST = 1 << 16 | 0xFFFF
"""The number of the first request on a way: it has no place in a journal."""


def member(env: int, incarnation: str = "a") -> Member:
    return Member(env, incarnation * 32, f"line://{env}")


class LineLink(Link):
    def __init__(self, outbox: deque[list[bytes]], lanes: list[int | None]) -> None:
        self._outbox = outbox
        self._lanes = lanes
        self.is_closed = False
        self.waits: list[float | None] = []

    def wait_for_room(self, most: int, timeout: float | None) -> None:
        self.waits.append(timeout)

    def send(self, frames: Sequence[Frame], lane: int | None = None) -> None:
        if self.is_closed:
            raise BrokenError("closed")
        self._outbox.append([bytes(frame) for frame in frames])
        self._lanes.append(lane)

    def close(self) -> None:
        self.is_closed = True


class LineTransport(Transport):
    """Leads to one other Env."""

    def __init__(self, max_frame: int | None = None) -> None:
        self.audit = Audit("line")
        self.outbox: deque[list[bytes]] = deque()
        self.lanes: list[int | None] = []
        self.admitted: list[Member] = []
        self.links: list[LineLink] = []
        self.refuses: BrokenError | None = None
        self.on_message: OnMessage | None = None
        self.on_broken: OnBroken | None = None
        self.endpoint = "line://"
        self.max_frame = max_frame

    def start(self, on_message: OnMessage, on_broken: OnBroken) -> None:
        self.on_message = on_message
        self.on_broken = on_broken

    def admit(self, member: Member) -> None:
        self.admitted.append(member)

    def expel(self, member: Member) -> None:
        self.admitted[:] = [each for each in self.admitted if each.incarnation != member.incarnation]

    def connect(self, member: Member) -> Link:
        if self.refuses is not None:
            raise self.refuses
        self.links.append(LineLink(self.outbox, self.lanes))
        return self.links[-1]

    def await_ready(self, timeout: float | None) -> Ready:
        return ()

    def hand_on(self, ready: Ready) -> None:
        pass

    def interrupt(self) -> None:
        pass

    def close(self) -> None:
        for link in self.links:
            link.close()


class HandAlarms:
    """Rings when the test says so."""

    def __init__(self) -> None:
        self.rings: list[Callable[[], object]] = []

    def at(self, due: float, ring: Callable[[], object]) -> None:
        self.rings.append(ring)

    def ring_all(self) -> None:
        rings, self.rings = self.rings, []
        for ring in rings:
            ring()


class Holder:
    """A mailbox: the route of what was delivered."""

    readers = None
    incarnation = 1

    def __init__(self) -> None:
        self.begun: set[int] = set()
        self.withdrawn: list[Request] = []

    def take_back(self, request: Request) -> bool:
        return id(request) not in self.begun

    def relay(self, request: Request, answer: Any) -> None: ...

    def ask_back(self, request: Request) -> None:
        pass

    def is_alive(self, _: Request) -> bool:
        return True

    def help(self, promise: Promise, here: object) -> None:
        pass

    def withdraw(self, request: Request) -> None:
        self.withdrawn.append(request)


class Side:
    """One Env: a `corps.peers.local_side.LocalSide`."""

    readers = None

    def __init__(
        self,
        env: int,
        other: int,
        window: tuple[int, int] = (100, 1_000_000),
        patience: float | None = 0.0,
        max_frame: int | None = None,
        journals: str | None = None,
        incarnation: str = "",
        learns: Member | None = None,
    ) -> None:
        self.corps_id = CORPS
        self.id = env
        self.alarms = HandAlarms()
        self.letters = DeadLetterBox(env, 0, 100)
        self.other = other
        self.holder = Holder()
        self.delivered: list[Request] = []
        self.probes: list[ProbeHeader] = []
        self.forsaken: list[Held] = []
        self.forgotten: list[int] = []
        self.overtaking: frozenset[str] = frozenset()
        self.blocked = 0
        self.is_coroutine = False
        self.is_reading = False
        self.is_loop = False
        self.transport = LineTransport(max_frame)
        self.peers = Peers(
            self,
            self.transport,
            Packer(identities=Identities(RLock())),
            window=window,
            patience=patience,
            journals=journals,
            incarnation=incarnation,
        )
        self.interfaces: dict[int, Interface] = {}  # of the workers that are here
        self.coming: set[int] = set()  # of those that may come back
        self.iterators: list[tuple[ConcAddr, int, bool]] = []  # that have come from other owners
        self.peers.start()
        self.peers.learn(learns or member(other))

    def interface_at(self, number: int) -> Interface | None:
        return self.interfaces.get(number)

    def may_come(self, number: int) -> bool:
        return number in self.coming

    def iterator_at(self, worker: ConcAddr, number: int, *, is_async: bool) -> Any:
        self.iterators.append((worker, number, is_async))
        return self.iterators[-1]

    @property
    def peer(self) -> Peer:
        return self.peers._peers[self.other]

    def deliver(self, request: Request) -> None:
        request.route = self.holder
        self.delivered.append(request)

    def address_abroad(self, addr: ConcAddr) -> ConcAddr:
        return addr

    def overtakes(self, request: Request) -> bool:
        return request.method in self.overtaking

    def interface_of_corps(self) -> None:
        return None

    def crowding(self, _: Request) -> None:
        return None

    def follow_probe(self, request: Request, probe: ProbeHeader) -> None:
        self.probes.append(probe)

    def expect_garbage(self) -> None:
        pass

    def forsake(self, held: Held) -> None:
        self.forsaken.append(held)

    def forget_holder(self, env_id: int) -> None:
        self.forgotten.append(env_id)

    def enter_blocked(self) -> None:
        self.blocked += 1

    def leave_blocked(self) -> None:
        self.blocked -= 1

    def may_wait_for_room(self) -> bool:
        return not (self.is_coroutine or self.is_reading or self.is_loop)

    def is_on_foreign_loop(self) -> bool:
        return self.is_loop

    def receive(self, frames: Sequence[Frame]) -> None:
        """What the reading thread does with a message of the other side."""
        assert self.transport.on_message is not None
        self.is_reading = True
        self.transport.on_message(self.other, frames)
        self.is_reading = False

    def request(
        self, *args: Any, promise: Promise | None = None, kind: Kind = CALL, deadline: float | None = None
    ) -> Request:
        return Request(
            kind,
            ConcAddr(CORPS, self.other, 1),
            "method",
            args,
            {},
            promise if promise is not None else CountedPromise(),
            None,
            deadline,
        )

    def ask(self, *args: Any, **options: Any) -> "CountedPromise":
        request = self.request(*args, **options)
        self.peers.send(request)
        assert isinstance(request.promise, CountedPromise)
        return request.promise

    def tell(self, *args: Any) -> None:
        self.peers.send(self.request(*args, promise=NoAnswer("it")))


class CountedPromise:
    """A promise that counts."""

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []

    def settle(self, outcome: Outcome) -> bool:
        self.outcomes.append(outcome)
        return len(self.outcomes) == 1

    def done(self) -> bool:
        return bool(self.outcomes)

    def error(self) -> BaseException:
        (outcome,) = self.outcomes
        try:
            outcome.unwrap()
        except Exception as error:
            return error
        raise AssertionError("it did not fail")

    def value(self) -> Any:
        (outcome,) = self.outcomes
        return outcome.unwrap()


def pair(**options: Any) -> tuple[Side, Side]:
    return Side(1, 2, **options), Side(2, 1, **options)


def carry(one: Side, other: Side) -> None:
    """Deliver all that lies on the line, in both directions, until there is nothing left."""
    while one.transport.outbox or other.transport.outbox:
        for sender, receiver in ((one, other), (other, one)):
            while sender.transport.outbox:
                receiver.receive(sender.transport.outbox.popleft())
