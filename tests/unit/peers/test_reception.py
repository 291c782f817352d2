"""Claims about requests of other Corps on their way to their workers: each client has its turn."""

from threading import Thread

import pytest

from corps.addresses import ConcAddr
from corps.errors import Overloaded
from corps.messages.promises import Promise
from corps.messages.requests import CALL, EXIT, Kind, Request
from corps.peers.reception import Place, Reception
from corps.wire.fair_share import LEAST, Room, Share
from tests.unit.transport.sides import CORPS, CountedPromise, Side


class Client:
    """A client that hears what is said to it."""

    def __init__(self, weight: int = 1) -> None:
        self.weight = weight
        self.shares: list[Share] = []
        self.cancelled: list[Request] = []

    def say_share(self, share: Share) -> None:
        self.shares.append(share)

    def cancelled_late(self, request: Request) -> None:
        self.cancelled.append(request)


class Desk:
    """A reception with the Env behind it."""

    def __init__(self, requests: int = 1000, size: int = 1_000_000) -> None:
        room = Room(requests, size)
        self.side = Side(1, 3)
        self.reception = Reception(self.side, room, room)
        self.places: dict[Request, Place] = {}

    def client(self, weight: int = 1) -> Client:
        client = Client(weight)
        self.reception.join(client)
        return client

    def send(self, client: Client, method: str, conc: int = 7, kind: Kind = CALL, size: int = 0) -> Place:
        promise: Promise = CountedPromise()
        request = Request(kind, ConcAddr(CORPS, 1, conc), method, (), {}, promise)
        request.came = 0.0
        place = Place(self.reception, client, request, size)
        self.places[request] = place
        self.reception.take(place)
        return place

    def there(self) -> list[str]:
        """Return what has come to the mailboxes, in order."""
        return [request.method for request in self.side.delivered]


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_few_requests_lie_in_the_mailbox_and_the_next_one_follows_when_one_begins(desk: Desk) -> None:
    client = desk.client()
    places = [desk.send(client, str(number)) for number in range(5)]
    assert desk.there() == ["0", "1"]
    desk.reception.began(places[0])
    assert desk.there() == ["0", "1", "2"]
    desk.reception.over(places[0])
    assert desk.there() == ["0", "1", "2"]  # it had begun
    desk.reception.over(places[1])  # without having begun: it has failed, say
    assert desk.there() == ["0", "1", "2", "3"]


def test_a_client_that_has_sent_many_holds_up_no_other(desk: Desk) -> None:
    greedy, other = desk.client(), desk.client()
    places = [desk.send(greedy, f"greedy {number}") for number in range(50)]
    desk.send(other, "other")
    desk.reception.began(places[0])
    desk.reception.began(places[1])
    assert "other" in desk.there()


def test_a_client_of_more_weight_is_served_more_often(desk: Desk) -> None:
    heavy, light = desk.client(4), desk.client()
    places = [desk.send(heavy, "heavy") for _ in range(42)] + [desk.send(light, "light") for _ in range(40)]
    assert len(places) == 82
    for served in range(50):
        desk.reception.began(desk.places[desk.side.delivered[served]])
    assert desk.there()[2:].count("heavy") == 40
    assert desk.there()[2:].count("light") == 10


def test_a_worker_that_is_slow_holds_up_no_other_worker(desk: Desk) -> None:
    client = desk.client()
    for number in range(5):
        desk.send(client, str(number))
    desk.send(client, "for another worker", conc=8)
    assert desk.there()[-1] == "for another worker"


def test_what_overtakes_inside_its_worker_does_not_wait_for_the_others(desk: Desk) -> None:
    desk.side.overtaking = frozenset({"release"})
    client = desk.client()
    for number in range(5):
        desk.send(client, str(number))
    desk.send(client, "release")
    assert desk.there()[-1] == "release"


def test_a_request_that_waits_is_taken_back_and_never_comes_to_its_worker(desk: Desk) -> None:
    client = desk.client()
    places = [desk.send(client, str(number)) for number in range(4)]
    request = places[2].request
    assert request.route is places[2]
    assert places[2].take_back(request)
    desk.reception.over(places[2])
    desk.reception.began(places[0])
    assert desk.there() == ["0", "1", "3"]
    assert not places[3].take_back(places[3].request)


