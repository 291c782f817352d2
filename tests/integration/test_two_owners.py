"""Claims about two owners: what one asks of the other's workers, in whole Envs."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from threading import Event
from typing import Any, Final

import pytest

import corps
from corps.errors import (
    Cancelled,
    DeadlineExceeded,
    NotPermitted,
    Overloaded,
    PackError,
    RemoteError,
    UnpackError,
)
from corps.messages.requests import CALL
from tests.integration.two_owners import Owner, two_owners

LIMIT: Final = 60.0


@dataclass
class Hit:
    page: str
    score: float


class Reader(corps.Conc):
    """A worker of Bob's, which Alice is given the Name of."""

    def __init__(self) -> None:
        self.read: list[str] = []

    @corps.public
    def take(self, hit: Hit) -> str:
        self.read.append(hit.page)
        return corps.caller().identity

    def seen(self) -> list[str]:
        return self.read


class Index(corps.Conc):
    interleave = True

    def __init__(self, begun: Event | None = None, ended: Event | None = None) -> None:
        self.begun = begun or Event()
        self.ended = ended or Event()
        self.readers: list[corps.Name[Reader]] = []

    @corps.public
    def search(self, query: str, most: int = 2) -> list[Hit]:
        return [Hit(f"{query}{number}", 0.5) for number in range(most)]

    @corps.public
    def who(self) -> list[str]:
        caller = corps.caller()
        return [caller.identity, caller.key, str(caller.is_own)]

    @corps.public
    async def who_awaits(self) -> str:
        await asyncio.sleep(0)
        return corps.caller().identity

    @corps.public
    def hits(self, query: str, most: int) -> Iterator[Hit]:
        try:
            for number in range(most):
                yield Hit(f"{query}{number} of {corps.caller().identity}", 0.5)
        finally:
            self.ended.set()

    @corps.public
    async def hits_awaited(self, query: str) -> AsyncIterator[Hit]:
        yield Hit(query, 1.0)
        yield Hit(query, 2.0)

    @corps.public
    def fails(self) -> None:
        raise KeyError("no such page")

    @corps.public
    def lies(self) -> list[Hit]:
        return "no hits"  # type: ignore[return-value]

    @corps.public
    async def waits(self) -> None:
        self.begun.set()
        try:
            await asyncio.sleep(LIMIT)
        finally:
            self.ended.set()

    @corps.public
    def tell(self, reader: "corps.Name[Reader]", hit: Hit) -> "corps.Future[str]":
        self.readers.append(reader)
        taken: corps.Future[str] = reader.take(hit)
        return taken

    @corps.public
    def itself(self) -> "corps.Name[Index]":
        return self.my_name()

    @corps.public
    def is_me(self, index: "corps.Name[Index]") -> bool:
        return index == self.my_name()

    def secret(self) -> str:
        return "s3cret"


@pytest.fixture
def owners() -> Iterator[tuple[Owner, Owner]]:
    with two_owners() as both:
        yield both


@pytest.fixture
def index(owners: tuple[Owner, Owner]) -> Any:
    alice, bob = owners
    return alice.hand(alice.create(Index), bob, Index)


def test_a_public_method_is_called_with_declared_types(index: Any) -> None:
    assert index.search("a", most=1).ret == [Hit("a0", 0.5)]
    assert asyncio.run(awaited(index)) == [Hit("b0", 0.5), Hit("b1", 0.5)]


async def awaited(index: Any) -> Any:
    return await index.search("b")


def test_without_the_class_data_is_plain(owners: tuple[Owner, Owner]) -> None:
    alice, bob = owners
    index = alice.hand(alice.create(Index), bob)
    assert index.search("a", 1).ret == [{"page": "a0", "score": 0.5}]
    assert list(index.hits("a", 1).ret) == [{"page": "a0 of bob", "score": 0.5}]


