"""Which of several workers gets a request."""

import random
from collections import Counter
from functools import partial
from typing import Any

import pytest

from corps.addresses import ConcAddr
from corps.errors import ConfigError
from corps.workers.routing import Choice, How, as_bytes, choose, how_of, key_of, named_parameters

CORPS = "0" * 16
MEMBERS = [ConcAddr(CORPS, env, number) for env in (1, 2, 3) for number in (7, 8)]
NEAR = [member for member in MEMBERS if member.env == 2]


def chosen(
    how: How, loads: dict[ConcAddr, int] | None = None, *, key: bytes | None = None, **given: Any
) -> Any:
    given = {"members": MEMBERS, "here": 2, "turn": 0, **given}
    return choose(how, key, Choice(loads=loads or {}, **given), random.Random(given["turn"]).randrange)


def test_local_takes_the_idlest_of_the_own_env_while_it_has_room() -> None:
    how = How("local", room=2)
    assert chosen(how) == NEAR[0]
    assert chosen(how, {NEAR[0]: 1}) == NEAR[1]
    assert chosen(how, {NEAR[0]: 1, NEAR[1]: 1}) in NEAR
    full = {NEAR[0]: 2, NEAR[1]: 2}
    assert all(chosen(how, full, turn=turn).env != 2 for turn in range(50))


def test_local_stays_in_its_env_if_there_is_no_other() -> None:
    assert chosen(How("local"), {NEAR[0]: 9, NEAR[1]: 3}, members=NEAR) == NEAR[1]


def test_local_takes_the_less_busy_of_two_where_the_own_env_has_none() -> None:
    busy = {member: 5 for member in MEMBERS if member.env != 3}
    taken = Counter(chosen(How("local"), busy, here=0, turn=turn).env for turn in range(300))
    assert taken[3] > taken[1] + taken[2] - 60  # it wins whenever it is one of the two: 3 times of 5


def test_least_never_takes_the_busier_one_of_two() -> None:
    two = [MEMBERS[0], MEMBERS[2]]
    assert all(chosen(How("least"), {two[0]: 1}, members=two, turn=turn) == two[1] for turn in range(50))


def test_least_spreads_over_all_that_are_equal() -> None:
    taken = Counter(chosen(How("least"), turn=turn) for turn in range(600))
    assert set(taken) == set(MEMBERS)


def test_round_takes_each_in_turn() -> None:
    assert [chosen(How("round"), turn=turn) for turn in range(12)] == MEMBERS * 2


def test_a_key_stays_with_its_worker_and_moves_only_if_that_goes() -> None:
    how = How("round", key=0)
    before = {n: chosen(how, key=as_bytes(n)) for n in range(500)}
    assert set(before.values()) == set(MEMBERS)
    gone = MEMBERS[3]
    left = [member for member in MEMBERS if member != gone]
    after = {n: chosen(how, key=as_bytes(n), members=left) for n in range(500)}
    assert all(after[n] == before[n] for n in range(500) if before[n] != gone)
    assert len({after[n] for n in range(500) if before[n] == gone}) == len(left)


def test_the_bytes_of_a_key_are_the_same_for_equal_ones_and_in_every_process() -> None:
    assert as_bytes(1) == as_bytes(1.0) == as_bytes(True)
    assert as_bytes("1") != as_bytes(1) != as_bytes(b"1")
    assert as_bytes(("a", (1, None))) == b"('a',(1,None))"
    assert as_bytes("\ud800")


@pytest.mark.parametrize("key", [[], {}, object(), ("a", [1]), frozenset()])
def test_what_has_no_such_bytes_is_refused_with_its_type(key: object) -> None:
    with pytest.raises(ConfigError, match="text, a number"):
        as_bytes(key)


PARAMETERS = {"get": ["user", "page"], "put": ["page", "user"], "size": []}


def test_a_key_is_found_by_place_or_by_name() -> None:
    assert key_of(how_of("local", 1, 1, {}), "get", ("ann", 3), {}) == b"3"
    by_name = how_of("local", "user", 1, PARAMETERS)
    assert key_of(by_name, "get", ("ann", 3), {}) == b"'ann'"
    assert key_of(by_name, "put", (3, "ann"), {}) == b"'ann'"
    assert key_of(by_name, "get", (), {"user": "ann"}) == b"'ann'"


def test_a_request_without_that_argument_has_no_key() -> None:
    assert key_of(how_of("local", 1, 1, {}), "get", ("ann",), {}) is None
    assert key_of(how_of("local", "user", 1, PARAMETERS), "size", (), {}) is None
    assert key_of(How(), "get", ("ann",), {}) is None


@pytest.mark.parametrize(
    ("routing", "key", "says"),
    [
        ("nearest", None, "least, local, round"),
        ("local", -1, "from 0"),
        ("local", 1.5, "from 0"),
        ("local", True, "from 0"),
        ("local", "colour", "get, put, size"),
    ],
)
def test_a_bad_way_of_choosing_is_refused(routing: str, key: Any, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        how_of(routing, key, 1, PARAMETERS)


def test_the_parameters_of_functions_of_all_kinds_are_known() -> None:
    def function(self: Any, user: str, *rest: int, page: int = 0, **more: int) -> None: ...

    assert named_parameters(function, is_bound=True) == ["user", "page"]
    assert named_parameters(partial(function, 1), is_bound=False) == ["user", "page"]
    assert named_parameters(dict, is_bound=False) == []


def test_a_key_tells_objects_of_corps_apart_that_have_the_same_ids() -> None:
    members = [ConcAddr(str(number) * 16, -1, 1) for number in range(3)]
    taken = {chosen(How("least", 0), key=b"%d" % key, members=members) for key in range(50)}
    assert taken == set(members)
