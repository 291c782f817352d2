"""Claims about requests and interfaces as values."""

import pytest

from corps.addresses import ConcAddr
from corps.errors import UnpackError
from corps.messages import requests
from corps.messages.interfaces import Interface
from corps.messages.requests import CALL, Kind, Request
from corps.runtime.calls.futures import Future

ADDR = ConcAddr("0" * 16, 1, 2)


def request_for(future: "Future[int]", **given: object) -> Request:
    return Request(CALL, ADDR, "add", (), {}, future, **given)  # type: ignore[arg-type]


def test_a_request_is_answered_once() -> None:
    future: Future[int] = Future()
    request = request_for(future)
    assert request.answer(3)
    assert not request.answer(4)
    assert not request.fail(ValueError())
    assert future.result() == 3


def test_a_request_fails_with_the_type_it_is_given() -> None:
    future: Future[int] = Future()
    assert request_for(future).fail(ValueError("on purpose"))
    with pytest.raises(ValueError, match="on purpose"):
        future.result()


def test_packed_arguments_are_opened_once() -> None:
    opened = []

    def unpack() -> tuple[tuple[int], dict[str, int]]:
        opened.append(1)
        return (1,), {"a": 2}

    request = request_for(Future(), packed=unpack)
    for _ in range(2):
        request.open()
        assert (request.args, request.kwargs) == ((1,), {"a": 2})
    assert opened == [1]


def test_arguments_that_cannot_be_opened_stay_closed() -> None:
    def unpack() -> tuple[tuple[int], dict[str, int]]:
        raise UnpackError("no such class")

    request = request_for(Future(), packed=unpack)
    for _ in range(2):
        with pytest.raises(UnpackError):
            request.open()


def test_an_interface_goes_through_plain_data() -> None:
    interface = Interface(
        "app:Outer.Counter",
        frozenset({"add", "my_tag"}),
        frozenset({"main"}),
        frozenset({"add"}),
        3,
        True,
        True,
    )
    assert Interface.from_tuple(*interface.as_tuple()) == interface
    assert interface.short_name == "Counter"
    assert interface.known_methods == "add"


@pytest.mark.parametrize("kind", Kind)
def test_each_kind_has_a_constant_of_its_name(kind: Kind) -> None:
    assert getattr(requests, kind.name) is kind
