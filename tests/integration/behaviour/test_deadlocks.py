"""Claims about workers that wait for each other: circles are found, and nothing else is taken for one."""

from typing import Any, ClassVar

import pytest

import corps
from tests.integration.behaviour.paths import Way
from tests.integration.behaviour.workers import Latch


class Ring(corps.Conc):
    """Asks the next one, which asks the next one."""

    def __init__(self) -> None:
        self.next: corps.Name[Any] | None = None
        self.seen: list[Any] = []

    def value(self) -> int:
        return 42

    async def soft_value(self) -> int:
        return 42

    def round(self) -> Any:
        assert self.next is not None
        return self.next.round().ret

    async def soft_round(self) -> Any:
        assert self.next is not None
        return await self.next.soft_round()

    def mixed_round(self) -> Any:
        assert self.next is not None
        return self.next.soft_mixed_round().ret

    async def soft_mixed_round(self) -> Any:
        assert self.next is not None
        return await self.next.mixed_round()

    def ask_self(self) -> Any:
        return self.my_self().value().ret

    async def ask_self_softly(self) -> Any:
        return await self.my_self().value()

    def ask_self_with_a_limit(self) -> Any:
        return self.my_self().value().result(timeout=20)

    def read_self(self) -> Any:
        return self.my_self().seen.ret

    def wait_all_with_self(self, other: corps.Name["Ring"]) -> Any:
        mine = self.my_self().value()
        corps.wait_all([other.value(), mine])
        return mine.ret

    def gather_with_self(self, other: corps.Name["Ring"]) -> Any:
        return corps.gather(other.value(), self.my_self().value()).ret

    async def gather_with_self_softly(self, other: corps.Name["Ring"]) -> Any:
        return await corps.gather(other.value(), self.my_self().value())

    def wait_any_with_self(self, other: corps.Name["Ring"]) -> Any:
        return corps.wait_any([other.value(), self.my_self().value()]).ret

    def round_after(self, latch: corps.Name[Latch]) -> Any:
        assert self.next is not None
        latch.arrive().result()
        latch.wait().result()
        return self.next.value().ret

    def ask_back_without_waiting(self, asker: corps.Name["Ring"]) -> str:
        self.seen.append(asker.value())
        return "asked back"

    def ask_and_be_asked(self) -> Any:
        assert self.next is not None
        return self.next.ask_back_without_waiting(self.my_name()).ret

    def seen_values(self) -> list[Any]:
        return [future.ret for future in self.seen]

    async def wait_softly(self, latch: corps.Name[Latch]) -> Any:
        latch.arrive.send()
        return await latch.wait()

    def ask_next_softly(self) -> Any:
        assert self.next is not None
        return self.next.soft_value().ret

    def catch_and_go_on(self) -> str:
        try:
            self.my_self().value().result()
        except corps.DeadlockError:
            return "went on"
        return "?"


class Open(Ring):
    interleave: ClassVar[bool | int] = True


def ring_of(way: Way, number: int, cls: type[Ring] = Ring) -> list[corps.Name[Ring]]:
    names = [way.create(cls) if i % 2 == 0 else way.create_far(cls) for i in range(number)]
    for name, following in zip(names, [*names[1:], names[0]], strict=True):
        name.next = following
    return names


@pytest.mark.parametrize(
    "method", ["ask_self", "ask_self_softly", "ask_self_with_a_limit", "read_self", "round", "soft_round"]
)
def test_a_worker_that_waits_for_itself_is_told_at_once(way: Way, method: str) -> None:
    (one,) = ring_of(way, 1)
    with pytest.raises(corps.DeadlockError, match="would never end") as caught:
        getattr(one, method)().result()
    assert isinstance(caught.value, RuntimeError)
    error = caught.value
    assert len(error.cycle) == 1
    assert str(one._addr) in error.cycle[0]
    assert one.value().ret == 42


@pytest.mark.parametrize("method", ["round", "soft_round", "mixed_round"])
@pytest.mark.parametrize("number", [2, 5])
def test_a_ring_of_workers_that_wait_is_told(way: Way, number: int, method: str) -> None:
    names = ring_of(way, number + (method == "mixed_round" and number % 2))
    with pytest.raises(corps.DeadlockError, match="would never end") as caught:
        getattr(names[0], method)().result()
    assert isinstance(caught.value, corps.RemoteError)
    assert len(caught.value.cycle) == len(names)
    assert {part.split()[-1] for part in caught.value.cycle} == {str(name._addr) for name in names}
    assert [name.value().ret for name in names] == [42] * len(names)


def test_two_workers_that_ask_each_other_at_the_same_time_are_told(way: Way) -> None:
    for _ in range(5):
        names = ring_of(way, 2)
        latch = way.create(Latch)
        futures = [name.round_after(latch) for name in names]
        latch.arrived(2).result()
        latch.open().result()
        errors = [future.exception() for future in futures]
        assert any(isinstance(error, corps.DeadlockError) for error in errors), errors
        for error in errors:
            assert error is None or isinstance(error, corps.DeadlockError)


