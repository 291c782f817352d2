"""Claims about the search for circles of waits: several Envs in one process, joined by lists of probes."""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corps.addresses import ConcAddr
from corps.errors import DeadlockError
from corps.messages.interfaces import Interface
from corps.messages.requests import BEGUN, CALL, Request
from corps.runtime.calls.deadlock import Probe, WaitGraph
from corps.runtime.calls.futures import Future
from corps.runtime.calls.waiting import gather
from corps.runtime.context import Activity, current


class Cell:
    incarnation = 1

    def __init__(self, place: int, number: int, graph: WaitGraph, interleave: int) -> None:
        self.addr = ConcAddr("0" * 16, place, number)
        self.graph = graph
        self.interface = Interface(
            "m:C", frozenset(), async_methods=frozenset({"soft"}), interleave=interleave
        )
        self.activity: Any = None
        self.away = 0
        self.is_shared = False
        self.wait: Any = None

    def __str__(self) -> str:
        return f"{self.addr.env}:{self.addr.conc}"

    def take_back(self, request: Request) -> bool:
        return False

    def withdraw(self, request: Request) -> None: ...
    def ask_back(self, request: Request) -> None: ...
    def relay(self, request: Request, answer: Any) -> None: ...


@contextmanager
def coroutine_of(request: Request | None) -> Iterator[None]:
    """The calling code is the coroutine that runs this request."""
    here = Activity(cast("Any", object()))
    here.task, here.request = cast("Any", object()), request
    token = current.set(here)
    yield
    current.reset(token)


class Away:
    """The peer that a request was sent to."""

    incarnation = 0

    def take_back(self, request: Request) -> bool:
        return False

    def withdraw(self, request: Request) -> None: ...
    def ask_back(self, request: Request) -> None: ...
    def relay(self, request: Request, answer: Any) -> None: ...


class World:
    """Some Envs. A request to another one is a request on either side, as with a real link."""

    def __init__(self, envs: int) -> None:
        self.on_the_way: deque[tuple[Request, Probe]] = deque()
        self.graphs = [WaitGraph(self._send) for _ in range(envs)]
        self.arrived: dict[int, Request] = {}

    def _send(self, request: Request, probe: Probe) -> None:
        self.on_the_way.append((request, probe))

    def cell(self, place: int, number: int, interleave: int = 1) -> Cell:
        return Cell(place, number, self.graphs[place], interleave)

    def ask(self, asker: Cell | None, target: Cell, method: str = "plain") -> "tuple[Future[Any], Request]":
        """A request that has begun: the asker's Future, and the request as the target's Env has it."""
        future: Future[Any] = Future()
        request = Request(CALL, target.addr, method, (), {}, future)
        future.request = request
        if asker is None or asker.addr.env == target.addr.env:
            request.route = target  # type: ignore[assignment]
            request.stage = BEGUN
            return future, request
        request.route = Away()  # type: ignore[assignment]
        there = Request(CALL, target.addr, method, (), {}, Future())
        there.route = target  # type: ignore[assignment]
        there.stage = BEGUN
        self.arrived[id(request)] = there
        return future, there

    def wait(self, cell: Cell, *futures: "Future[Any]", of: Request | None = None) -> None:
        with coroutine_of(of):
            cell.graph.begin(cell, futures)

    def probe_all(self, cells: list[Cell]) -> int:
        """Every wait has lasted a while. Returns how many probes were sent."""
        for cell in cells:
            cell.graph.probe(cell)
        number = 0
        while self.on_the_way:
            number += 1
            assert number < 10_000, "probes go round and round"
            request, probe = self.on_the_way.popleft()
            self.graphs[request.target.env].follow(self.arrived[id(request)], probe)
        return number


def is_told(future: "Future[Any]") -> bool:
    return future.done() and isinstance(future.exception(), DeadlockError)


def test_waiting_for_oneself_is_told_when_it_begins() -> None:
    world = World(1)
    cell = world.cell(0, 1)
    future, _ = world.ask(cell, cell)
    world.wait(cell, future)
    assert is_told(future)
    error = future.exception()
    assert isinstance(error, DeadlockError)
    assert error.cycle == ("0:1",)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.integers(0, 2), min_size=2, max_size=7), st.data())
