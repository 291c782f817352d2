"""Claims about calls, attributes and the names that can be reached, over every path."""

import pytest

import corps
from corps.messages.requests import CALL, GET, SET, Kind
from tests.integration.behaviour.paths import Way
from tests.integration.behaviour.workers import Asker, Chained, Counter, Latch


def test_a_call_gives_a_future_of_what_the_method_returns(way: Way) -> None:
    counter = way.create(Counter, 10)
    future = counter.add(5)
    assert isinstance(future, corps.Future)
    assert future.ret == 15


def test_arguments_of_all_kinds_arrive(way: Way) -> None:
    counter = way.create(Counter)
    assert counter.both(1, *[2, 3], a=4, **{"b c": 5}).ret == ((1, 2, 3), {"a": 4, "b c": 5})
    assert counter.both().ret == ((), {})
    taken = {"name": 2, "method": 3, "args": 4, "kwargs": 5, "env": 6, "deadline": 7}
    assert counter.both(**taken).ret == ((), taken)


def test_the_typed_call_is_the_same_call(way: Way) -> None:
    counter = way.create(Counter)
    assert corps.call(counter, Counter.add, 3).ret == 3
    assert corps.call(counter, Counter.add, n=4).ret == 7


def test_constructor_arguments_arrive(way: Way) -> None:
    assert way.create(Counter, start=7).add(0).ret == 7


def test_a_sent_call_is_run_and_answers_nothing(way: Way) -> None:
    counter = way.create(Counter)
    for _ in range(10):
        counter.add.send()
    assert counter.add(0).ret == 10


def test_a_call_is_made_from_inside_a_worker_as_from_outside(way: Way) -> None:
    counter = way.create(Counter)
    asker = way.create_far(Asker)
    assert asker.ask(counter, "add", 5).ret == 5


def test_calls_with_options_reach_the_same_worker(way: Way) -> None:
    counter = way.create(Counter)
    assert counter.options(deadline=30.0).add(2).ret == 2
    assert counter.add(2).ret == 4
    assert counter.options(deadline=30.0).deadline_left().ret
    assert not counter.deadline_left().ret


def test_workers_created_with_a_deadline_are_called_with_it(way: Way) -> None:
    counter = way.options(deadline=30.0).create(Counter, 3)
    assert counter.add(1).ret == 4
    assert counter.deadline_left().ret


def test_data_attributes_are_read_through_the_name(way: Way) -> None:
    counter = way.create(Counter, 5)
    assert counter.value.ret == 5
    assert isinstance(counter.value, corps.Future)
    assert counter.unit.ret == "pieces"


def test_data_attributes_are_set_through_the_name(way: Way) -> None:
    counter = way.create(Counter)
    counter.value = 8
    assert counter.add(1).ret == 9
    counter.fresh = "new"
    assert counter.fresh.ret == "new"


def test_attributes_are_read_in_turn_with_calls(way: Way) -> None:
    counter = way.create(Counter)
    futures = [(counter.add(), counter.value)[1] for _ in range(50)]
    assert [future.ret for future in futures] == list(range(1, 51))


def test_properties_are_read_and_set_like_data(way: Way) -> None:
    counter = way.create(Counter, 5)
    assert counter.double.ret == 10
    counter.half = 4.0
    assert counter.value.ret == 8


def test_setting_that_fails_raises_where_it_is_done(way: Way) -> None:
    counter = way.create(Counter, 5)
    with pytest.raises(AttributeError) as caught:
        counter.double = 4
    assert isinstance(caught.value, corps.RemoteError)
    assert counter.value.ret == 5


def test_a_property_that_raises_is_a_remote_error(way: Way) -> None:
    with pytest.raises(ValueError, match="no such luck") as caught:
        _ = way.create(Counter).broken.ret
    assert isinstance(caught.value, corps.RemoteError)


def test_an_attribute_error_inside_a_property_tells_what_is_missing_there(way: Way) -> None:
    with pytest.raises(AttributeError, match="nothing_there"):
        _ = way.create(Counter).broken_inside.ret


def test_a_data_attribute_that_is_not_there_is_an_error_when_used(way: Way) -> None:
    with pytest.raises(corps.NoSuchMethod, match="no public data attribute 'missing'") as caught:
        _ = way.create(Counter).missing.ret
    assert caught.value.executed == "no"
    assert isinstance(caught.value, AttributeError)
    assert "Counter" in str(caught.value.target)


