"""Claims about workers of which there is one: however many ask for it at once, and wherever."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

import corps
from corps.services.dirs.dir_copy import DirCopy
from corps.services.dirs.entries import Query
from corps.services.dirs.finding import key_of
from corps.services.dirs.singletons import Singletons
from corps.testing.memory_corps import MemoryEnv, memory_corps

LIMIT = 30.0


class Index(corps.Conc):
    def __init__(self, start: int = 0) -> None:
        self.start = start


class Other(Index):
    pass


class Failing(corps.Conc):
    tries = 0

    def __init__(self) -> None:
        type(self).tries += 1
        if self.tries < 2:
            raise ValueError("not yet")


class Lasting(corps.Conc):
    restart = corps.Restart(backoff=(0.0, 0.0))

    def number(self) -> int:
        return 1


class Asking(corps.Conc):
    def ask(self, tag: str) -> Any:
        return corps.options(tag=tag).singleton(Index)

    async def ask_in_a_coroutine(self) -> Any:
        return await corps.options().singleton_nowait(Index)

    def ask_per_env(self) -> Any:
        return corps.options(per="env").singleton(Index)


@pytest.fixture
def env() -> Iterator[corps.LocalEnv]:
    with corps.env() as env:
        yield env


@pytest.fixture
def three() -> Iterator[list[MemoryEnv]]:
    with memory_corps(3) as envs:
        yield envs


def singleton(here: MemoryEnv, cls: type[Any], **options: Any) -> Any:
    chosen = replace(corps.options(**options), _of=here.env)
    return chosen.singleton_nowait(cls).result(LIMIT)


def test_the_first_caller_makes_it_and_the_others_get_it(env: corps.LocalEnv) -> None:
    index = corps.singleton(Index, 5)
    assert corps.singleton(Index, 6) == index == corps.find(Index)
    assert index.start.ret == 5
    assert env.singleton(Index) == index


def test_there_is_one_of_each_class_and_tag(env: corps.LocalEnv) -> None:
    made = [corps.options(tag=tag).singleton(cls) for tag in ("", "a") for cls in (Index, Other)]
    assert len(set(made)) == 4
    assert [corps.options(tag=tag).singleton(cls) for tag in ("", "a") for cls in (Index, Other)] == made
    corps.register(env.create(Index))  # which is none, and may be beside it
    assert corps.singleton(Index) == made[0]


def test_when_it_has_ended_the_next_call_makes_another_one(env: corps.LocalEnv) -> None:
    first = corps.singleton(Index)
    first.exit().result(LIMIT)
    assert corps.singleton(Index) != first


def test_a_constructor_that_raises_is_tried_again_by_the_next_call(env: corps.LocalEnv) -> None:
    Failing.tries = 0
    with pytest.raises(ValueError, match="not yet"):
        corps.singleton(Failing)
    assert corps.singleton(Failing) == corps.find(Failing)


def test_a_tag_that_is_taken_has_its_error_and_leaves_nothing_behind(env: corps.LocalEnv) -> None:
    holder = corps.options(tag="a", register="unique").create(Other)
    with pytest.raises(corps.NameTaken) as caught:
        corps.options(tag="a").singleton(Index)
    assert caught.value.holder == holder
    assert corps.find_all(Index) == []


def test_bad_arguments_have_their_errors(env: corps.LocalEnv) -> None:
    with pytest.raises(corps.DefinitionError, match=r"subclass of corps\.Conc"):
        corps.singleton(int)
    with pytest.raises(corps.ConfigError, match="per='room'"):
        corps.options(per="room")  # type: ignore[arg-type]
    with pytest.raises(corps.ConfigError, match="say no env"):
        corps.options(per="env", env=1)
    with pytest.raises(corps.ConfigError, match="say no env"):
        corps.options(per="host", env=1)


def test_it_has_properties(env: corps.LocalEnv) -> None:
    index = corps.options(register=True, properties={"zone": "a"}).singleton(Index)
    assert corps.find(Index, zone="a") == index


def test_coroutines_get_it_without_blocking(env: corps.LocalEnv) -> None:
    asking = env.create(Asking)
    assert asking.ask_in_a_coroutine().ret == asking.ask("").ret


def test_many_threads_at_once_get_the_same(env: corps.LocalEnv) -> None:
    found: list[Any] = []
    barrier = threading.Barrier(8)

    def ask() -> None:
        barrier.wait()
        found.append(env.singleton(Index))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1
    assert corps.find_all(Index) == found[:1]


def test_all_envs_get_the_same(three: list[MemoryEnv]) -> None:
    asking = [three[0].options(env=each.id).create(Asking) for each in three]
    asked = [worker.ask(tag) for tag in ("a", "b") for worker in asking]
    found = [each.result(LIMIT) for each in asked]
    assert found[:3] == [found[0]] * 3
    assert found[3:] == [found[3]] * 3
    assert found[0] != found[3]


def test_it_outlives_the_worker_that_has_asked_first(three: list[MemoryEnv]) -> None:
    asking = three[0].options(env=2).create(Asking)
    index = asking.ask("a").result(LIMIT)
    asking.exit().result(LIMIT)
    assert singleton(three[2], Index, tag="a") == index


def test_there_may_be_one_in_each_env(three: list[MemoryEnv]) -> None:
    asking = [three[0].options(env=each.id).create(Asking) for each in three]
    found = [worker.ask_per_env().result(LIMIT) for worker in asking]
    assert [name._addr.env for name in found] == [1, 2, 3]
    assert [worker.ask_per_env().result(LIMIT) for worker in asking] == found


def on_hosts(envs: list[MemoryEnv], *names: str) -> None:
    """Put Envs on hosts; empty for that of the booting process."""
    hosts = {each.id: name for each, name in zip(envs, names, strict=True) if name}
    for each in envs:
        each.env.hosts = hosts


def test_on_one_host_there_is_one_for_all_envs_of_it(three: list[MemoryEnv]) -> None:
    found = [singleton(each, Index, per="host") for each in three]
    assert len(set(found)) == 1
    assert singleton(three[0], Index) not in found  # which is that of the Corps
    assert singleton(three[0], Index, per="host", tag="a") not in found


def test_it_is_one_on_one_host_in_an_env_alone(env: corps.LocalEnv) -> None:
    index = corps.options(per="host").singleton(Index)
    assert corps.options(per="host").singleton(Index) == index == corps.find(Index)


def test_there_may_be_one_on_each_host(three: list[MemoryEnv]) -> None:
    on_hosts(three, "", "b", "b")
    found = [singleton(each, Index, per="host") for each in three]
    assert [found[0]._addr.env, found[1] == found[2], found[1]._addr.env in {2, 3}] == [1, True, True]
    assert len(set(found)) == 2
    assert [singleton(each, Index, per="host") for each in reversed(three)] == found[::-1]


def test_one_on_a_host_may_be_in_the_env_of_the_caller(three: list[MemoryEnv]) -> None:
    on_hosts(three, "a", "b", "b")
    found = singleton(three[2], Index, per="host", env="here")
    assert found._addr.env == 3
    assert singleton(three[1], Index, per="host", env="here") == found


def test_two_envs_that_make_the_one_of_their_host_at_once_have_the_same(three: list[MemoryEnv]) -> None:
    # Each takes itself for the first Env of the host, as it does while others come and go.
    kept = {each.id: each.env.worker_envs for each in three}
    for each in three:
        each.env.worker_envs = [each.id]
    chosen = [replace(corps.options(per="host"), _of=each.env) for each in three for _ in "ab"]
    asked = [each.singleton_nowait(Index) for each in chosen]
    found = {future.result(LIMIT) for future in asked}
    for each in three:
        each.env.worker_envs = kept[each.id]
    assert len(found) == 1
    copies = [each.env.parts.get(DirCopy) for each in three]
    assert {copy.find(Query(cls=key_of(copy.env, Index))) for copy in copies} == found


def test_one_that_dies_with_its_env_is_made_anew_by_the_next_call(three: list[MemoryEnv]) -> None:
    first = singleton(three[2], Index, env=2)
    assert first._addr.env == 2
    three[1].die()
    second = singleton(three[2], Index)
    assert second != first
    assert singleton(three[0], Index) == second


def test_one_that_comes_back_stays_the_one(three: list[MemoryEnv]) -> None:
    first = singleton(three[2], Lasting, env=2)
    three[1].die(returns=True)
    assert singleton(three[2], Lasting) == first
    three[1].revive()
    assert three[2].name(first).number().result(LIMIT) == 1
    assert singleton(three[1], Lasting) == first


def test_nothing_of_it_is_left_in_what_makes_it(env: corps.LocalEnv) -> None:
    corps.singleton(Index)
    assert not env._env.parts.get(Singletons)._making
    assert len(env._env.parts.get(DirCopy).corps.entries) == 1