def test_every_ring_is_told_in_whatever_order_it_closes(places: list[int], data: st.DataObject) -> None:
    world = World(3)
    cells = [world.cell(place, number) for number, place in enumerate(places)]
    asked = [world.ask(cell, cells[(i + 1) % len(cells)])[0] for i, cell in enumerate(cells)]
    for i in data.draw(st.permutations(range(len(cells)))):
        world.wait(cells[i], asked[i])
    world.probe_all(data.draw(st.permutations(cells)))
    assert any(is_told(future) for future in asked)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_where_there_is_no_circle_nobody_is_told(data: st.DataObject) -> None:
    world = World(3)
    number = data.draw(st.integers(2, 8))
    cells = [world.cell(data.draw(st.integers(0, 2)), i) for i in range(number)]
    futures = []
    for i, cell in enumerate(cells[:-1]):  # each waits for later ones only
        targets = data.draw(st.lists(st.integers(i + 1, number - 1), min_size=1, max_size=3))
        mine = [world.ask(cell, cells[target])[0] for target in targets]
        futures += mine
        world.wait(cell, *mine)
    world.probe_all(cells)
    assert not any(future.done() for future in futures)


def test_a_wait_that_is_over_is_no_part_of_a_circle() -> None:
    world = World(2)
    one, other = world.cell(0, 1), world.cell(1, 1)
    first, _ = world.ask(one, other)
    world.wait(one, first)
    one.graph.end(one)
    second, _ = world.ask(other, one)
    world.wait(other, second)
    world.probe_all([one, other])
    assert not first.done()
    assert not second.done()
    assert one.graph._waits == {}


def test_a_probe_does_not_go_round_for_ever_in_a_circle_of_others() -> None:
    world = World(3)
    outside, one, other = world.cell(0, 1), world.cell(1, 1), world.cell(2, 1)
    futures = [world.ask(outside, one)[0], world.ask(one, other)[0], world.ask(other, one)[0]]
    for cell, future in zip((outside, one, other), futures, strict=True):
        world.wait(cell, future)
    assert world.probe_all([outside]) < 10
    assert not any(future.done() for future in futures)
    world.probe_all([other])
    assert [is_told(future) for future in futures] == [False, False, True]


def test_what_gather_has_joined_is_waited_for_one_by_one() -> None:
    world = World(1)
    cell, other = world.cell(0, 1), world.cell(0, 2)
    mine, theirs = world.ask(cell, cell)[0], world.ask(cell, other)[0]
    joined = gather(theirs, gather(mine))
    world.wait(cell, joined)
    assert is_told(mine)
    assert is_told(joined)
    assert not theirs.done()


def test_a_probe_that_comes_back_after_the_wait_was_over_harms_nobody() -> None:
    world = World(2)
    one, other = world.cell(0, 1), world.cell(1, 1)
    first, second = world.ask(one, other)[0], world.ask(other, one)[0]
    world.wait(one, first)
    world.wait(other, second)
    one.graph.probe(one)
    one.graph.end(one)
    later, _ = world.ask(one, other)
    world.wait(one, later)
    request, probe = world.on_the_way.popleft()
    world.graphs[1].follow(world.arrived[id(request)], probe)
    while world.on_the_way:
        request, probe = world.on_the_way.popleft()
        world.graphs[0].follow(world.arrived[id(request)], probe)
    assert not first.done()
    assert not later.done()


@pytest.mark.parametrize("places", [(0, 0), (0, 1)])
def test_a_coroutine_among_others_is_a_circle_of_its_own_request_alone(places: tuple[int, int]) -> None:
    world = World(2)
    busy, open_one = world.cell(places[0], 1), world.cell(places[1], 2, interleave=9)
    # `busy` waits for one coroutine of `open_one`; another one of them waits for `busy`.
    answer, _ = world.ask(busy, open_one, "soft")
    _, bystander = world.ask(None, open_one, "soft")
    world.wait(busy, answer)
    back, _ = world.ask(open_one, busy)
    world.wait(open_one, back, of=bystander)
    busy.graph.probe(busy)
    with coroutine_of(bystander):
        open_one.graph.probe(open_one)
    world.probe_all([])
    assert not back.done()
    assert not answer.done()


@pytest.mark.parametrize("places", [(0, 0), (0, 1)])
def test_a_coroutine_that_waits_for_who_waits_for_it_is_told(places: tuple[int, int]) -> None:
    world = World(2)
    busy, open_one = world.cell(places[0], 1), world.cell(places[1], 2, interleave=9)
    answer, running = world.ask(busy, open_one, "soft")
    world.wait(busy, answer)
    back, _ = world.ask(open_one, busy)
    world.wait(open_one, back, of=running)
    busy.graph.probe(busy)
    with coroutine_of(running):
        open_one.graph.probe(open_one)
    world.probe_all([])
    assert is_told(back) or is_told(answer)


def test_a_coroutine_may_wait_for_further_coroutines_but_not_for_plain_methods_of_its_worker() -> None:
    world = World(1)
    open_one = world.cell(0, 1, interleave=9)
    _, running = world.ask(None, open_one, "soft")
    for method, told in (("soft", False), ("plain", True)):
        future, request = world.ask(open_one, open_one, method)
        request.stage = 0
        world.wait(open_one, future, of=running)
        assert is_told(future) is told
        with coroutine_of(running):
            open_one.graph.end(open_one)
