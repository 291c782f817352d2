"""Claims about messages that reached nobody, over every path."""

import os
from collections.abc import Callable
from typing import Any

import pytest

import corps
from tests.integration.behaviour.paths import Way, booted, local
from tests.integration.behaviour.workers import Counter, Holder, Latch


class Unwelcome:
    """Can be packed, but not unpacked."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _refuse, ()


def _refuse() -> None:
    raise ValueError("not here")


class Bound(corps.Conc):
    """Is restarted once, and then never again."""

    restart = corps.Restart("permanent", max=1, within=100, backoff=(0, 0))

    def fail(self) -> None:
        raise corps.Fail("on purpose")

    def number(self) -> int:
        return self.my_name()._incarnation


@pytest.fixture
def latch(way: Way) -> corps.Name[Latch]:
    return way.create(Latch)


@pytest.fixture
def heard(way: Way) -> Any:
    """Takes the letters that come, and tells the next one about a worker."""
    with corps.dead_letters().subscribe() as subscription:

        def next_about(name: corps.Name[Any]) -> corps.DeadLetter:
            while True:
                letter = subscription.take(timeout=20)
                if letter.target == str(name._addr):
                    return letter

        yield next_about


Heard = Callable[[corps.Name[Any]], corps.DeadLetter]


def test_a_request_to_a_worker_that_has_ended(way: Way, heard: Heard) -> None:
    counter = way.create(Counter)
    counter.exit().result()
    assert isinstance(counter.add(1).exception(), corps.WorkerGone)
    letter = heard(counter)
    assert (letter.reason, letter.method, letter.sender) == ("ended", "add", None)
    assert letter.env == way.near
    assert letter in list(corps.dead_letters())
    assert letter in list(corps.dead_letters(way.near))
    assert corps.dead_letters().counts()["ended"] >= 1


def test_a_letter_names_the_worker_that_asked(way: Way, heard: Heard) -> None:
    counter, holder = way.create(Counter), way.create(Holder)
    counter.exit().result()
    assert isinstance(holder.ask(counter, "add").exception(), corps.WorkerGone)
    assert heard(counter).sender == str(holder._addr)


def test_what_waits_in_the_mailbox_of_a_worker_that_ends(
    way: Way, latch: corps.Name[Latch], heard: Heard
) -> None:
    holder, busy = way.busy(latch)
    waiting = holder.note("never")
    holder.note.send("never either")
    ended = holder.exit()
    opened = latch.open()  # at once: a slow machine must not keep the holder for `exit_timeout`
    assert isinstance(waiting.exception(), corps.WorkerGone)
    assert [heard(holder).reason for _ in range(2)] == ["dropped", "dropped"]
    for future in (opened, busy, ended):
        future.result()


def test_a_request_whose_time_was_over_before_it_began(
    way: Way, latch: corps.Name[Latch], heard: Heard
) -> None:
    holder, busy = way.busy(latch)
    assert isinstance(holder.options(deadline=0.02).note("x").exception(), corps.DeadlineExceeded)
    letter = heard(holder)
    assert (letter.reason, letter.method) == ("expired", "note")
    latch.open().result()
    busy.result()


def test_an_outcome_that_comes_after_its_caller_gave_up(
    way: Way, latch: corps.Name[Latch], heard: Heard
) -> None:
    holder, busy = way.busy(latch)
    assert busy.cancel()  # it has begun, so it goes on
    latch.open().result()
    letter = heard(holder)
    assert (letter.reason, letter.method) == ("late", "hold")
    assert holder.log.ret == ["held"]


def test_something_sent_without_wanting_an_answer_that_fails(way: Way, heard: Heard) -> None:
    counter = way.create(Counter)
    counter.both.send(1)
    counter.add.send("three")
    letter = heard(counter)
    assert (letter.reason, letter.method) == ("failed", "add")


def test_a_request_for_an_incarnation_that_has_ended(way: Way, heard: Heard) -> None:
    bound = way.create(Bound)
    assert isinstance(bound.fail().exception(), corps.Fail)
    assert bound.number().result() == 2
    assert isinstance(bound.pinned.number().exception(), corps.WorkerGone)
    assert heard(bound).reason == "stale"


def test_arguments_that_the_target_cannot_unpack(way: Way, heard: Heard) -> None:
    if way.is_local:
        pytest.skip("nothing is packed inside an Env")
    counter = way.create(Counter)
    assert isinstance(counter.add(Unwelcome()).exception(), corps.UnpackError)
    letter = heard(counter)
    assert (letter.reason, letter.method) == ("unpackable", "add")


def test_what_is_delivered_is_no_letter(way: Way) -> None:
    counter = way.create(Counter)
    before = corps.dead_letters().counts()
    assert counter.add(1).result() == 1
    assert isinstance(counter.nothing_of_that_kind.exception(), corps.NoSuchMethod)
    assert isinstance(counter.broken.exception(), ValueError)
    counter.options(deadline=20).add(1).result()
    assert corps.dead_letters().counts() == before


# Once: nothing of it depends on the path


class Mgr(corps.Conc):
    """Creates a worker that will pass its limit of restarts, and keeps its mailbox filled."""

    def __init__(self) -> None:
        self.bound = corps.create(Bound)

    def child(self) -> corps.Name[Bound]:
        return self.bound


def fail_too_often() -> None:
    with local() as way, corps.dead_letters().subscribe() as subscription:
        mgr = way.create(Mgr)
        child = mgr.child().result()
        child.fail().exception()
        assert child.number().result() == 2
        # The next failure is one too many. What comes behind it waits until that is known.
        failing, waiting = child.fail(), child.number()
        failing.exception()
        assert isinstance(waiting.exception(), corps.WorkerGone)
        letter = subscription.take(timeout=20)
        assert (letter.reason, letter.target) == ("not_restarted", str(child._addr))


def test_what_waits_for_a_worker_that_is_not_restarted_any_more() -> None:
    with pytest.raises(corps.RestartLimit, match="more often than its policy allows"):
        fail_too_often()  # nobody heals that, so the owner of the Env hears of it, too


def test_a_slow_subscriber_loses_the_oldest_and_is_told_how_many() -> None:
    with local() as way:
        counter = way.create(Counter)
        counter.exit().result()
        with corps.dead_letters().subscribe(queue=3) as subscription:
            for number in range(10):
                counter.add(number).exception()
            assert subscription.missed == 7
            assert [subscription.take(1).reason for _ in range(3)] == ["ended"] * 3
            with pytest.raises(corps.WaitTimeout):
                subscription.take(timeout=0)
        assert list(subscription) == []


def test_a_callback_hears_of_each_letter_and_may_raise(caplog: pytest.LogCaptureFixture) -> None:
    heard: list[str] = []

    def hear(letter: corps.DeadLetter) -> None:
        heard.append(letter.method)
        raise ValueError("a defect of the subscriber")

    with local() as way:
        counter = way.create(Counter)
        counter.exit().result()
        subscription = corps.dead_letters().subscribe(hear)
        counter.add(1).exception()
        counter.double.exception()
        subscription.close()
    assert heard == ["add", "double"]
    assert "a subscriber of dead letters raised" in caplog.text


def test_a_subscription_ends_with_its_env() -> None:
    with local():
        subscription = corps.dead_letters().subscribe()
    assert list(subscription) == []


class Looking(corps.Conc):
    async def take_softly(self) -> None:
        corps.dead_letters("here").subscribe().take()


def test_a_coroutine_cannot_wait_for_letters() -> None:
    with local() as way:
        assert isinstance(way.create(Looking).take_softly().exception(), corps.LoopBlocked)


def test_an_env_that_is_not_there_is_told() -> None:
    with local():
        with pytest.raises(corps.ConfigError, match="env=7"):
            corps.dead_letters(7)
        with pytest.raises(corps.ConfigError, match="queue=0"):
            corps.dead_letters("here").subscribe(queue=0)


class Ending(corps.Conc):
    def die(self) -> None:
        os._exit(3)


def test_the_letters_of_all_envs_come_also_from_the_next_process_of_one() -> None:
    """And what an Env went through is counted where it was booted."""
    with booted("unix") as way, way.entered(), corps.dead_letters().subscribe() as subscription:
        ending, counter = way.create_far(Ending), way.create(Counter)
        counter.exit().result()
        counter.add(1).exception()
        assert subscription.take(timeout=20).env == way.near
        died = ending.die()
        assert isinstance(died.exception(), corps.EnvLost)
        assert died.exception().elapsed is not None
        other = way.create_far(Counter)  # waits for the next process
        other.exit().result()
        other.add(1).exception()
        assert subscription.take(timeout=20).target == str(other._addr)
        while not (envs := corps.statistics()[0]["supervision"]["envs"])["recovery"]["count"]:
            pass  # it is told a moment after everybody else
        assert envs["failures"] == envs["restarts"] == 1
        assert envs["ends"] == {"error": 1}
        assert envs["detection"]["count"] == envs["recovery"]["count"] == 1
        assert envs["recovery"]["max"] >= envs["detection"]["max"] > 0.0
        assert envs["by_name"] == {f"env{way.far}": {"failures": 1, "restarts": 1}}
        assert set(corps.statistics()) == {-1, 0, way.near, way.far}
