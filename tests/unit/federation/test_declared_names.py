"""Claims about Names between owners: what is made of them, and that none is made up."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import corps
from corps.addresses import ENV_MGR, FRONT, ConcAddr
from corps.errors import PackError
from corps.federation.declared_names import NameForm, names_between
from corps.messages.contacts import Contact, ExtAddr
from corps.messages.interfaces import Interface
from corps.messages.members import Member
from corps.packing.declared_forms import Misfit
from corps.security.capabilities import capability_of
from corps.workers.names import Name

SECRET = bytes(range(32))
KEY = "k" * 40
THERE = Member(2, "a" * 32, "unix:/there", KEY, corps="bob's", outside=("tcp://h:1",))
FRONT_THERE = replace(THERE, env=FRONT, incarnation="f" * 32)
AWAY = ExtAddr("bob's", 2, 7, bytes(16), Contact(THERE, FRONT_THERE))


class Shelf(corps.Conc):
    @corps.public
    def put(self) -> None: ...

    def burn(self) -> None: ...


class Options:
    border_secret = SECRET


class Home:
    """As much of an Env as Names between owners need."""

    corps_id = "home"
    options = Options()
    record = replace(THERE, corps="home", env=1)

    def address_abroad(self, addr: ConcAddr) -> ConcAddr:
        if isinstance(addr, ExtAddr):
            return addr
        if addr.env == 9:
            raise PackError("nothing of this Corps can be reached")
        front = replace(self.record, env=FRONT)
        return ExtAddr(*addr, capability_of(SECRET, addr.env, addr.conc), Contact(self.record, front))


def form(cls: Any = Shelf, home: Any = None) -> Any:
    env: Any = home or Home()
    return names_between(env)(Name, (cls,))


def name_of(addr: ConcAddr = ConcAddr("home", 1, 7), **how: Any) -> Name[Any]:  # noqa: B008
    return Name(addr, Shelf._corps_interface, None, **how)


def test_a_name_that_goes_out_and_comes_home_is_the_same_again() -> None:
    plain = form().lower(name_of())
    assert plain[:3] == ["home", 1, 7]
    assert plain[-1] == ["put"]  # what is not public is not named
    back = form().lift(plain)
    assert back == name_of()
    assert type(back._addr) is ConcAddr


def test_a_name_of_another_owner_leads_to_its_key_by_the_declared_class() -> None:
    plain = form().lower(name_of(AWAY))
    found = form().lift(plain)
    assert found._addr == AWAY
    assert found._addr.contact == AWAY.contact
    assert found._addr.interface is found._interface is Shelf._corps_interface


def test_without_a_class_a_name_has_the_methods_that_were_said() -> None:
    plain = form().lower(name_of(AWAY))
    for of in (form(Any), names_between(Home())(Name, ())):  # type: ignore[arg-type]
        assert of is not None
        assert of.lift(plain)._interface.methods == {"put"}


def test_other_classes_are_no_names() -> None:
    assert names_between(Home())(Shelf, ()) is None  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [None, "name", AWAY, name_of(pin=1), name_of(ConcAddr("home", 9, 7))])
def test_what_cannot_go_is_refused(value: Any) -> None:
    with pytest.raises(Misfit):
        form().lower(value)


def test_a_worker_that_no_other_owner_can_reach_stays() -> None:
    home = Home()
    home.record = replace(THERE, public_key="")
    with pytest.raises(Misfit, match="has no key"):
        form(home=home).lower(name_of())


GOOD = form().lower(name_of(AWAY))
MINE = form().lower(name_of())


def with_part(at: int, part: Any, good: Any = None) -> list[Any]:
    plain = list(good or GOOD)
    plain[at] = part
    return plain


@pytest.mark.parametrize(
    "plain",
    [
        None,
        [],
        tuple(GOOD),
        GOOD[:-1],
        with_part(0, 5),
        with_part(1, -2),
        with_part(1, 3),
        with_part(1, True),
        with_part(2, -1),
        with_part(2, 2**70),
        with_part(3, b""),
        with_part(3, "x" * 16),
        with_part(4, []),
        with_part(4, with_part(3, "", GOOD[4])),
        with_part(4, with_part(5, "carol's", GOOD[4])),
        with_part(4, with_part(6, [5], GOOD[4])),
        with_part(4, with_part(2, "x" * 5000, GOOD[4])),
        with_part(5, [*GOOD[4][:-1], ["x"] * 10_000]),
        with_part(5, with_part(0, 5, GOOD[5])),
        with_part(7, "put"),
        with_part(3, bytes(16), MINE),
        with_part(2, 8, MINE),
        with_part(1, 2, MINE),
        with_part(2, ENV_MGR, with_part(3, capability_of(SECRET, 1, ENV_MGR), MINE)),
    ],
)
def test_a_name_that_cannot_be_is_refused(plain: Any) -> None:
    with pytest.raises(Misfit):
        form().lift(plain)


@pytest.mark.parametrize(
    "methods", [["__init__"], ["_x"], ["exit"], ["a.b"], [""], [5], ["x" * 201], ["m"] * 1001, [["m"]]]
)
def test_methods_that_cannot_be_are_refused(methods: Any) -> None:
    with pytest.raises(Misfit):
        NameForm(Home(), None).lift(with_part(7, methods))  # type: ignore[arg-type]


plain_data = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=8) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=20,
)


@given(st.lists(st.tuples(st.integers(0, 7), plain_data), max_size=3), st.booleans())
def test_whatever_comes_is_a_name_or_a_misfit(changes: list[tuple[int, Any]], is_mine: bool) -> None:
    plain = list(MINE if is_mine else GOOD)
    for at, part in changes:
        plain[at] = part
    try:
        found = form().lift(plain)
    except Misfit:
        return
    assert isinstance(found._interface, Interface)
    if found._addr.corps == "home":
        assert found._addr == name_of()._addr
