"""Claims about the services of an Env: they hear of the ends of workers, and of other Envs."""

import logging
from collections.abc import Iterator

import pytest

import corps
from corps.addresses import ConcAddr
from corps.errors import ContextError
from corps.runtime.parts import Part, Parts
from corps.testing.memory_corps import MemoryEnv, memory_corps


class Hearing(Part):
    def __init__(self) -> None:
        self.heard: list[str] = []

    def worker_ended(self, worker: ConcAddr, *, returns: bool) -> None:
        self.heard.append(f"worker {worker.env}/{worker.conc} ended, returns: {returns}")

    def worker_came_back(self, worker: ConcAddr, incarnation: int) -> None:
        self.heard.append(f"worker {worker.env}/{worker.conc} came back as {incarnation}")

    def worker_gone(self, worker: ConcAddr) -> None:
        self.heard.append(f"child {worker.env}/{worker.conc} gone")

    def env_came(self, env_id: int) -> None:
        self.heard.append(f"env {env_id} came")

    def env_lost(self, env_id: int, *, returns: bool) -> None:
        self.heard.append(f"env {env_id} lost, returns: {returns}")

    def env_left(self, env_id: int) -> None:
        self.heard.append(f"env {env_id} left")

    def close(self) -> None:
        self.heard.append("closed")


class Deaf(Part):
    def close(self) -> None:
        raise ValueError("it cannot close")


class Plain(corps.Conc):
    pass


class Permanent(corps.Conc):
    restart = corps.Restart(backoff=(0.0, 0.0))

    def value(self) -> int:
        return 1


@pytest.fixture
def pair() -> Iterator[list[MemoryEnv]]:
    with memory_corps(2) as envs:
        yield envs


def listen(env: MemoryEnv) -> list[str]:
    hearing = Hearing()
    env.env.parts.add(hearing)
    return hearing.heard


def test_a_service_is_found_by_its_class() -> None:
    parts, hearing = Parts(), Hearing()
    parts.add(Deaf())
    parts.add(hearing)
    assert parts.get(Hearing) is hearing


def test_a_service_that_is_not_there_has_a_clear_error() -> None:
    with pytest.raises(ContextError, match="this Env has no Hearing"):
        Parts().get(Hearing)


def test_a_service_that_raises_keeps_nothing_from_the_others(caplog: pytest.LogCaptureFixture) -> None:
    parts, hearing = Parts(), Hearing()
    parts.add(Deaf())
    parts.add(hearing)
    with caplog.at_level(logging.ERROR):
        parts.tell(lambda part: part.close())
    assert hearing.heard == ["closed"]
    assert "Deaf could not take in what it heard" in caplog.text


def test_the_end_of_a_worker_is_heard_in_its_env_and_in_that_of_its_mgr(pair: list[MemoryEnv]) -> None:
    mine, others = listen(pair[0]), listen(pair[1])
    name = pair[0].options(env=pair[1].id).create(Plain)
    where = f"{name._addr.env}/{name._addr.conc}"
    name.exit().result()
    assert others == [f"worker {where} ended, returns: False"]
    pair[0].exit_workers()  # which hears of all ends before its own
    assert mine[0] == f"child {where} gone"


def test_a_worker_that_may_return_has_not_gone(pair: list[MemoryEnv]) -> None:
    mine, others = listen(pair[0]), listen(pair[1])
    name = pair[0].options(env=pair[1].id).create(Permanent)
    pair[1].die(returns=True)
    assert mine == [f"env {pair[1].id} lost, returns: True"]
    assert others == []
    pair[1].revive()
    assert corps.call(name, Permanent.value).result(timeout=30.0) == 1
    assert mine[1:] == [f"env {pair[1].id} came"]
    pair[1].die()
    where = f"{name._addr.env}/{name._addr.conc}"
    assert sorted(mine[2:]) == [
        f"child {where} gone",
        f"env {pair[1].id} left",
        f"env {pair[1].id} lost, returns: False",
    ]


def test_services_are_closed_with_their_env() -> None:
    with memory_corps(1) as envs:
        heard = listen(envs[0])
    assert heard[-1] == "closed"


def test_services_hear_of_an_end_before_the_caller_that_has_asked_for_it(pair: list[MemoryEnv]) -> None:
    mine = listen(pair[0])
    name = pair[1].create(Plain)
    pair[0].name(name).exit().result()
    assert mine == [f"child {name._addr.env}/{name._addr.conc} gone"]


class Falling(Permanent):
    def fall(self) -> None:
        raise corps.Fail("it fell")


def test_it_is_heard_which_incarnation_came_back(pair: list[MemoryEnv]) -> None:
    others = listen(pair[1])
    name = pair[0].options(env=pair[1].id).create(Falling)
    with pytest.raises(corps.Fail):
        corps.call(name, Falling.fall).result(timeout=30.0)
    assert corps.call(name, Falling.value).result(timeout=30.0) == 1
    assert others[-1] == f"worker {name._addr.env}/{name._addr.conc} came back as 2"
