"""Claims about the tables of a Dir: whatever comes and goes, look-ups give what a plain list would give."""

from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from corps.addresses import ConcAddr
from corps.messages.interfaces import Interface
from corps.services.dirs.entries import OPEN, SINGLETON, UNIQUE, Entry, Query, Uniqueness
from corps.services.dirs.listing import Book

HERE = 1
TAGS = ("", "a", "b")
CLASSES = ("app:Index", "app:Other")


def entry(
    number: int,
    env: int = HERE,
    conc: int = 1,
    tag: str = "",
    cls: str = CLASSES[0],
    unique: Uniqueness = OPEN,
    mgr: int = HERE,
    owner: ConcAddr | None = None,
    group: ConcAddr | None = None,
    **properties: Any,
) -> Entry:
    addr, kept = ConcAddr("c", env, conc), MappingProxyType(properties)
    of, interface = ConcAddr("c", mgr, 9), Interface(cls, frozenset())
    return Entry(number, addr, 1, interface, cls, tag, kept, unique, of, owner, group=group)


def fitting(book: Book, query: Query) -> list[Entry]:
    """What a Book has to find, by looking at each entry: those of this Env first, each group in order."""
    fits = [each for each in book.entries.values() if each.owner == query.owner and query.fits(each)]
    return sorted(fits, key=lambda each: each.addr.env != HERE)


class Books(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.book = Book(HERE)
        self.numbers = 0

    @rule(
        env=st.integers(1, 2),
        conc=st.integers(1, 4),
        tag=st.sampled_from(TAGS),
        cls=st.sampled_from(CLASSES),
        unique=st.sampled_from((OPEN, OPEN, UNIQUE, SINGLETON)),
        mgr=st.integers(1, 2),
        owner=st.sampled_from((None, ConcAddr("c", 1, 1), ConcAddr("c", 2, 1))),
        size=st.integers(0, 1),
    )
    def register(
        self,
        env: int,
        conc: int,
        tag: str,
        cls: str,
        unique: Uniqueness,
        mgr: int,
        owner: ConcAddr | None,
        size: int,
    ) -> None:
        new = entry(0, env, conc, tag, cls, unique, mgr, owner, size=size)
        taken = self.book.of(owner).conflict(new)
        others = [
            each for each in self.book.entries.values() if each.owner == owner and each.addr != new.addr
        ]
        assert (taken is not None) == any(stand_against(each, new) for each in others)
        if taken is None:
            known = self.book.known(new)
            self.numbers += known is None
            new.number = self.numbers if known is None else known.number
            assert self.book.put(new) is known

    @rule(at=st.integers(0, 30))
    def remove(self, at: int) -> None:
        there = self.book.entries.get(at)
        assert self.book.remove(at) is there

    @rule(env=st.integers(1, 2), conc=st.integers(1, 4))
    def worker_goes(self, env: int, conc: int) -> None:
        worker = ConcAddr("c", env, conc)
        for number in self.book.of_worker(worker):
            self.book.remove(number)
        assert not [each for each in self.book.entries.values() if worker in (each.addr, each.owner)]

    @rule(env=st.integers(1, 2), returns=st.booleans())
    def env_dies(self, env: int, returns: bool) -> None:
        for number in self.book.of_env(env, returns=returns):
            self.book.remove(number)
        left = list(self.book.entries.values())
        assert not [each for each in left if each.mgr is not None and each.mgr.env == env]
        assert returns or not [each for each in left if each.addr.env == env]

    @invariant()
    def the_tables_say_what_the_entries_are(self) -> None:
        book = self.book
        for owner in (None, ConcAddr("c", 1, 1)):
            listing = book.of(owner)
            for tag in TAGS[1:]:
                found = fitting(book, Query(tag=tag, owner=owner))
                assert set(map(id, listing.select(Query(tag=tag)))) == set(map(id, found))
                near = [each for each in found if each.addr.env == HERE]
                assert listing.by_tag.get(tag) in [*(near or found), *([] if found else [None])]
            for cls in CLASSES:
                found = fitting(book, Query(cls=cls, owner=owner))
                near = [each for each in found if each.addr.env == HERE]
                assert set(map(id, listing.select(Query(cls=cls)))) == set(map(id, found))
                assert listing.by_class.get(cls) in [*(near or found), *([] if found else [None])]
            everything = fitting(book, Query(owner=owner))
            assert set(map(id, listing.select(Query()))) == set(map(id, everything))

    @invariant()
    def each_worker_is_known_by_its_entries(self) -> None:
        of_workers = [each for entries in self.book.by_worker.values() for each in entries.values()]
        assert set(map(id, of_workers)) == set(map(id, self.book.entries.values()))
        assert len(of_workers) == len(self.book.entries)


def stand_against(one: Entry, other: Entry) -> bool:
    key_of = [(each.tag,) if each.tag else (each.cls, "") for each in (one, other)]
    if key_of[0] == key_of[1] and UNIQUE in (one.unique, other.unique):
        return True
    return one.unique == other.unique == SINGLETON and (one.cls, one.tag) == (other.cls, other.tag)


TestBooks = Books.TestCase
TestBooks.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None, derandomize=True, database=None
)


