"""Claims about the queue of one worker, without any worker."""

import pytest

from corps.addresses import ConcAddr
from corps.messages.requests import BEGUN, CALL, WITHDRAWN, Request
from corps.runtime.calls.futures import Future
from corps.runtime.cells.mailbox import Mailbox

ADDR = ConcAddr("00", 0, 1)


def request(number: int) -> Request:
    future: Future[None] = Future()
    return Request(CALL, ADDR, f"method{number}", (), {}, future)


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox(limit=3)


def put_all(mailbox: Mailbox, count: int) -> list[Request]:
    requests = [request(number) for number in range(count)]
    assert all(mailbox.put(each) for each in requests)
    return requests


def test_a_new_mailbox_is_empty(mailbox: Mailbox) -> None:
    assert (mailbox.first, len(mailbox)) == (None, 0)


def test_requests_are_taken_in_the_order_in_which_they_came(mailbox: Mailbox) -> None:
    requests = put_all(mailbox, 4)
    assert len(mailbox) == 4
    assert [mailbox.take() for _ in requests] == requests
    assert (mailbox.first, len(mailbox)) == (None, 0)


def test_a_mailbox_that_was_emptied_is_filled_again(mailbox: Mailbox) -> None:
    for _ in range(2):
        first, second = put_all(mailbox, 2)
        assert mailbox.take() is first
        (third,) = put_all(mailbox, 1)
        assert [mailbox.take(), mailbox.take()] == [second, third]


def test_a_request_that_was_taken_holds_no_other(mailbox: Mailbox) -> None:
    put_all(mailbox, 2)
    assert mailbox.take().behind is None


def test_the_first_request_is_the_next_that_is_taken(mailbox: Mailbox) -> None:
    put_all(mailbox, 2)
    assert mailbox.first is mailbox.take()
    assert mailbox.first is mailbox.take()


def test_a_request_has_begun_when_it_was_taken_unless_it_was_taken_back(mailbox: Mailbox) -> None:
    begun, withdrawn = put_all(mailbox, 2)
    assert mailbox.take_back(withdrawn)
    assert [mailbox.take().stage, mailbox.take().stage] == [BEGUN, WITHDRAWN]
    assert not mailbox.take_back(begun)


def test_a_closed_mailbox_gives_what_waited_and_takes_nothing(mailbox: Mailbox) -> None:
    requests = put_all(mailbox, 3)
    assert mailbox.close(None) == requests
    assert [each.behind for each in requests] == [None, None, None]
    assert not mailbox.put(request(9))
    assert (mailbox.first, len(mailbox), mailbox.close(None)) == (None, 0, None)


def test_a_closed_mailbox_keeps_its_last_request(mailbox: Mailbox) -> None:
    put_all(mailbox, 2)
    last = request(9)
    mailbox.close(last)
    assert (mailbox.first, len(mailbox)) == (last, 1)
    assert mailbox.take() is last
    assert (mailbox.first, len(mailbox)) == (None, 0)


def test_a_mailbox_that_is_drained_after_it_was_closed_stays_closed() -> None:
    """Was a defect: it took a CREATE again, and gave back its last request when it was closed once more."""
    mailbox, last = Mailbox(limit=3), request(8)
    mailbox.close(last)
    assert not mailbox.close_behind(request(9))
    assert not mailbox.put_first(request(10), if_drained=True)
    assert mailbox.close(None) is None
    assert (mailbox.first, len(mailbox)) == (last, 1)


def test_a_mailbox_that_is_still_can_be_drained() -> None:
    """Was a defect: the last request was lost, and the worker did not end."""
    mailbox, words, last = Mailbox(limit=3), request(8), request(9)
    mailbox.still(None)
    assert mailbox.put_late(words)
    assert mailbox.close_behind(last)
    assert not mailbox.put_late(request(10))
    assert [mailbox.take(), mailbox.take()] == [words, last]


def test_what_overtakes_comes_before_the_others_in_its_own_order(mailbox: Mailbox) -> None:
    waiting = put_all(mailbox, 2)
    first, second, third = (request(number) for number in (7, 8, 9))
    assert mailbox.put_ahead(first, None)
    assert mailbox.put_ahead(second, first)
    assert mailbox.put_ahead(third, second)
    assert mailbox.is_full
    assert [mailbox.take() for _ in range(5)] == [first, second, third, *waiting]
    assert (mailbox.first, len(mailbox), mailbox.is_full) == (None, 0, False)


def test_what_overtakes_nothing_is_the_last_and_others_follow_it(mailbox: Mailbox) -> None:
    first, second = request(7), request(8)
    assert mailbox.put_ahead(first, None)
    assert mailbox.put_ahead(second, first)
    (third,) = put_all(mailbox, 1)
    assert [mailbox.take() for _ in range(3)] == [first, second, third]


def test_what_comes_back_is_first_though_the_mailbox_takes_nothing_more(mailbox: Mailbox) -> None:
    last, back = request(8), request(9)
    assert mailbox.close(last) == []
    assert not mailbox.put_ahead(request(7), None)
    mailbox.put_back(back)
    assert [mailbox.take(), mailbox.take()] == [back, last]


def test_what_is_newest_takes_the_place_of_the_oldest_that_has_not_begun() -> None:
    mailbox = Mailbox(3, "drop_oldest")
    first, second, third = put_all(mailbox, 3)
    assert mailbox.take_back(first)
    newer = request(3)
    assert mailbox.make_room(newer) is second
    assert second.stage == WITHDRAWN
    assert mailbox.put(newer)
    assert [mailbox.take() for _ in range(3)] == [first, third, newer]
    assert mailbox.first is None


def test_requests_that_yield_take_the_places_of_one_another_alone() -> None:
    mailbox = Mailbox(3, strict=2)
    plain, yields, newer = request(0), request(1), request(2)
    yields.yields = newer.yields = True
    assert mailbox.make_room(newer) is None
    assert mailbox.put(plain)
    assert mailbox.put(yields)
    assert mailbox.make_room(request(3)) is None
    assert mailbox.make_room(newer) is yields
    assert mailbox.put(newer)
    assert mailbox.make_room(yields) is newer
    assert mailbox.make_room(yields) is None
    assert mailbox.put(request(4))
    assert mailbox.make_room(yields) is yields
    assert [mailbox.take().method for _ in range(2)] == ["method0", "method4"]
    assert mailbox.first is None


def test_a_mailbox_that_is_closed_makes_no_room() -> None:
    mailbox = Mailbox(1, "drop_oldest")
    put_all(mailbox, 1)
    assert mailbox.close_behind(request(8))
    assert mailbox.make_room(request(9)) is None
    assert len(mailbox) == 2