def test_a_request_that_is_cancelled_while_it_is_handed_on_is_cancelled_once_more(desk: Desk) -> None:
    client = desk.client()
    deliver = desk.side.deliver

    def cancelled_meanwhile(request: Request) -> None:
        place = desk.places[request]
        assert not place.take_back(request)
        deliver(request)

    desk.side.deliver = cancelled_meanwhile  # type: ignore[method-assign]
    places = [desk.send(client, str(number)) for number in range(3)]
    assert client.cancelled == []  # the thread that reads has delivered them itself, and takes what cancels
    desk.reception.began(places[0])
    assert client.cancelled == [places[2].request]


def test_the_end_of_a_worker_keeps_its_order_and_holds_up_nothing(desk: Desk) -> None:
    client = desk.client()
    places = [desk.send(client, str(number)) for number in range(3)]
    desk.send(client, "exit", kind=EXIT)
    for number in range(3):
        desk.send(client, f"after {number}")
    desk.reception.began(places[0])
    desk.reception.began(places[1])
    desk.reception.began(places[2])
    assert desk.there() == ["0", "1", "2", "exit", "after 0", "after 1"]


def test_a_worker_that_answers_at_once_is_sent_everything_in_order(desk: Desk) -> None:
    client = desk.client()
    deliver = desk.side.deliver

    def answered(request: Request) -> None:
        place = desk.places[request]
        deliver(request)
        desk.reception.over(place)

    places = [desk.send(client, str(number)) for number in range(500)]
    desk.side.deliver = answered  # type: ignore[method-assign]
    for first in places[:2]:
        desk.reception.over(first)
    for number in range(500, 1000):
        desk.send(client, str(number))
    assert desk.there() == [str(number) for number in range(1000)]
    assert desk.reception.statistics()["waiting"] == 0


def test_a_delivery_that_fails_settles_its_request_and_the_next_one_comes(desk: Desk) -> None:
    client = desk.client()
    deliver = desk.side.deliver

    def fails(request: Request) -> None:
        if request.method == "bad":
            raise RuntimeError("planted")
        deliver(request)

    desk.side.deliver = fails  # type: ignore[method-assign]
    bad = desk.send(client, "bad")
    desk.reception.over(bad)
    desk.send(client, "good")
    assert isinstance(bad.request.promise, CountedPromise)
    assert bad.request.promise.done()
    assert desk.there() == ["good"]


def test_a_client_hears_its_share_and_loses_it_when_it_needs_it_no_more(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = desk.client()
    places = [desk.send(client, str(number)) for number in range(6)]
    assert client.shares == [Share(1, Room(1000, 1_000_000))]
    desk.reception.confirm(client, 1)
    for place in places:
        desk.reception.over(place)
    monkeypatch.setattr("corps.peers.reception.now", lambda: 1e12)
    desk.side.alarms.ring_all()
    assert client.shares[1:] == [Share(2, LEAST)]
    assert desk.side.alarms.rings == []  # nobody is busy any more


def test_a_client_over_its_share_is_refused_when_the_room_is_full() -> None:
    desk = Desk(10, 1000)
    client = desk.client()
    for number in range(10):
        desk.send(client, str(number))
    with pytest.raises(Overloaded, match="retry_after") as refused:
        desk.send(client, "too many")
    assert refused.value.retry_after is not None
    assert desk.reception.statistics()["requests"] == 10


def test_a_client_that_has_gone_is_taken_from_no_more(desk: Desk) -> None:
    client = desk.client()
    kept = [desk.send(client, str(number)) for number in range(4)]
    desk.reception.leave(client)
    request = Request(CALL, ConcAddr(CORPS, 1, 7), "late", (), {}, CountedPromise())
    assert not desk.reception.take(Place(desk.reception, client, request, 0))
    desk.reception.began(kept[0])
    assert desk.there() == ["0", "1", "2"]  # what was sent before its end is done
    for place in kept:
        desk.reception.over(place)
    assert desk.reception.statistics()["clients"] == 0


def test_what_one_client_sends_stays_in_order_whatever_threads_do() -> None:
    desk = Desk(100_000)
    client = desk.client()
    waiting: list[Place] = []
    deliver = desk.side.deliver

    def noted(request: Request) -> None:
        place = desk.places[request]
        deliver(request)
        waiting.append(place)

    desk.side.deliver = noted  # type: ignore[method-assign]

    def work() -> None:
        for _ in range(5000):
            try:
                place = waiting.pop()
            except IndexError:
                continue
            desk.reception.began(place)
            desk.reception.over(place)

    threads = [Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(500):
        desk.send(client, str(number))
    for thread in threads:
        thread.join()
    while waiting:
        desk.reception.over(waiting.pop())
    assert desk.there() == [str(number) for number in range(500)]