def test_everything_else_is_not_permitted(index: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    for asked in (index.secret, index.my_name, index.my_children):
        with pytest.raises(NotPermitted):
            asked().result()
    for asked in (index.exit, index.kill, index.drain):
        with pytest.raises(NotPermitted):
            asked().result()
    with pytest.raises(NotPermitted):
        index.begun.result()
    with pytest.raises(NotPermitted):
        index.begun = 5
    with pytest.raises(NotPermitted):
        index.pinned.search("a").result()
    assert index.search("a", 0).ret == []


def test_every_attribute_of_a_worker_is_refused_but_what_is_public(
    owners: tuple[Owner, Owner], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    alice, bob = owners
    index = alice.hand(alice.create(Index), bob)
    public = Index._corps_interface.public
    names = {*dir(Index), *dir(corps.Conc), *vars(Index), "__class__.__init__", "search.__globals__", "a.b"}
    for name in sorted(names - public):
        asked: corps.Future[Any] = bob.env.ask(CALL, index._addr, name, (), {})
        with pytest.raises(NotPermitted):
            asked.result()


def test_what_does_not_fit_is_an_error_of_the_caller(owners: tuple[Owner, Owner], index: Any) -> None:
    with pytest.raises(PackError, match="str is declared"):
        index.search(5)
    alice, bob = owners
    untyped = alice.hand(alice.create(Index), bob)
    with pytest.raises(UnpackError, match="str is declared") as caught:
        untyped.search(5).result()
    assert caught.value.executed == "no"  # type: ignore[attr-defined]
    with pytest.raises(PackError, match="no plain data"):
        untyped.search(object())


def test_errors_are_texts_of_a_closed_list(index: Any) -> None:
    with pytest.raises(KeyError, match="no such page") as caught:
        index.fails().result()
    assert isinstance(caught.value, RemoteError)
    assert caught.value.traceback == ""
    with pytest.raises(PackError, match="list"):
        index.lies().result()
    with pytest.raises(TypeError):
        index.search().result()


def test_the_worker_knows_who_calls(owners: tuple[Owner, Owner], index: Any) -> None:
    identity, _, is_own = index.who().result()
    assert (identity, is_own) == ("bob", "False")
    assert index.who_awaits().ret == "bob"


def test_items_of_generators_are_pulled(index: Any) -> None:
    assert list(index.hits("a", 3).ret) == [Hit(f"a{number} of bob", 0.5) for number in range(3)]
    assert list(index.hits_awaited("b").ret) == [Hit("b", 1.0), Hit("b", 2.0)]


def test_a_generator_ends_when_its_iterator_does(owners: tuple[Owner, Owner]) -> None:
    alice, bob = owners
    ended = Event()
    index = alice.hand(alice.create(Index, None, ended), bob, Index)
    for is_closed in (True, False):
        hits: Any = index.hits("a", 10**9).ret
        assert next(hits).page == "a0 of bob"
        if is_closed:
            hits.close()
        del hits  # one that is garbage ends as well
        assert ended.wait(LIMIT)
        ended.clear()


def test_cancellation_and_deadlines_reach_the_other_owner(owners: tuple[Owner, Owner]) -> None:
    alice, bob = owners
    begun, ended = Event(), Event()
    index: Any = alice.hand(alice.create(Index, begun, ended), bob, Index)
    future = index.waits()
    assert begun.wait(LIMIT)
    assert future.cancel()
    with pytest.raises(Cancelled):
        future.result()
    assert ended.wait(LIMIT)
    with pytest.raises(DeadlineExceeded):
        index.options(deadline=0.05).waits().result()


def test_a_name_travels_there_and_back(owners: tuple[Owner, Owner], index: Any) -> None:
    _, bob = owners
    reader = bob.create(Reader)
    assert index.tell(reader, Hit("a", 1.0)).ret == "alice"
    assert reader.seen().ret == ["a"]
    again = index.itself().ret
    assert again == index
    assert again.search("a", 1).ret == [Hit("a0", 0.5)]
    assert again.is_me(again).ret is True


def test_no_name_is_made_up(owners: tuple[Owner, Owner]) -> None:
    alice, bob = owners
    worker = alice.create(Index)
    index: Any = alice.hand(worker, bob)
    good = [*alice.env.address_abroad(worker._addr)[:3], bytes(16), [], [], "x:Y", ["search"]]
    with pytest.raises(UnpackError, match="has not handed out"):
        index.is_me(good).result()
    for wrong in ([], None, "name", good[:7], [*good[:2], -1, *good[3:]], [*good[:2], 0, *good[3:]]):
        with pytest.raises(UnpackError):
            index.is_me(wrong).result()


def test_over_its_rate_a_caller_is_overloaded(owners: tuple[Owner, Owner]) -> None:
    class Rare(Index):
        pass

    corps.allow(Rare, identity="bob", methods=["search"], rate=1)
    alice, bob = owners
    index: Any = alice.hand(alice.create(Rare), bob, Rare)
    assert index.search("a", 0).ret == []
    asked = [index.search("a", 0) for _ in range(100)]
    with pytest.raises(Overloaded) as caught:
        corps.gather(*asked).result()
    assert caught.value.retry_after is not None
    assert 0 < caught.value.retry_after <= 1
    with pytest.raises(NotPermitted):
        index.hits("a", 1).result()
