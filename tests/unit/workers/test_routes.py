"""Who hears of the workers of a group, and when."""

from collections.abc import Callable
from typing import Any, cast

from corps.addresses import ROUTES, ConcAddr
from corps.errors import EnvLost
from corps.messages.outcomes import Refused, Value
from corps.runtime.calls.futures import Future
from corps.workers.routes import Listing, Routes
from corps.workers.routing import How

CORPS = "0" * 16
FIRST, SECOND, THIRD = (ConcAddr(CORPS, env, 5) for env in (1, 2, 3))


class Corps:
    """Some Envs whose services answer at once, or not at all."""

    def __init__(self, *env_ids: int) -> None:
        self.dead: set[int] = set()
        self.asked: list[tuple[int, str]] = []
        self.routes = {env_id: Routes(cast("Any", Env(self, env_id))) for env_id in env_ids}


class Env:
    corps_id = CORPS

    def __init__(self, corps: Corps, env_id: int) -> None:
        self._corps = corps
        self.id = env_id
        self.registry = self

    def next_number(self) -> int:
        return 77

    def ask_service(self, env_id: int, number: int, what: str, *args: Any) -> Future[Any]:
        assert number == ROUTES
        self._corps.asked.append((env_id, what))
        future: Future[Any] = Future()
        if env_id in self._corps.dead:
            future.settle(Refused(EnvLost("planted", executed="no")))
        else:
            answer: Callable[..., Any] = getattr(self._corps.routes[env_id], what)
            future.settle(Value(answer(*args)))
        return future


class Group:
    def __init__(self, *members: ConcAddr) -> None:
        self.listing: Listing = (0, members)
        self.forgotten: list[ConcAddr] = []
        self.is_closed = False

    def change(self, *members: ConcAddr) -> Listing:
        self.listing = (self.listing[0] + 1, members)
        return self.listing

    def forget(self, worker: ConcAddr) -> None:
        self.forgotten.append(worker)

    def close(self) -> None:
        self.is_closed = True


def test_an_env_that_uses_a_name_gets_the_present_listing_and_all_changes() -> None:
    corps, group = Corps(1, 2, 3), Group(FIRST)
    owners = corps.routes[1].own(cast("Any", group), group.listing)
    old = group.listing
    corps.routes[1].tell(owners, group.change(FIRST, SECOND))
    theirs = corps.routes[2].route(owners.addr, old)
    assert theirs.listing == (1, (FIRST, SECOND))
    corps.routes[1].tell(owners, group.change(THIRD))
    assert [owners.listing, theirs.listing] == [(2, (THIRD,))] * 2
    assert corps.routes[2].route(owners.addr, old) is theirs
    assert corps.asked.count((1, "follow")) == 1


def test_an_env_that_uses_it_no_more_or_is_gone_is_asked_no_more() -> None:
    corps, group = Corps(1, 2, 3), Group(FIRST)
    owners = corps.routes[1].own(cast("Any", group), group.listing)
    route = corps.routes[2].route(owners.addr, group.listing)
    other = corps.routes[3].route(owners.addr, group.listing)
    corps.dead.add(3)
    del route
    for _ in range(2):
        corps.routes[1].tell(owners, group.change(SECOND))
    assert corps.asked.count((2, "changed")) == 1
    assert corps.asked.count((3, "changed")) == 1
    assert other.listing[0] == 0


def test_where_the_owner_is_gone_a_name_goes_on_with_what_it_knows() -> None:
    corps = Corps(1, 2)
    corps.dead.add(1)
    route = corps.routes[2].route(ConcAddr(CORPS, 1, 77), (4, (FIRST, SECOND)))
    assert route.listing == (4, (FIRST, SECOND))
    assert corps.routes[1].follow(78, 2) is None


def test_envs_that_are_lost_come_back_or_leave() -> None:
    corps = Corps(1)
    routes = corps.routes[1]
    route = routes.route(ConcAddr(CORPS, 1, 77), (0, (FIRST, SECOND)))
    how = How("round")
    routes.env_lost(2, returns=True)
    assert {route.take(how, None) for _ in range(4)} == {FIRST}
    assert route.has_hope(FIRST)
    routes.env_left(2)
    assert not route.has_hope(FIRST)
    routes.env_came(2)
    assert {route.take(how, None) for _ in range(4)} == {FIRST, SECOND}


def test_a_group_hears_of_workers_that_are_gone_and_of_its_end() -> None:
    corps, group = Corps(1), Group(FIRST)
    owners = corps.routes[1].own(cast("Any", group), group.listing)
    corps.routes[1].worker_gone(FIRST)
    corps.routes[1].close_group(owners.addr.conc)
    corps.routes[1].close_group(1234)
    assert group.forgotten == [FIRST]
    assert group.is_closed
