"""Claims about addresses of workers of other Corps: they travel whole, and are plain ones at home."""

import copy
import pickle

from corps.addresses import BORDER, ConcAddr
from corps.messages.contacts import Contact, ExtAddr, address_in
from corps.messages.members import Member

FRONT = Member(-1, "f" * 32, "unix:/run/f.sock", corps="there")
ENV = Member(2, "e" * 32, "unix:/run/e.sock", generation=3, corps="there")
ADDR = ExtAddr("there", 2, 7, bytes(16), Contact(ENV, FRONT))


def test_an_address_arrives_elsewhere_as_it_was() -> None:
    arrived = address_in("here", ADDR.as_plain())
    assert isinstance(arrived, ExtAddr)
    assert (arrived.capability, arrived.contact) == (ADDR.capability, ADDR.contact)


def test_an_address_that_comes_home_is_a_plain_one_and_equal() -> None:
    arrived = address_in("there", ADDR.as_plain())
    assert type(arrived) is ConcAddr
    assert arrived == ADDR
    assert hash(arrived) == hash(ADDR)
    assert str(arrived) == str(ADDR)


def test_a_plain_address_stays_plain() -> None:
    plain = ConcAddr("there", 2, 7)
    assert type(address_in("here", plain.as_plain())) is ConcAddr


def test_an_address_survives_being_packed_by_itself() -> None:
    for again in (pickle.loads(pickle.dumps(ADDR)), copy.copy(ADDR), copy.deepcopy(ADDR)):
        assert type(again) is ExtAddr
        assert (again, again.capability, again.contact) == (ADDR, ADDR.capability, ADDR.contact)


def test_what_answers_for_the_corps_lives_in_the_same_env_and_takes_no_capability() -> None:
    assert ADDR.border == ConcAddr("there", 2, BORDER)
    assert ADDR.border.capability == b""


def test_texts_name_the_corps_of_an_env_of_another_one() -> None:
    assert ENV.label == "env2 of the Corps there"
    assert Member(2**40, "e", "unix:/e", corps="there", home=2).label == "env2 of the Corps there"
    assert Member(2, "e", "unix:/e").label == "env2"
