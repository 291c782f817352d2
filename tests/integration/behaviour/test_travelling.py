"""Claims about the context variables that travel with a request: those that the Corps names."""

import asyncio
import contextvars
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, ClassVar

import pytest

import corps
from tests.integration.behaviour.paths import Way
from tests.integration.behaviour.workers import TENANT, TRACE

LIMIT = 20

_own: contextvars.ContextVar[str] = contextvars.ContextVar("own", default="nobody")  # which does not travel


@contextmanager
def tenant(name: str) -> Iterator[None]:
    token = TENANT.set(name)
    try:
        yield
    finally:
        TENANT.reset(token)


class Server(corps.Conc):
    """Tells whom it serves, in every kind of code that a worker has."""

    interleave: ClassVar[bool | int] = True

    def __init__(self) -> None:
        self.at_birth = TENANT.get()
        self.heard: list[str] = []
        self._waiting = asyncio.Event()

    def plain(self) -> str:
        return TENANT.get()

    async def soft(self) -> str:
        await asyncio.sleep(0)
        return TENANT.get()

    @property
    def seen(self) -> str:
        return TENANT.get()

    def note(self) -> None:
        self.heard.append(TENANT.get())

    def both(self) -> tuple[str, Any]:
        return TENANT.get(), TRACE.get("no trace")

    def own(self) -> str:
        return _own.get()

    def serve(self, name: str) -> None:
        TENANT.set(name)
        _own.set(name)

    async def wait(self) -> str:
        await self._waiting.wait()
        return TENANT.get()

    async def let_go(self) -> None:
        self._waiting.set()

    def items(self) -> Iterator[str]:
        for _ in range(4):
            yield TENANT.get()

    async def aitems(self) -> AsyncIterator[str]:
        for _ in range(4):
            yield TENANT.get()

    async def items_later(self) -> Iterator[str]:
        await asyncio.sleep(0)
        return self.items()

    def ask(self, other: corps.Name["Server"]) -> tuple[str, str]:
        return other.plain().ret, TENANT.get()

    async def ask_softly(self, other: corps.Name["Server"]) -> tuple[str, str]:
        return await other.soft(), TENANT.get()

    def pass_on(self, other: corps.Name["Server"]) -> corps.Future[str]:
        answer: corps.Future[str] = other.plain()
        return answer

    def make(self) -> tuple[str, str]:
        child = corps.options(env="here").create(Server)
        return child.at_birth.ret, child.plain().ret


