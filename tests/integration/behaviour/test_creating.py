"""Claims about creating workers: where they live, how many, and what a failing constructor leaves."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import corps
from corps.runtime.context import current
from tests.integration.behaviour.paths import Way
from tests.integration.behaviour.workers import Counter


class Placed(corps.Conc):
    def __init__(self, start: int = 0) -> None:
        self.place = self.my_env()
        self.start = start


class Fails(corps.Conc):
    """Its constructor fails after it has created something."""

    def __init__(self, witness: corps.Name[Counter], kind: str = "value") -> None:
        self._witness = witness
        corps.options(env="here").create(Left, witness)
        if kind == "exit":
            raise SystemExit(2)
        raise ValueError("no such worker today")

    def cleanup(self) -> None:
        self._witness.add(1000).result()


class Left(corps.Conc):
    def __init__(self, witness: corps.Name[Counter]) -> None:
        self._witness = witness

    def cleanup(self) -> None:
        self._witness.add(1).result()


class FailsSometimes(corps.Conc):
    def __init__(self, witness: corps.Name[Counter], one_in: int) -> None:
        self._witness = witness
        self._made = False
        if witness.add(1).ret == one_in:
            raise LookupError("this is the one")
        self._made = True

    def cleanup(self) -> None:
        assert self._made
        self._witness.add(100).result()


class Maker(corps.Conc):
    def make(self, n: int, env: int) -> list[corps.Name[Placed]]:
        return corps.options(env=env, tag="made").create_many(n, Placed, 3)

    def make_failing(self, witness: corps.Name[Counter], env: int) -> Any:
        return corps.options(env=env).create(Fails, witness)


def test_a_worker_lives_where_it_was_to_live(way: Way) -> None:
    assert way.create(Placed).place.ret == way.near
    assert way.create_far(Placed).place.ret == way.far
    assert corps.options(env="here").create(Placed).place.ret == way.engine.id


def test_without_a_place_the_envs_are_taken_in_turn(way: Way) -> None:
    names = [corps.create(Placed) for _ in range(6)]
    places = [name.place.ret for name in names]
    wanted = sorted({way.near, way.far})
    assert {place: places.count(place) for place in places} == dict.fromkeys(wanted, 6 // len(wanted))


def test_many_are_created_over_all_envs(way: Way) -> None:
    names = corps.options(tag="crew").create_many(6, Placed, 4)
    assert len(set(names)) == 6
    assert sorted({name.place.ret for name in names}) == sorted({way.near, way.far})
    assert {name.my_tag().ret for name in names} == {"crew"}
    assert {name.start.ret for name in names} == {4}
    assert corps.options().create_many(0, Placed) == []


def test_some_are_created_in_each_env(way: Way) -> None:
    names = corps.options().create_per_env(2, Placed)
    envs = sorted({way.near, way.far})
    assert [name.place.ret for name in names] == [env for env in envs for _ in range(2)]


def test_workers_create_workers(way: Way) -> None:
    maker = way.create(Maker)
    names = maker.make(3, way.far).ret
    assert [name.place.ret for name in names] == [way.far] * 3
    assert set(maker.my_children().ret) == set(names)


def test_what_a_constructor_raises_is_raised_where_it_was_created(way: Way) -> None:
    witness = way.create(Counter)
    with pytest.raises(ValueError, match="today") as caught:
        way.create_far(Fails, witness)
    assert isinstance(caught.value, corps.RemoteError)
    assert "__init__" in caught.value.traceback


@pytest.mark.parametrize("far", [False, True])
def test_a_constructor_that_fails_leaves_nothing_behind(way: Way, far: bool) -> None:
    witness, maker = way.create(Counter), way.create(Maker)
    with pytest.raises(ValueError, match="today"):
        maker.make_failing(witness, way.far if far else way.near).result()
    assert witness.value.ret == 1, "what it had created is cleaned up, it itself was never there"
    assert maker.my_children().ret == []


def test_a_constructor_that_ends_programs_ends_none(way: Way) -> None:
    witness = way.create(Counter)
    with pytest.raises(corps.RemoteError, match="SystemExit: 2"):
        way.create(Fails, witness, "exit")
    assert way.create(Counter).add().ret == 1


def test_wrong_arguments_of_a_constructor_are_a_type_error(way: Way) -> None:
    with pytest.raises(TypeError, match="unexpected keyword"):
        way.create(Counter, begin=4)  # type: ignore[call-arg]


def test_if_one_of_many_fails_the_others_end_again(way: Way) -> None:
    witness = way.create(Counter)
    with pytest.raises(LookupError, match="this is the one"):
        way.options().create_many(5, FailsSometimes, witness, 3)
    assert witness.value.ret == 5 + 4 * 100


@pytest.mark.parametrize(
    "wrong", [{"env": 77}, {"env": "there"}, {"mailbox": 0}, {"deadline": 0}, {"deadline": -1.0}]
)
def test_options_that_cannot_be_are_refused(way: Way, wrong: dict[str, Any]) -> None:
    with pytest.raises(corps.ConfigError):
        corps.options(**wrong).create(Counter)


def test_numbers_that_cannot_be_are_refused(way: Way) -> None:
    with pytest.raises(corps.ConfigError):
        corps.options().create_many(-1, Counter)
    with pytest.raises(corps.ConfigError):
        corps.options(env=way.near).create_per_env(1, Counter)


@pytest.mark.parametrize("thing", [int, "Counter", object(), dict])
def test_what_is_no_conc_cannot_be_created(way: Way, thing: Any) -> None:
    with pytest.raises(corps.DefinitionError, match="subclass of"):
        corps.create(thing)


def test_a_plain_thread_means_the_only_env_that_is_open(way: Way) -> None:
    with ThreadPoolExecutor(1) as threads:
        counter = threads.submit(corps.create, Counter).result()
        assert threads.submit(corps.envs).result() == corps.envs()
        assert way.engine.id in threads.submit(corps.statistics).result()
        assert counter.add().ret == 1
        with corps.env(), pytest.raises(corps.ContextError, match=r"several Envs .* env0 of .*env0 of"):
            threads.submit(corps.create, Counter).result()


def test_an_env_creates_from_any_thread() -> None:
    with corps.env() as env:
        with ThreadPoolExecutor(4) as threads:
            names = list(threads.map(lambda i: env.create(Counter, i), range(20)))
        assert [name.value.ret for name in names] == list(range(20))
    assert current.get() is None


def test_names_of_an_env_that_has_closed_are_of_no_use_and_say_so() -> None:
    with corps.env() as env:
        counter = env.create(Counter)
    with pytest.raises((corps.ClosedError, corps.WorkerGone)):
        counter.add().result()
    with pytest.raises(corps.ClosedError):
        env.create(Counter)
    with pytest.raises(corps.ClosedError):
        env.options()
    env.close()


@pytest.mark.parametrize("name", ["options", "exit"])
def test_a_class_cannot_have_methods_that_names_have(name: str) -> None:
    with pytest.raises(corps.DefinitionError, match=f"every Name has a method '{name}'"):
        type("Wrong", (corps.Conc,), {name: lambda self: None})


@pytest.mark.parametrize("value", [0, -1, "yes", 1.5, None])
def test_a_class_cannot_interleave_by_nonsense(value: object) -> None:
    with pytest.raises(corps.DefinitionError, match="interleave"):
        type("Wrong", (corps.Conc,), {"interleave": value})
