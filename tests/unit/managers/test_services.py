"""Claims about the workers of services: they begin with a first request, come back, and end last."""

import threading
from collections.abc import Iterator

import pytest

import corps
from corps.addresses import ENV_MGR, SERVICES, SERVICES_MGR
from corps.managers.services import Service
from corps.runtime.env import Env
from corps.runtime.parts import Part
from corps.testing.memory_corps import MemoryEnv, memory_corps

EACH, ONE = SERVICES + 1000, SERVICES + 1001


class Notes(Part):
    def __init__(self, env: Env) -> None:
        self.env = env
        self.notes: list[str] = []


class Clerk(corps.Conc):
    def __init__(self, env: Env) -> None:
        self._notes = env.parts.get(Notes).notes

    def note(self, text: str) -> int:
        self._notes.append(text)
        return len(self._notes)

    def fall(self) -> None:
        raise corps.Fail("it fell")

    def cleanup(self) -> None:
        self._notes.append("cleaned up")


class Chief(Clerk):
    pass


SERVICES_UNDER_TEST = (
    Service(Notes, EACH, Clerk),
    Service(None, ONE, Chief, is_corps_wide=True),
)


class LastWord(corps.Conc):
    def __init__(self, home: int) -> None:
        self._home = home

    def cleanup(self) -> None:
        env = self._corps_own_cell().env
        env.ask_service(self._home, ONE, "note", "a last word").result()


@pytest.fixture
def envs() -> Iterator[list[MemoryEnv]]:
    with memory_corps(2, services=SERVICES_UNDER_TEST) as envs:
        yield envs


def notes(env: MemoryEnv) -> list[str]:
    return env.env.parts.get(Notes).notes


def numbers(env: MemoryEnv) -> list[int]:
    return [cell.addr.conc for cell in env.env.registry.cells()]


def test_a_service_that_nobody_asks_is_not_there(envs: list[MemoryEnv]) -> None:
    assert numbers(envs[0]) == numbers(envs[1]) == [ENV_MGR]


def test_a_service_begins_with_the_first_request_of_its_own_env_or_of_another(envs: list[MemoryEnv]) -> None:
    one, two = envs
    assert one.env.ask_service(1, EACH, "note", "a").result() == 1
    assert one.env.ask_service(2, EACH, "note", "b").result() == 1
    assert one.env.ask_service(2, EACH, "note", "c").result() == 2
    assert notes(one) == ["a"]
    assert notes(two) == ["b", "c"]
    assert numbers(one) == numbers(two) == [ENV_MGR, SERVICES_MGR, EACH]


def test_many_first_requests_at_once_find_one_service(envs: list[MemoryEnv]) -> None:
    one, two = envs
    barrier = threading.Barrier(8)
    counts: list[int] = []

    def ask(env: MemoryEnv) -> None:
        barrier.wait()
        counts.append(env.env.ask_service(1, EACH, "note", "x").result())

    threads = [threading.Thread(target=ask, args=(env,)) for env in (one, two) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(counts) == list(range(1, 9))
    assert numbers(one) == [ENV_MGR, SERVICES_MGR, EACH]


def test_a_corps_wide_service_is_in_one_env_alone(envs: list[MemoryEnv]) -> None:
    one, two = envs
    assert two.env.ask_service(one.env.home, ONE, "note", "a").result() == 1
    assert notes(one) == ["a"]
    with pytest.raises(corps.NoSuchWorker):
        one.env.ask_service(2, ONE, "note", "b").result()


def test_an_env_that_is_alone_has_the_corps_wide_services_too() -> None:
    with memory_corps(1, services=SERVICES_UNDER_TEST) as envs:
        assert envs[0].env.ask_service(envs[0].env.home, ONE, "note", "a").result() == 1


def test_a_service_that_fails_comes_back(envs: list[MemoryEnv]) -> None:
    one, two = envs
    assert one.env.ask_service(2, EACH, "note", "a").result() == 1
    with pytest.raises(corps.Fail):
        one.env.ask_service(2, EACH, "fall").result()
    assert one.env.ask_service(2, EACH, "note", "b").result() == 2
    assert notes(two) == ["a", "b"]


def test_services_stand_in_no_list_of_an_author(envs: list[MemoryEnv]) -> None:
    one, _ = envs
    one.env.ask_service(1, EACH, "note", "a").result()
    manager = one.env.registry.find(ENV_MGR)
    assert manager is not None
    assert manager.family.children() == []


def test_services_outlive_what_is_drained(envs: list[MemoryEnv]) -> None:
    one, two = envs
    one.env.ask_service(2, EACH, "note", "a").result()
    one.env.ask_manager(2, "drain_all").result()
    assert one.env.ask_service(2, EACH, "note", "b").result() == 2
    assert "cleaned up" not in notes(two)


def test_services_end_after_all_workers_which_may_use_them_to_the_last(envs: list[MemoryEnv]) -> None:
    one, two = envs
    two.env.ask_service(1, EACH, "note", "a").result()
    two.options(env=2).create(LastWord, one.id)
    two.exit_workers()
    assert notes(one) == ["a", "a last word"]
    one.exit_workers()
    assert notes(one) == ["a", "a last word", "cleaned up", "cleaned up"]
    assert numbers(one) == []


def test_a_service_may_begin_in_the_orderly_end_of_an_env_and_not_after_it() -> None:
    with corps.env() as env:
        engine = env._env
        engine.services.offer(
            {**engine.services._offered, ONE: engine.services._offered[SERVICES_MGR]._replace(cls=Late)}
        )
        env.create(Ask)
    with pytest.raises(corps.ClosedError):
        engine.ask_service(0, ONE, "answer").result()


class Late(corps.Conc):
    def answer(self) -> int:
        return 1


class Ask(corps.Conc):
    def cleanup(self) -> None:
        assert self._corps_own_cell().env.ask_service(0, ONE, "answer").result() == 1


def test_to_end_services_that_have_not_begun_is_no_error(envs: list[MemoryEnv]) -> None:
    assert envs[0].env.services.end().result() is None