class Careful(corps.Conc):
    """Has steps of its own."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def before(self, request: Any) -> None:
        self.told.append(TENANT.get())

    def after(self, request: Any, outcome: Any) -> None:
        self.told.append(TENANT.get())

    def plain(self) -> None:
        self.told.append(TENANT.get())

    async def soft(self) -> None:
        self.told.append(TENANT.get())

    def taken(self) -> list[str]:
        told, self.told = self.told, []
        return told


class Receiving(corps.Conc):
    """Has a main of its own."""

    def main(self) -> None:
        while (request := self.receive()) is not None:
            self.handle(request)

    def plain(self) -> str:
        return TENANT.get()


METHODS = ["plain", "soft"]


@pytest.mark.parametrize("method", METHODS)
def test_a_method_has_the_value_of_its_caller_for_that_request_alone(way: Way, method: str) -> None:
    server = way.create(Server)
    with tenant("alice"):
        assert getattr(server, method)().ret == "alice"
    assert [server.plain().ret, server.soft().ret] == ["nobody", "nobody"]
    with tenant("bob"):
        assert getattr(server, method)().result(timeout=LIMIT) == "bob"
        asked = getattr(server.options(deadline=LIMIT), method)()
    assert asked.ret == "bob"
    assert [server.plain().ret, server.soft().ret] == ["nobody", "nobody"]


def test_what_is_not_set_at_the_caller_does_not_travel(way: Way) -> None:
    server = way.create(Server)
    assert server.both().ret == ("nobody", "no trace")
    token = TRACE.set({"id": 7})
    try:
        assert server.both().ret == ("nobody", {"id": 7})
    finally:
        TRACE.reset(token)


def test_no_other_variable_travels(way: Way) -> None:
    server = way.create(Server)
    token = _own.set("alice")
    try:
        assert server.own().ret == "nobody"
    finally:
        _own.reset(token)


def test_what_the_method_sets_ends_with_the_request_if_it_has_travelled(way: Way) -> None:
    server = way.create(Server)
    with tenant("alice"):
        server.serve("bob").result()
        assert TENANT.get() == "alice"
    assert server.plain().ret == "nobody"
    assert server.own().ret == "bob", "of the others the worker keeps what it has set"


@pytest.mark.parametrize("method", ["ask", "ask_softly"])
def test_it_travels_on_with_what_the_worker_asks(way: Way, method: str) -> None:
    server, other = way.create(Server), way.create_far(Server)
    with tenant("alice"):
        assert getattr(server, method)(other).ret == ("alice", "alice")
    assert getattr(server, method)(other).ret == ("nobody", "nobody")


def test_it_travels_on_with_an_answer_of_another_worker(way: Way) -> None:
    server, other = way.create(Server), way.create_far(Server)
    with tenant("alice"):
        assert server.pass_on(other).ret == "alice"
    assert server.pass_on(other).ret == "nobody"


@pytest.mark.parametrize("method", ["items", "aitems", "items_later"])
@pytest.mark.parametrize("ahead", [0, 2])
def test_each_step_of_a_generator_has_the_value_of_the_call_that_made_it(
    way: Way, method: str, ahead: int
) -> None:
    server = way.create(Server)
    calling = server.options(prefetch=ahead)
    with tenant("alice"):
        items = getattr(calling, method)().ret
    with tenant("bob"):
        others = getattr(calling, method)().ret
        assert next(items) == "alice"
        assert next(others) == "bob"
    assert [*items, *others] == ["alice"] * 3 + ["bob"] * 3
    assert server.plain().ret == "nobody"
    assert list(getattr(calling, method)().ret) == ["nobody"] * 4


def test_coroutines_under_way_at_once_have_each_their_own(way: Way) -> None:
    server = way.create(Server)
    asked = []
    for name in ["alice", "bob"]:
        with tenant(name):
            asked.append(server.wait())
    asked.append(server.wait())
    server.let_go().result()
    assert [each.ret for each in asked] == ["alice", "bob", "nobody"]


def test_threads_have_each_their_own(way: Way) -> None:
    server = way.create(Server)
    start = threading.Barrier(4)

    def ask(name: str) -> set[tuple[str, str]]:
        with way.entered(), tenant(name):
            start.wait(LIMIT)
            return {(server.plain().ret, server.soft().ret) for _ in range(25)}

    with ThreadPoolExecutor(4) as threads:
        names = ["alice", "bob", "carol", "dave"]
        assert list(threads.map(ask, names)) == [{(name, name)} for name in names]
    assert server.plain().ret == "nobody"


def test_tasks_have_each_their_own(way: Way) -> None:
    server = way.create(Server)

    async def ask(name: str) -> str:
        TENANT.set(name)
        await asyncio.sleep(0)
        told: str = await server.plain()
        return told

    async def ask_all() -> list[str]:
        return await asyncio.gather(*[ask(name) for name in ["alice", "bob"]])

    assert asyncio.run(ask_all()) == ["alice", "bob"]


def test_it_travels_with_what_wants_no_answer(way: Way) -> None:
    server = way.create(Server)
    with tenant("alice"):
        server.note.send()
    server.note.send()
    assert server.heard.ret == ["alice", "nobody"]


def test_a_data_attribute_is_read_with_the_value_where_it_was_named(way: Way) -> None:
    server = way.create(Server)
    with tenant("alice"):
        seen = server.seen
    with tenant("bob"):
        assert seen.ret == "alice"
    assert server.seen.ret == "nobody"


def test_it_travels_to_one_incarnation_too(way: Way) -> None:
    server = way.create(Server)
    with tenant("alice"):
        assert server.pinned.plain().ret == "alice"
    assert server.pinned.plain().ret == "nobody"


def test_a_constructor_has_none_because_it_runs_again_without_its_creator(way: Way) -> None:
    with tenant("alice"):
        server = way.create(Server)
        assert server.at_birth.ret == "nobody"
        assert server.make().ret == ("nobody", "alice")


@pytest.mark.parametrize("method", METHODS)
def test_each_step_of_a_request_has_it(way: Way, method: str) -> None:
    careful = way.create(Careful)
    with tenant("alice"):
        getattr(careful, method)().result()
    assert careful.taken().ret == ["alice"] * 3 + ["nobody"]


def test_a_worker_with_a_main_of_its_own_has_it_while_it_handles_the_request(way: Way) -> None:
    receiving = way.create(Receiving)
    with tenant("alice"):
        assert receiving.plain().ret == "alice"
    assert receiving.plain().ret == "nobody"


def test_a_failed_request_leaves_nothing_behind(way: Way) -> None:
    server = way.create(Server)
    with tenant("alice"):
        error = server.plain("one too many").exception()
        assert isinstance(error, TypeError)
    assert server.plain().ret == "nobody"


def test_a_value_that_cannot_be_packed_is_named_in_the_caller(way: Way) -> None:
    server = way.create(Server)
    lock = threading.Lock()
    token = TRACE.set([lock])
    try:
        if way.is_local:
            assert server.both().ret == ("nobody", [lock])
        else:
            with pytest.raises(corps.PackError, match=r"the travelling context variable 'trace'\[0\]"):
                server.both()
    finally:
        TRACE.reset(token)
    assert server.both().ret == ("nobody", "no trace")
