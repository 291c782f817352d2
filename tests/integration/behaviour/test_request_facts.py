"""Claims about what the error of a request says of it: how long it took, and which incarnation it met."""

import pytest

import corps
from tests.integration.behaviour.paths import Way
from tests.integration.behaviour.workers import Holder, Latch


class Fragile(corps.Conc):
    restart = corps.Restart("permanent", max=10, within=100, backoff=(0, 0))

    def number(self) -> int:
        return self.my_name()._incarnation

    def fail(self) -> None:
        raise corps.Fail("on purpose")

    def stumble(self) -> None:
        raise ValueError("only this request")

    async def stumble_softly(self) -> None:
        raise ValueError("only this request")

    def ask(self, other: "corps.Name[Fragile]") -> None:
        other.stumble().result()


def facts(future: "corps.Future[object]") -> tuple[type[BaseException], int]:
    error = future.failure()
    assert isinstance(error, corps.RequestError)
    assert error.elapsed is not None
    assert error.elapsed > 0.0
    first = error.elapsed
    again = future.failure()
    assert isinstance(again, corps.RequestError)
    assert again.elapsed == first  # of the request, not of looking at it
    return type(error), error.incarnation


def test_what_a_method_raises_says_which_incarnation_raised_it(way: Way) -> None:
    fragile = way.create(Fragile)
    for incarnation in (1, 2, 3):
        assert fragile.number().result() == incarnation
        assert facts(fragile.stumble())[1] == incarnation
        assert facts(fragile.stumble_softly())[1] == incarnation
        assert facts(fragile.fail())[1] == incarnation


def test_what_a_further_worker_raises_says_which_of_that_one(way: Way) -> None:
    near, far = way.create(Fragile), way.create_far(Fragile)
    far.fail().exception()
    assert far.number().result() == 2
    error = near.ask(far).exception()
    assert isinstance(error, corps.RemoteError)
    assert error.elapsed is not None
    assert error.target is not None
    assert error.incarnation == (2 if str(far._addr) in error.target else 1)


def test_what_the_runtime_refuses_says_it_too(way: Way) -> None:
    fragile = way.create(Fragile)
    fragile.fail().exception()
    assert fragile.number().result() == 2
    assert facts(fragile.nothing_of_that_kind)[1] == 2
    fragile.exit().result()
    assert facts(fragile.number()) == (corps.WorkerGone, 2)


def test_a_request_that_was_given_up_says_how_long_it_took(way: Way) -> None:
    latch = way.create(Latch)
    holder, busy = way.busy(latch)
    error = holder.options(deadline=0.05).note("x").exception()
    assert isinstance(error, corps.DeadlineExceeded)
    assert error.elapsed is not None
    assert error.elapsed >= 0.05
    assert error.incarnation == (1 if way.is_local else 0)  # the caller's Env cannot know it of another
    waiting = holder.note("x")
    waiting.cancel()
    assert facts(waiting)[0] is corps.Cancelled
    latch.open().result()
    busy.result()


def test_what_was_never_sent_took_no_time(way: Way) -> None:
    holder = way.create(Holder)
    with pytest.raises(corps.NoSuchMethod) as caught:
        holder.my_env()
    assert caught.value.elapsed is None


def test_failures_and_recoveries_of_workers_are_counted(way: Way) -> None:
    fragile = way.create(Fragile)
    home, mgr = corps.statistics()[way.near], corps.statistics()[way.engine.id]
    for incarnation in (2, 3):
        fragile.fail().exception()
        assert fragile.number().result() == incarnation
    fragile.exit().result()
    while True:  # its Mgr is told a moment after it has come back
        after = corps.statistics()
        was, told = mgr["supervision"]["workers"], after[way.engine.id]["supervision"]["workers"]
        if told["recovery"]["count"] >= was["recovery"]["count"] + 2:
            break
    for what in ("detection", "recovery"):
        assert told[what]["count"] - was[what]["count"] == 2
    assert told["recovery"]["total"] >= told["detection"]["total"] > 0.0
    was, told = home["supervision"]["workers"], after[way.near]["supervision"]["workers"]
    assert told["failures"] - was["failures"] == told["restarts"] - was["restarts"] == 2
    assert told["ends"]["error"] - was["ends"].get("error", 0) == 2
    assert told["ends"]["normal"] > was["ends"].get("normal", 0)
    counts = [counts for name, counts in told["by_name"].items() if name.endswith(f" {fragile._addr}")]
    assert counts == [{"failures": 2, "restarts": 2}]