def test_a_wrong_method_name_raises_at_the_call(way: Way) -> None:
    counter = way.create(Counter)
    with pytest.raises(corps.NoSuchMethod, match="no method 'ad'; its methods are: add, both"):
        counter.ad(1)
    with pytest.raises(corps.NoSuchMethod):
        counter.ad.send(1)
    assert counter.add(1).ret == 1


@pytest.mark.parametrize(
    ("kind", "method", "args"),
    [
        (CALL, "ad", ()),
        (CALL, "_hidden", ()),
        (CALL, "value", ()),
        (CALL, "__init__", ()),
        (CALL, "cleanup", ()),
        (CALL, "my_env", ()),
        (CALL, "__reduce__", ()),
        (GET, "_secret", ()),
        (GET, "add", ()),
        (GET, "main", ()),
        (GET, "__dict__", ()),
        (SET, "_secret", ("x",)),
        (SET, "add", ("x",)),
        (SET, "cleanup", ("x",)),
        (SET, "__class__", ("x",)),
    ],
)
def test_who_asks_past_the_name_gets_the_error_in_the_future(
    way: Way, kind: Kind, method: str, args: tuple[str, ...]
) -> None:
    counter = way.create(Counter)
    future = way.engine.ask(kind, counter._addr, method, args, {})
    with pytest.raises(corps.NoSuchMethod) as caught:
        future.result()
    assert caught.value.executed == "no"
    assert counter.add().ret == 1


def test_private_names_are_refused_at_once(way: Way) -> None:
    counter = way.create(Counter)
    for private in ("_secret", "_hidden", "__private"):
        with pytest.raises(AttributeError, match="underscore"):
            getattr(counter, private)
    with pytest.raises(corps.NoSuchMethod):
        setattr(counter, "_secret", "seen")  # noqa: B010
    assert not hasattr(counter, "_repr_html_")


def test_hooks_and_methods_are_no_attributes_to_set_or_read(way: Way) -> None:
    counter = way.create(Counter)
    for hook in ("cleanup", "main", "receive", "before", "my_env", "interleave"):
        with pytest.raises(corps.NoSuchMethod):
            getattr(counter, hook)
        with pytest.raises(corps.NoSuchMethod):
            setattr(counter, hook, None)
    with pytest.raises(corps.NoSuchMethod):
        counter.add = None


def test_static_and_class_methods_are_methods(way: Way) -> None:
    counter = way.create(Counter)
    assert counter.twice(4).ret == 8
    assert counter.named(4).ret == "Counter4"


def test_wrong_arguments_are_the_type_error_they_would_be(way: Way) -> None:
    with pytest.raises(TypeError, match="unexpected keyword"):
        way.create(Counter).add(nonsense=1).result()


def test_a_worker_that_never_was_is_no_such_worker(way: Way) -> None:
    counter = way.create(Counter)
    future = way.engine.ask(CALL, counter._addr._replace(conc=10**6), "add", (), {})
    with pytest.raises(corps.NoSuchWorker) as caught:
        future.result()
    assert isinstance(caught.value, LookupError)
    assert caught.value.executed == "no"


def test_a_worker_of_another_corps_is_no_such_worker(way: Way) -> None:
    counter = way.create(Counter)
    future = way.engine.ask(CALL, counter._addr._replace(corps="0" * 16), "add", (), {})
    has_border = way.engine.border is not None  # then it could be a worker that others have handed out
    with pytest.raises(corps.Unreachable if has_border else corps.NoSuchWorker) as caught:
        future.result()
    assert caught.value.executed == "no"


def test_many_requests_to_oneself_are_run_in_turn(way: Way) -> None:
    chain, latch = way.create(Chained), way.create(Latch)
    chain.count_down(50, latch).result()
    latch.arrived().result()
    assert chain.seen.ret == list(range(50, -1, -1))


def test_a_method_may_have_an_argument_called_self(way: Way) -> None:
    assert way.create(Counter).keywords(self=1, cls=2).ret == {"self": 1, "cls": 2}


def test_a_request_can_be_written_as_a_function_of_the_worker(way: Way) -> None:
    counter = way.create(Counter)
    assert corps.ask(counter, lambda c: c.add(3)).ret == 3
    assert corps.ask(counter, lambda c: c.value).ret == 3
    with pytest.raises(TypeError, match="the function gave 5: let it make one request and return that"):
        corps.ask(counter, lambda c: 5)
    with pytest.raises(TypeError, match="the function gave <method 'add'"):
        corps.ask(counter, lambda c: c.add)