def test_an_entry_of_the_own_env_is_found_before_older_ones_of_others() -> None:
    book = Book(HERE)
    far, near = entry(1, env=2, tag="a"), entry(2, env=1, tag="a")
    book.put(far)
    assert book.listing.by_tag["a"] is far
    book.put(near)
    assert book.listing.by_tag["a"] is near
    book.remove(2)
    assert book.listing.by_tag["a"] is far


@pytest.mark.parametrize(
    ("properties", "fits"),
    [
        ({}, True),
        ({"zone": "a"}, True),
        ({"zone": "b"}, False),
        ({"zone": ...}, True),
        ({"size": ...}, False),
        ({"zone": "a", "size": 1}, False),
        ({"zone": None}, False),
    ],
)
def test_properties_are_asked_by_value_and_by_presence(properties: dict[str, Any], *, fits: bool) -> None:
    assert Query(properties=properties).fits(entry(1, zone="a")) is fits


def test_a_function_of_the_properties_may_decide() -> None:
    assert Query(match=lambda properties: properties.get("size", 0) > 2).fits(entry(1, size=3))
    assert not Query(match=lambda properties: properties.get("size", 0) > 2).fits(entry(1))


def test_near_misses_are_like_tags_like_classes_and_other_properties() -> None:
    book = Book(HERE)
    book.put(entry(1, tag="index", zone="a"))
    assert book.listing.near_misses(Query(tag="indx")) == ["'index'"]
    assert book.listing.near_misses(Query(cls="other:Indexer")) == ["Index"]
    assert book.listing.near_misses(Query(tag="index", properties={"zone": "b"})) == [
        "with other properties: {'zone': 'a'}"
    ]
    assert book.listing.near_misses(Query(tag="something else")) == []


def test_an_entry_travels_as_plain_data() -> None:
    before = entry(7, env=2, conc=3, tag="a", unique=UNIQUE, owner=ConcAddr("c", 2, 4), zone="a")
    after = Entry.of("c", before.row(0), [before.interface])
    assert [getattr(after, name) for name in Entry.__slots__] == [
        getattr(before, name) for name in Entry.__slots__
    ]


def test_what_is_unique_stands_beside_others_of_its_group_alone() -> None:
    book, one, other = Book(HERE), ConcAddr("c", 1, 70), ConcAddr("c", 1, 71)
    for number in (1, 2, 3):
        member = entry(number, conc=number, tag="a", unique=UNIQUE, group=one)
        assert book.listing.conflict(member) is None
        book.put(member)
    rivals: list[tuple[ConcAddr | None, Uniqueness]]
    rivals = [(other, UNIQUE), (other, OPEN), (None, UNIQUE), (None, OPEN)]
    for of_group, unique in rivals:
        assert book.listing.conflict(entry(4, conc=4, tag="a", unique=unique, group=of_group)) is not None


def test_an_entry_travels_with_the_group_it_belongs_to() -> None:
    member = entry(1, group=ConcAddr("c", 2, 70))
    assert Entry.of("c", member.row(0), (member.interface,)).group == member.group