def test_five_workers_that_close_a_ring_at_the_same_time_are_told(way: Way) -> None:
    names = ring_of(way, 5)
    latch = way.create(Latch)
    futures = [name.round_after(latch) for name in names]
    latch.arrived(5).result()
    latch.open().result()
    assert any(isinstance(future.exception(), corps.DeadlockError) for future in futures)
    assert [name.value().ret for name in names] == [42] * 5


@pytest.mark.parametrize("method", ["wait_all_with_self", "gather_with_self", "gather_with_self_softly"])
def test_waiting_for_several_with_oneself_among_them_is_told(way: Way, method: str) -> None:
    one, other = ring_of(way, 2)
    with pytest.raises(corps.DeadlockError):
        getattr(one, method)(other).result()
    assert one.value().ret == 42


def test_waiting_for_any_of_several_is_no_deadlock(way: Way) -> None:
    one, other = ring_of(way, 2)
    assert one.wait_any_with_self(other).ret == 42


def test_asking_back_without_waiting_is_no_deadlock(way: Way) -> None:
    one, other = ring_of(way, 2)
    assert one.ask_and_be_asked().ret == "asked back"
    assert other.seen_values().ret == [42]


def test_interleaving_workers_may_ask_each_other_round_and_round(way: Way) -> None:
    one, other = (way.create(Lap), way.create_far(Lap))
    assert one.lap(other, one, 6).ret == 6


def test_a_long_but_healthy_wait_is_no_deadlock(way: Way) -> None:
    latch = way.create(Latch)
    future = way.create_far(Patient).wait_for(latch)
    with pytest.raises(corps.WaitTimeout):
        future.result(timeout=0.1)  # several times the time after which circles are looked for
    latch.open().result()
    assert future.ret == "opened"


def test_a_chain_that_waits_for_one_slow_worker_is_no_deadlock(way: Way) -> None:
    latch = way.create(Latch)
    patient = [way.create(Patient) if i % 2 else way.create_far(Patient) for i in range(6)]
    future = patient[0].pass_on(patient[1:], latch)
    with pytest.raises(corps.WaitTimeout):
        future.result(timeout=0.1)
    latch.open().result()
    assert future.ret == "opened"


def test_a_deadlock_that_is_caught_leaves_the_worker_well(way: Way) -> None:
    (one,) = ring_of(way, 1)
    assert one.catch_and_go_on().ret == "went on"
    assert one.catch_and_go_on().ret == "went on"


def test_an_interleaving_worker_that_awaits_its_own_plain_method_is_told(way: Way) -> None:
    (one,) = ring_of(way, 1, Open)
    with pytest.raises(corps.DeadlockError):
        one.ask_self_softly().result(timeout=5)


def test_a_circle_through_the_coroutine_of_an_interleaving_worker_is_told(way: Way) -> None:
    one, middle = way.create(Ring), way.create_far(Open)
    one.next = middle
    middle.next = one
    with pytest.raises(corps.DeadlockError):
        one.mixed_round().result()
    assert (one.value().ret, middle.soft_value().ret) == (42, 42)


def test_a_plain_method_of_an_interleaving_worker_stands_still_as_a_whole(way: Way) -> None:
    (one,) = ring_of(way, 1, Open)
    with pytest.raises(corps.DeadlockError):
        one.ask_self_with_a_limit().result()


def test_other_coroutines_of_an_interleaving_worker_are_no_circle(way: Way) -> None:
    one, other, latch = way.create(Open), way.create_far(Ring), way.create(Latch)
    waiting = one.wait_softly(latch)
    latch.arrived().result()
    other.next = one
    assert other.ask_next_softly().ret == 42
    latch.open().result()
    assert waiting.ret == "opened"


def test_a_worker_created_by_one_that_asks_it_back_in_its_constructor_is_told(way: Way) -> None:
    with pytest.raises(corps.DeadlockError):
        way.create(Parent).bear(way.far).result()


class Lap(corps.Conc):
    interleave: ClassVar[bool | int] = True

    async def lap(self, other: corps.Name[Any], me: corps.Name[Any], n: int) -> int:
        if n == 0:
            return 0
        below: int = await other.lap(me, other, n - 1)
        return below + 1


class Patient(corps.Conc):
    def wait_for(self, latch: corps.Name[Latch]) -> str:
        return str(latch.wait().ret)

    def pass_on(self, others: list[corps.Name["Patient"]], latch: corps.Name[Latch]) -> str:
        if not others:
            return str(latch.wait().ret)
        return str(others[0].pass_on(others[1:], latch).ret)


class Child(corps.Conc):
    def __init__(self, parent: corps.Name["Parent"]) -> None:
        parent.hello().result()


class Parent(corps.Conc):
    def hello(self) -> None:
        pass

    def bear(self, env: int) -> None:
        corps.options(env=env).create(Child, self.my_name())


def test_the_errors_of_a_mutual_wait_name_the_circle(way: Way) -> None:
    one, other = ring_of(way, 2)
    with pytest.raises(corps.DeadlockError) as caught:
        one.round().result()
    text = str(caught.value)
    assert str(one._addr) in text
    assert str(other._addr) in text
    assert " -> " in text
