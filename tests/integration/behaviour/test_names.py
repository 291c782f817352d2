"""Claims about Names as values: they compare, hash, pack, print and travel, over every path."""

import copy
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

import corps
from tests.integration.behaviour.paths import Way
from tests.integration.behaviour.workers import Asker, Counter


def test_names_are_equal_if_they_stand_for_the_same_worker(way: Way) -> None:
    one, other = way.create(Counter), way.create(Counter)
    mine = one.my_name().ret
    assert mine == one
    assert mine is not None
    assert hash(mine) == hash(one)
    assert one.options(deadline=9.0) == one
    assert one != other
    assert one != "one"
    assert one != one._addr


def test_names_are_keys(way: Way) -> None:
    names = [way.create(Counter) for _ in range(5)]
    places = {name: place for place, name in enumerate(names)}
    assert [places[name.my_self().ret] for name in names] == [0, 1, 2, 3, 4]
    assert len({*names, *(name.my_name().ret for name in names)}) == 5


def test_names_are_equal_inside_other_workers_too(way: Way) -> None:
    one, other = way.create(Counter), way.create_far(Counter)
    asker = way.create_far(Asker)
    assert asker.equal(one, one.options(deadline=3.0)).ret == (True, True)
    assert asker.equal(one, other).ret == (False, False)


def test_names_travel_inside_other_values_and_work_there(way: Way) -> None:
    asker = way.create_far(Asker)
    counters = [way.create(Counter, 10), way.create_far(Counter, 20)]
    labels = {counters[0]: "near", counters[1]: "far"}
    assert asker.pass_on(labels).ret == {"near": 11, "far": 21}


def test_a_name_that_comes_back_is_the_same_worker(way: Way) -> None:
    asker, counter = way.create(Asker), way.create_far(Counter)
    (back,) = way.create(Counter).same([counter]).ret
    assert back == counter
    assert back.add(1).ret == 1
    assert asker.ask(back, "add", 1).ret == 2


def test_a_name_keeps_its_deadline_on_the_way(way: Way) -> None:
    counter = way.create(Counter)
    back = way.create_far(Counter).same(counter.options(deadline=30.0)).ret
    assert back.deadline_left().ret


def test_a_pickled_name_works_again_inside_an_env(way: Way) -> None:
    counter = way.create(Counter)
    again = pickle.loads(pickle.dumps(counter))
    assert again == counter
    assert again.add(2).ret == 2


def test_a_name_unpickled_in_a_plain_thread_is_of_the_open_env_of_its_corps(way: Way) -> None:
    packed = pickle.dumps(way.create(Counter))
    with corps.env(), ThreadPoolExecutor(1) as threads:
        assert threads.submit(pickle.loads, packed).result().add(2).ret == 2


def test_a_name_unpickled_where_no_env_of_its_corps_is_open_says_so_when_used() -> None:
    with corps.env() as env:
        counter = env.create(Counter)
        packed = pickle.dumps(counter)
    again = pickle.loads(packed)
    assert again == counter
    assert repr(again) == repr(counter)
    with pytest.raises(corps.ContextError, match="no Env of its Corps was open"):
        again.add(1)
    with pytest.raises(corps.ContextError):
        _ = again.value
    with pytest.raises(corps.ContextError):
        again.exit()


def test_a_name_prints_its_class_and_address(way: Way) -> None:
    counter = way.create(Counter)
    assert repr(counter).startswith("<Name Counter ")
    assert repr(counter.add) == f"<method 'add' of {counter!r}>"
    assert str(counter) == repr(counter)


def test_copies_of_a_name_are_the_name(way: Way) -> None:
    counter = way.create(Counter)
    assert copy.copy(counter) is counter
    assert copy.deepcopy([counter])[0] is counter


def test_any_thread_uses_a_name(way: Way) -> None:
    counter = way.create(Counter)
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: counter.add().ret, range(200)))
    assert sorted(answers) == list(range(1, 201))


def test_a_thread_that_a_worker_started_uses_its_names(way: Way) -> None:
    counter = way.create(Counter)
    spawner = way.create_far(Spawner)
    spawner.spawn(counter, 4).result()
    assert counter.add(0).ret == 4


def test_methods_are_kept_and_can_be_passed_around(way: Way) -> None:
    counter = way.create(Counter)
    assert counter.add is counter.add
    assert [future.ret for future in map(counter.add, [1, 2, 3])] == [1, 3, 6]


class Spawner(corps.Conc):
    def spawn(self, counter: corps.Name[Counter], n: int) -> None:
        threads = [threading.Thread(target=lambda: counter.add(1).ret) for _ in range(n)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
