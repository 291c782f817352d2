"""Which requests may be under way beside each other."""

from itertools import product
from typing import get_args

import pytest

from corps.messages.interfaces import Interface
from corps.messages.manners import ANY_NUMBER, BESIDE, Manner, goes_beside, manner_of
from corps.messages.requests import ANEXT, CALL, CREATE, DROP, EXIT, GET, KEEP, NEXT, PINNED, PULL, SET, Kind

PLAIN = Interface("m:C", frozenset({"plain", "soft"}), async_methods=frozenset({"soft"}))
OPEN = Interface(
    "m:C", frozenset({"plain", "soft"}), async_methods=frozenset({"soft", ANEXT}), interleave=ANY_NUMBER
)
MARKED = Interface(
    "m:C",
    frozenset({"plain", "soft", "look", "meet"}),
    async_methods=frozenset({"soft", "meet"}),
    computed=frozenset({"area"}),
    read_only=frozenset({"look"}),
    interleaving=frozenset({"meet"}),
)
FREE = Interface("corps:Funcs", frozenset({"mean"}), is_free=True, interleave=4)


def test_the_table_is_symmetrical_and_says_something_of_each_manner() -> None:
    assert set(BESIDE) == set(get_args(Manner))
    assert all((one in BESIDE[other]) == (other in BESIDE[one]) for one, other in product(BESIDE, BESIDE))


def test_what_writes_runs_beside_nothing_that_reads() -> None:
    assert BESIDE["reading"] == {"reading"}


@pytest.mark.parametrize(
    ("interface", "kind", "method", "manner"),
    [
        (PLAIN, CALL, "plain", "alone"),
        (PLAIN, CALL, "soft", "turn"),
        (PLAIN, PINNED, "soft", "turn"),
        (PLAIN, EXIT, "exit", "alone"),
        (OPEN, CALL, "soft", "interleaving"),
        (OPEN, PULL, ANEXT, "interleaving"),
        (OPEN, PULL, NEXT, "alone"),
        (OPEN, DROP, ANEXT, "interleaving"),
        (OPEN, DROP, "close", "alone"),
        (MARKED, CALL, "look", "reading"),
        (MARKED, PINNED, "look", "reading"),
        (MARKED, CALL, "meet", "interleaving"),
        (MARKED, CALL, "soft", "turn"),
        (MARKED, GET, "size", "reading"),
        (MARKED, GET, "area", "alone"),
        (MARKED, SET, "size", "alone"),
        (FREE, CALL, "mean", "free"),
        (FREE, PULL, NEXT, "free"),
        (FREE, CREATE, "__init__", "alone"),
        (FREE, KEEP, "", "alone"),
    ],
)
def test_the_manner_of_a_request(interface: Interface, kind: Kind, method: str, manner: Manner) -> None:
    assert manner_of(interface, kind, method) == manner


def test_a_request_begins_beside_all_that_is_under_way_or_not_at_all() -> None:
    assert goes_beside("alone", ())
    assert not goes_beside("alone", ("turn",))
    assert goes_beside("interleaving", ("turn", "interleaving"))
    assert not goes_beside("turn", ("turn", "interleaving"))
    assert goes_beside("turn", ("interleaving",))


def test_an_interface_travels_with_what_runs_beside_what() -> None:
    for interface in (PLAIN, OPEN, MARKED, FREE):
        assert Interface.from_tuple(*interface.as_tuple()) == interface


def test_the_form_of_an_interface_without_marks_is_that_of_former_releases() -> None:
    assert len(PLAIN.as_tuple()) == 9
