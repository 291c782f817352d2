"""Requests for any of several workers, when one of these is gone."""

from collections.abc import Callable
from typing import Any, cast

import pytest

from corps.addresses import ConcAddr
from corps.errors import DeadlineExceeded, EnvLost, RequestError, WorkerGone
from corps.messages.outcomes import Refused, Value
from corps.messages.requests import Request
from corps.runtime.calls.futures import Future
from corps.workers.rerouting import ask_any
from corps.workers.routes import Route
from corps.workers.routing import How

CORPS = "0" * 16
GROUP = ConcAddr(CORPS, 0, 99)
ROUND = How("round")
FIRST, SECOND, THIRD = (ConcAddr(CORPS, env, 5) for env in (1, 2, 3))


class Env:
    """Sends to nobody, and rings its alarms when the test says so."""

    closed = False
    id, corps_id = 0, "0123456789abcdef"

    def __init__(self) -> None:
        self.alarms = self
        self.retrying: dict[Any, None] = {}
        self.rings: list[Callable[[], object]] = []
        self.sent: list[Request] = []

    def at(self, due: float, ring: Callable[[], object]) -> None:
        self.rings.append(ring)

    def ring(self) -> None:
        self.rings.pop(0)()

    def ask(
        self, kind: Any, target: ConcAddr, method: str, args: Any, kwargs: Any, *rest: Any, **_: Any
    ) -> None:
        future = rest[1]
        future.request = Request(kind, target, method, args, kwargs, future)

    def dispatch(self, request: Request) -> None:
        self.sent.append(request)


class World:
    def __init__(self, *members: ConcAddr) -> None:
        self.env = Env()
        self.lost: dict[int, bool] = {}
        self.route = Route(GROUP, 0, self.lost)
        self.route.update((0, members))

    def ask(self, *args: Any, retries: int = 0, how: How = ROUND) -> Future[Any]:
        future = ask_any(cast("Any", self.env), self.route, how, "method", args, {}, None, retries)
        if future.request is not None:
            self.env.dispatch(future.request)
        return future

    @property
    def targets(self) -> list[ConcAddr]:
        return [request.target for request in self.env.sent]

    @property
    def under_way(self) -> int:
        return sum(self.route._loads.values())


def fail(future: Future[Any], error: RequestError) -> None:
    assert future.request is not None
    future.request.settle(Refused(error))


def test_what_had_not_begun_goes_to_another_worker_at_once() -> None:
    world = World(FIRST, SECOND)
    future = world.ask(1)
    fail(future, EnvLost("planted", executed="no"))
    world.env.ring()
    assert world.targets == [FIRST, SECOND]
    assert world.env.sent[1].args == (1,)
    world.env.sent[1].settle(Value(2))
    assert future.result() == 2
    assert world.under_way == 0


@pytest.mark.parametrize("executed", ["yes", "unknown"])
def test_what_had_begun_fails_as_ever(executed: Any) -> None:
    world = World(FIRST, SECOND)
    future = world.ask()
    fail(future, EnvLost("planted", executed=executed))
    with pytest.raises(EnvLost) as caught:
        future.result()
    assert caught.value.executed == executed
    assert world.targets == [FIRST]
    assert world.under_way == 0


def test_what_is_idempotent_goes_to_another_worker_though_it_had_begun() -> None:
    world = World(FIRST, SECOND)
    future = world.ask(retries=1)
    fail(future, EnvLost("planted", executed="unknown"))
    world.env.ring()
    assert world.targets == [FIRST, SECOND]
    fail(future, EnvLost("planted", executed="no"))
    world.env.ring()
    fail(future, EnvLost("planted", executed="unknown"))
    with pytest.raises(EnvLost):
        future.result()


def test_other_errors_are_the_answer() -> None:
    world = World(FIRST, SECOND)
    future = world.ask()
    fail(future, DeadlineExceeded("planted", executed="no"))
    with pytest.raises(DeadlineExceeded):
        future.result()


def test_workers_of_an_env_that_is_lost_are_left_out() -> None:
    world = World(FIRST, SECOND, THIRD)
    world.lost[2] = True
    for _ in range(6):
        world.ask()
    assert set(world.targets) == {FIRST, THIRD}
    del world.lost[2]
    for _ in range(6):
        world.ask()
    assert SECOND in world.targets


def test_no_other_worker_of_the_env_that_was_lost_is_tried_before_that_is_known() -> None:
    other = ConcAddr(CORPS, 1, 6)
    world = World(FIRST, other, SECOND)
    future = world.ask()
    fail(future, EnvLost("planted", executed="no"))
    world.env.ring()
    assert world.targets == [FIRST, SECOND]


def test_a_worker_that_has_ended_for_good_leaves_no_hope_if_it_is_the_only_one() -> None:
    world = World(FIRST)
    future = world.ask()
    fail(future, WorkerGone("planted", executed="no"))
    with pytest.raises(WorkerGone):
        future.result()


def test_where_all_processes_have_died_a_request_waits_for_one_that_comes_back() -> None:
    world = World(FIRST)
    future = world.ask()
    world.lost[1] = True
    fail(future, EnvLost("planted", executed="no"))
    world.env.ring()
    assert world.targets == [FIRST, FIRST]
    world.env.sent[1].settle(Value("back"))
    assert future.result() == "back"


def test_tries_come_to_an_end() -> None:
    world = World(FIRST, SECOND)
    future = world.ask()
    while not future.done():
        fail(future, EnvLost("planted", executed="no"))
        if world.env.rings:
            world.env.ring()
    assert len(world.targets) == 21
    with pytest.raises(EnvLost) as caught:
        future.result()
    assert caught.value.executed == "no"


def test_a_group_without_workers_refuses() -> None:
    world = World()
    with pytest.raises(WorkerGone, match="no worker") as caught:
        world.ask().result()
    assert caught.value.executed == "no"


def test_a_request_counts_as_under_way_until_its_caller_has_an_answer_or_gives_up() -> None:
    world = World(FIRST)
    answered, given_up = world.ask(), world.ask()
    assert world.under_way == 2
    world.env.sent[0].settle(Value(None))
    given_up.cancel()
    assert world.under_way == 0
    world.env.sent[1].settle(Value(None))
    assert world.under_way == 0
    assert answered.done()


def test_a_listing_is_taken_over_if_it_is_newer() -> None:
    world = World(FIRST)
    world.route.update((2, (SECOND,)))
    world.route.update((1, (THIRD,)))
    assert world.route.listing == (2, (SECOND,))
