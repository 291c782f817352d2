"""Claims about the timers of one Env, by clocks that stand until a test moves them."""

import asyncio
import functools
import heapq
import itertools
import logging
import pickle
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from threading import Event, Thread
from typing import Any

import pytest

import corps
from corps import clock
from corps.errors import ConfigError, NoSuchMethod, WorkerGone
from corps.runtime.env import Env
from corps.runtime.threads.alarms import Alarm
from corps.services.timers.env_timers import EnvTimers
from corps.services.timers.schedules import OnceAt, Recurring, Schedule
from corps.services.timers.ticks import Target
from corps.testing.memory_corps import MemoryEnv, memory_corps
from corps.workers.everywhere import env_here
from corps.workers.timers import Timer, Timers
from tests.depths import at_each_depth

HOUR = 3600.0


class FakeTime:
    """The two clocks, and the alarms of one of them. What is due rings in a thread of its own."""

    def __init__(self) -> None:
        self.now, self.wall = 1000.0, datetime(2027, 1, 1, tzinfo=UTC).timestamp()
        self._heap: list[tuple[float, int, Alarm]] = []
        self._order = itertools.count()
        self.is_closed = False

    def at(self, due: float, ring: Callable[[], object]) -> Alarm:
        alarm = Alarm(self, due, ring)  # type: ignore[arg-type]  # all that it needs is `cancel`
        heapq.heappush(self._heap, (due, next(self._order), alarm))
        return alarm

    def cancel(self, alarm: Alarm) -> None:
        alarm.ring = None

    def close(self) -> None:
        self.is_closed = True

    @property
    def armed(self) -> int:
        return sum(alarm.ring is not None for *_, alarm in self._heap)

    def advance(self, seconds: float) -> None:
        until = self.now + seconds
        while self._heap and self._heap[0][0] <= until:
            due, _, alarm = heapq.heappop(self._heap)
            if alarm.ring is not None:
                self._go_to(max(due, self.now))
                ringing = Thread(target=alarm.ring)
                ringing.start()
                ringing.join()
        self._go_to(until)

    def late(self, seconds: float) -> None:
        """Let time pass while the thread of the alarms does not run."""
        self._go_to(self.now + seconds)
        self.advance(0.0)

    def _go_to(self, now: float) -> None:
        self.wall += now - self.now
        self.now = now


class Worker(corps.Conc):
    def __init__(self) -> None:
        self.seen: list[Any] = []
        self.begun, self.go_on = Event(), Event()

    def tick(self, *args: Any) -> None:
        self.seen.append(args)

    def counted(self, *, skipped: int) -> None:
        self.seen.append(skipped)

    def blocked(self, skipped: int = -1) -> None:
        self.seen.append(skipped)
        self.begun.set()
        assert self.go_on.wait(30.0)

    def sets(self, what: str, seconds: float) -> Timer:
        return getattr(corps, what)(seconds, self.my_name().tick)  # type: ignore[no-any-return]

    def let_go(self) -> "Worker":
        return self

    def fails(self) -> None:
        raise ValueError("it failed")


class Bench:
    """One Env with timers on clocks of a test."""

    def __init__(self, env: Env) -> None:
        self.env = env
        self.time = FakeTime()
        self.timers = env.parts.get(EnvTimers)
        self.timers._alarms = self.time  # type: ignore[assignment]  # all that they need of it
        self.timers._now = lambda: self.time.now
        self.timers._wall_time = lambda: self.time.wall

    def set_clock(self, seconds: float) -> None:
        self.time.wall += seconds

    def wall_timer(self, name: corps.Name[Any], schedule: Schedule) -> Timer:
        _, worker, method, kind, args = name.tick.as_request(())
        return self.timers.set(None, Target(worker, method, kind, args, {}), schedule)


@pytest.fixture
def bench() -> Iterator[Bench]:
    with corps.env() as _:
        yield Bench(env_here("in this test"))


def run(bench: Bench, name: corps.Name[Worker], seconds: float) -> list[Any]:
    """Let time pass, and what is due then run; return all that the worker has seen."""
    bench.time.advance(seconds)
    return list(name.seen.ret)


def test_after_calls_once(bench: Bench) -> None:
    name = corps.create(Worker)
    timer = corps.after(5.0, name.tick, "a", 1)
    assert run(bench, name, 4.9) == []
    assert run(bench, name, 0.2) == [("a", 1)]
    assert run(bench, name, 100.0) == [("a", 1)]
    assert timer.due is None
    assert timer.cancel() is False
    assert bench.time.armed == 0


def test_due_is_a_time_of_the_wall_clock(bench: Bench) -> None:
    name = corps.create(Worker)
    timer = corps.after(5.0, name.tick)
    assert timer.due == datetime(2027, 1, 1, 0, 0, 5, tzinfo=UTC)
    bench.set_clock(60.0)
    assert timer.due == datetime(2027, 1, 1, 0, 1, 5, tzinfo=UTC)
    assert corps.after(1e300, name.tick).due == datetime.max.replace(tzinfo=UTC)


def test_every_calls_at_equal_distances(bench: Bench) -> None:
    name = corps.create(Worker)
    timer = corps.every(1.0, name.tick)
    for count in range(1, 4):
        assert len(run(bench, name, 1.0)) == count
    assert timer.cancel() is True
    assert len(run(bench, name, 10.0)) == 3


def test_what_the_env_was_too_late_for_is_counted(bench: Bench) -> None:
    name = corps.create(Worker)
    corps.every(1.0, name.counted)
    bench.time.late(4.5)
    assert name.seen.ret == [3]
    assert run(bench, name, 0.4) == [3]
    assert run(bench, name, 0.2) == [3, 0]


def test_a_slow_worker_gets_no_flood_but_the_number(bench: Bench) -> None:
    name = corps.create(Worker)
    worker = corps.call(name, Worker.let_go).ret
    corps.every(1.0, name.blocked)
    bench.time.advance(1.0)
    assert worker.begun.wait(30.0)
    bench.time.advance(5.0)
    worker.go_on.set()
    assert name.seen.ret == [0]
    assert run(bench, name, 1.0) == [0, 5]
    assert run(bench, name, 1.0) == [0, 5, 0]


def test_a_delay_counts_from_the_end(bench: Bench) -> None:
    name = corps.create(Worker)
    worker = corps.call(name, Worker.let_go).ret
    corps.every(1.0, name.blocked, rate="delay")
    bench.time.advance(1.0)
    assert worker.begun.wait(30.0)
    bench.time.advance(5.0)
    assert bench.time.armed == 0
    worker.go_on.set()
    assert name.seen.ret == [0]
    assert run(bench, name, 0.9) == [0]
    assert run(bench, name, 0.2) == [0, 0]


def test_jitter_makes_ticks_late_and_no_other_ones(bench: Bench) -> None:
    name = corps.create(Worker)
    corps.every(1.0, name.tick, jitter=0.5)
    for count in range(1, 20):
        assert len(run(bench, name, 1.5 if count == 1 else 1.0)) == count


def test_cancel_keeps_a_tick_that_waits_from_ever_beginning(bench: Bench) -> None:
    name = corps.create(Worker)
    worker = corps.call(name, Worker.let_go).ret
    blocked = name.blocked()
    assert worker.begun.wait(30.0)
    once, again = corps.after(1.0, name.tick, "once"), corps.every(1.0, name.tick, "again")
    bench.time.advance(1.0)
    assert once.cancel() is True
    assert again.cancel() is True
    assert once.cancel() is again.cancel() is False
    worker.go_on.set()
    blocked.result(30.0)
    assert name.seen.ret == [-1]


def test_cancel_says_that_the_only_tick_has_begun(bench: Bench) -> None:
    name = corps.create(Worker)
    worker = corps.call(name, Worker.let_go).ret
    once = corps.after(1.0, name.blocked)
    bench.time.advance(1.0)
    assert worker.begun.wait(30.0)
    assert once.cancel() is False
    worker.go_on.set()


def test_a_worker_cancels_its_timer_in_the_tick_itself(bench: Bench) -> None:
    class Own(corps.Conc):
        def __init__(self) -> None:
            self.cancelled: list[bool] = []
            self.timer = corps.every(1.0, self.my_name().tick)

        def tick(self) -> None:
            self.cancelled.append(self.timer.cancel())

    name = corps.create(Own)
    bench.time.advance(5.0)
    assert name.cancelled.ret == [True]


def test_near_the_end_of_the_stack_a_timer_is_set_and_cancelled_or_stays_as_it_is(bench: Bench) -> None:
    name = corps.create(Worker)
    set_ones = sum(at_each_depth(lambda: corps.after(5.0, name.tick)))
    assert len(corps.timers()) == bench.time.armed == set_ones > 0
    for _ in range(100):
        corps.after(5.0, name.tick)
    for _ in at_each_depth(lambda: corps.timers()[0].cancel()):
        assert len(corps.timers()) == bench.time.armed
    assert len(corps.timers()) < set_ones + 100


def test_a_key_re_arms(bench: Bench) -> None:
    name = corps.create(Worker)
    first = corps.after(1.0, name.tick, 1, key="k")
    second = corps.after(2.0, name.tick, 2, key="k")
    assert (first.key, second.key) == ("k", "k")
    assert first.cancel() is False
    assert run(bench, name, 5.0) == [(2,)]
    assert corps.timers() == []


def test_a_key_re_arms_what_waits_already(bench: Bench) -> None:
    name = corps.create(Worker)
    worker = corps.call(name, Worker.let_go).ret
    blocked = name.blocked()
    assert worker.begun.wait(30.0)
    corps.after(1.0, name.tick, 1, key="k")
    bench.time.advance(1.0)
    corps.after(1.0, name.tick, 2, key="k")
    worker.go_on.set()
    blocked.result(30.0)
    assert run(bench, name, 1.0) == [-1, (2,)]


def test_each_worker_has_its_own_keys_and_timers(bench: Bench) -> None:
    class Keyed(corps.Conc):
        def set(self) -> int:
            corps.after(1.0, self.my_name().set, key="k")
            return len(corps.timers())

    one, two = corps.create(Keyed), corps.create(Keyed)
    assert [one.set().ret, two.set().ret, one.set().ret] == [1, 1, 1]
    assert len(corps.timers()) == 2


def test_timers_end_with_the_worker_that_has_set_them(bench: Bench) -> None:
    owner, other = corps.create(Worker), corps.create(Worker)
    timer = owner.sets("every", 1.0).ret
    kept = corps.every(1.0, other.tick)
    assert len(corps.timers()) == 2
    owner.exit().ret  # noqa: B018
    assert corps.timers() == [kept]
    assert timer.cancel() is False
    assert len(run(bench, other, 1.0)) == 1


def test_a_tick_that_waits_elsewhere_ends_with_the_worker_that_has_set_it(bench: Bench) -> None:
    class Setter(corps.Conc):
        def set(self, name: corps.Name[Worker]) -> None:
            corps.after(1.0, name.tick)

    setter, name = corps.create(Setter), corps.create(Worker)
    worker = corps.call(name, Worker.let_go).ret
    setter.set(name).ret  # noqa: B018
    blocked = name.blocked()
    assert worker.begun.wait(30.0)
    bench.time.advance(1.0)
    setter.exit().ret  # noqa: B018
    worker.go_on.set()
    blocked.result(30.0)
    assert name.seen.ret == [-1]


def test_a_worker_that_comes_back_sets_its_timers_anew(bench: Bench) -> None:
    class Coming(Worker):
        restart = corps.Restart(backoff=(0.0, 0.0))

        def __init__(self) -> None:
            super().__init__()
            corps.every(1.0, self.my_name().tick)

        def fail(self) -> None:
            raise corps.Fail("on purpose")

    name = corps.create(Coming)
    assert len(run(bench, name, 1.0)) == 1
    with pytest.raises(corps.Fail):
        name.fail().result(30.0)
    assert name.seen.result(30.0) == []
    assert len(corps.timers()) == 1
    assert len(run(bench, name, 1.0)) == 1


def test_my_timer_belongs_to_the_worker_in_any_thread(bench: Bench) -> None:
    class Threaded(Worker):
        def set(self) -> None:
            mine = self.my_timer()
            tick = self.my_name().tick
            thread = Thread(target=lambda: (mine.after(1.0, tick), mine.every(1.0, tick)))
            thread.start()
            thread.join()

    name = corps.create(Threaded)
    name.set().ret  # noqa: B018
    assert len(corps.timers()) == 2
    assert isinstance(corps.call(name, Worker.let_go).ret.my_timer(), Timers)
    name.exit().ret  # noqa: B018
    assert corps.timers() == []


def test_the_timers_of_a_plain_thread_end_with_the_env() -> None:
    with corps.env() as env:
        timer = corps.every(1000.0, env.create(Worker).tick)
    assert timer.due is None
    assert timer.cancel() is False


def test_a_timer_for_a_worker_that_has_ended_ends(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    name = corps.create(Worker)
    timer = corps.every(1.0, name.tick)
    name.exit().ret  # noqa: B018
    with caplog.at_level(logging.WARNING):
        bench.time.advance(5.0)
    assert timer.due is None
    assert bench.time.armed == 0
    assert bench.env.letters.counts() == {"ended": 1}
    assert caplog.text == ""


def test_a_timer_on_a_dead_worker_is_refused(bench: Bench) -> None:
    name = corps.create(Worker)
    name.exit().ret  # noqa: B018
    with pytest.raises(WorkerGone, match="has ended: no timer can call it"):
        corps.after(1.0, name.tick)


def test_a_worker_that_has_ended_can_set_no_timer(bench: Bench) -> None:
    name, other = corps.create(Worker), corps.create(Worker)
    mine = corps.call(name, Worker.let_go).ret.my_timer()
    name.exit().ret  # noqa: B018
    with pytest.raises(WorkerGone, match="so it can have no timers"):
        mine.after(1.0, other.tick)


def test_a_tick_that_raises_is_a_dead_letter_and_the_timer_goes_on(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    name = corps.create(Worker)
    timer = corps.every(1.0, name.fails)
    for _ in range(2):
        run(bench, name, 1.0)
    assert timer.cancel() is True
    assert bench.env.letters.counts() == {"failed": 2}
    assert "ValueError: it failed" in caplog.text


def test_a_partial_gives_keywords(bench: Bench) -> None:
    name = corps.create(Worker)
    corps.after(1.0, functools.partial(name.tick, 1), 2)
    assert run(bench, name, 1.0) == [(1, 2)]
    corps.after(1.0, functools.partial(name.counted, skipped=7))
    assert run(bench, name, 1.0) == [(1, 2), 0]


def test_a_pinned_method_is_called_in_its_incarnation_alone(bench: Bench) -> None:
    class Coming(Worker):
        restart = corps.Restart(backoff=(0.0, 0.0))

        def fail(self) -> None:
            raise corps.Fail("on purpose")

    name = corps.create(Coming)
    timer = corps.every(1.0, name.pinned.counted)
    assert run(bench, name, 1.0) == [0]
    with pytest.raises(corps.Fail):
        name.fail().result(30.0)
    assert name.seen.result(30.0) == []
    assert run(bench, name, 1.0) == []
    assert timer.due is None


# --- the wall clock ---


def hourly(wall: float) -> float:
    return (wall // HOUR + 1) * HOUR


def test_a_wall_time_comes_when_the_clock_says_so(bench: Bench) -> None:
    name = corps.create(Worker)
    timer = bench.wall_timer(name, OnceAt(bench.time.wall + HOUR))
    assert run(bench, name, HOUR - 1) == []
    assert timer.due == datetime(2027, 1, 1, 1, tzinfo=UTC)
    assert len(run(bench, name, 2.0)) == 1
    assert timer.due is None


def test_a_clock_that_is_set_forward_makes_it_due(bench: Bench) -> None:
    name = corps.create(Worker)
    bench.wall_timer(name, OnceAt(bench.time.wall + HOUR))
    bench.set_clock(2 * HOUR)
    assert len(run(bench, name, 1.5)) == 1


def test_a_clock_that_is_set_back_makes_it_wait(bench: Bench) -> None:
    name = corps.create(Worker)
    bench.wall_timer(name, OnceAt(bench.time.wall + HOUR))
    bench.set_clock(-HOUR)
    assert run(bench, name, HOUR + 10) == []
    assert len(run(bench, name, HOUR)) == 1


def test_what_rings_just_after_the_clock_was_set_back_waits(bench: Bench) -> None:
    name = corps.create(Worker)
    bench.wall_timer(name, OnceAt(bench.time.wall + 0.5))
    bench.set_clock(-10.0)
    assert run(bench, name, 0.9) == []
    assert len(run(bench, name, 10.0)) == 1


def test_hours_that_a_clock_jumps_over_are_one_tick(bench: Bench) -> None:
    name = corps.create(Worker)
    _, worker, method, kind, args = name.counted.as_request(())
    bench.timers.set(None, Target(worker, method, kind, args, {}, takes_skipped=True), Recurring(hourly))
    bench.set_clock(4 * HOUR + 1)
    assert run(bench, name, 1.5) == [3]
    assert run(bench, name, HOUR) == [3, 0]


def test_an_hour_that_comes_twice_is_one_tick(bench: Bench) -> None:
    name = corps.create(Worker)
    bench.wall_timer(name, Recurring(hourly))
    assert len(run(bench, name, HOUR)) == 1
    bench.set_clock(-HOUR / 2)
    assert len(run(bench, name, HOUR)) == 1
    assert len(run(bench, name, HOUR)) == 2


def test_a_clock_that_was_wrong_by_days_begins_anew(bench: Bench) -> None:
    name = corps.create(Worker)
    bench.set_clock(1000 * HOUR)
    timer = bench.wall_timer(name, Recurring(hourly))
    bench.set_clock(-1000 * HOUR)
    bench.time.advance(1.5)
    assert timer.due == datetime(2027, 1, 1, 1, tzinfo=UTC)


def test_nothing_looks_at_the_wall_clock_without_such_timers(bench: Bench) -> None:
    name = corps.create(Worker)
    timer = bench.wall_timer(name, OnceAt(bench.time.wall + HOUR))
    assert timer.cancel() is True
    bench.time.advance(2.0)
    assert bench.time.armed == 0


def test_at_calls_at_a_time(bench: Bench) -> None:
    name = corps.create(Worker)
    corps.at(datetime(2027, 1, 1, 1, tzinfo=UTC), name.tick, 1)
    corps.at(datetime(2027, 1, 1, 3), name.tick, 2, zone="Europe/Berlin")
    assert run(bench, name, HOUR) == [(1,)]
    assert run(bench, name, HOUR) == [(1,), (2,)]
    corps.at(datetime(2026, 1, 1, tzinfo=UTC), name.tick, "past")
    assert run(bench, name, 0.0) == [(1,), (2,), ("past",)]
    assert corps.timers() == []


def test_at_calls_at_the_times_of_a_cron_expression(bench: Bench) -> None:
    name = corps.create(Worker)
    timer = corps.at("0 3 * * *", name.counted, zone="Europe/Berlin", key="nightly")
    assert timer.due == datetime(2027, 1, 1, 2, tzinfo=UTC)
    assert run(bench, name, 3 * HOUR) == [0]
    bench.set_clock(72 * HOUR)
    assert run(bench, name, 2.0) == [0, 2]
    assert timer.cancel() is True
    assert run(bench, name, 48 * HOUR) == [0, 2]


def test_at_wants_a_time(bench: Bench) -> None:
    name = corps.create(Worker)
    with pytest.raises(ConfigError, match="wants a datetime, or a cron expression"):
        corps.at(5.0, name.tick)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="is no cron expression"):
        corps.at("at night", name.tick)


def test_the_wall_clock_is_looked_at_once_a_second_however_often_such_timers_come(bench: Bench) -> None:
    name = corps.create(Worker)
    for _ in range(5):
        timer = bench.wall_timer(name, OnceAt(bench.time.wall + HOUR))
        assert bench.time.armed == 2
        assert timer.cancel() is True
    bench.time.advance(2.0)
    assert bench.time.armed == 0


# --- what is refused ---


def plain() -> None:
    """Do nothing."""


@pytest.mark.parametrize(
    ("what", "advice"),
    [
        (plain, "so that what it does runs in the turn of one"),
        (lambda: None, "method of a Name"),
        (3, "method of a Name"),
        (functools.partial(plain), "method of a Name"),
    ],
)
def test_what_is_no_method_of_a_worker_is_refused(bench: Bench, what: Any, advice: str) -> None:
    with pytest.raises(ConfigError, match=advice):
        corps.after(1.0, what)


def test_a_name_of_any_of_several_workers_is_refused(bench: Bench) -> None:
    group = corps.options().replicate(2, Worker)
    with pytest.raises(ConfigError, match="a timer calls one worker; set one for each"):
        corps.after(1.0, group.any.tick)


def test_a_function_of_funcs_is_called(bench: Bench) -> None:
    called = Event()
    corps.after(1.0, corps.create_funcs(tell=called.set).tell)
    bench.time.advance(1.0)
    assert called.wait(30.0)


def test_a_call_in_place_of_a_method_is_refused(bench: Bench) -> None:
    name = corps.create(Worker)
    with pytest.raises(ConfigError, match="without its parentheses"):
        corps.after(1.0, name.tick())
    with pytest.raises(NoSuchMethod, match="its methods are: "):
        corps.after(1.0, name.tock)


def repr_of(value: object) -> str:
    return repr(value)[:10]


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf"), "5", None, True, 10**400], ids=repr_of)
def test_what_is_no_number_of_seconds_is_refused(bench: Bench, seconds: Any) -> None:
    name = corps.create(Worker)
    with pytest.raises(ConfigError, match="wants a number of seconds from 0"):
        corps.after(seconds, name.tick)
    with pytest.raises(ConfigError, match=r"wants a number of seconds from 0\.001"):
        corps.every(seconds, name.tick)


def test_other_values_out_of_range_are_refused(bench: Bench) -> None:
    name = corps.create(Worker)
    with pytest.raises(ConfigError, match="from 0 to 1, the distance of its ticks"):
        corps.every(1.0, name.tick, jitter=1.5)
    with pytest.raises(ConfigError, match="wants one of fixed, delay"):
        corps.every(1.0, name.tick, rate="often")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="wants what can be hashed"):
        corps.after(1.0, name.tick, key=[])  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"seconds=0\.0\): wants a number of seconds from 0\.001"):
        corps.every(0.0, name.tick)
    assert corps.timers() == []


def test_a_timer_stays_in_its_env(bench: Bench) -> None:
    timer = corps.after(1.0, corps.create(Worker).tick)
    with pytest.raises(corps.PackError, match="it belongs to the worker or Env that has set it"):
        pickle.dumps(timer)
    assert "'tick' of " in repr(timer)


# --- real time, and other Envs ---


def test_timers_ring_in_a_thread_of_their_own_which_ends_with_the_env() -> None:
    with corps.env() as env:
        name = env.create(Worker)
        worker = corps.call(name, Worker.let_go).ret
        corps.after(0.0, name.blocked)
        assert worker.begun.wait(30.0)
        worker.go_on.set()


@pytest.fixture
def pair() -> Iterator[list[MemoryEnv]]:
    with memory_corps(2) as envs:
        yield envs


def in_other(pair: list[MemoryEnv]) -> tuple[Bench, corps.Name[Worker], Worker]:
    bench = Bench(pair[0].env)
    name = pair[0].options(env=pair[1].id).create(Worker)
    return bench, name, corps.call(pair[1].name(name), Worker.let_go).ret


def wait_until(is_so: Callable[[], bool]) -> None:
    until = clock.now() + 30.0
    while not is_so():
        assert clock.now() < until
        clock.give_way()


def eventually(name: corps.Name[Worker], wanted: list[Any]) -> None:
    wait_until(lambda: name.seen.ret == wanted)


def test_a_worker_of_another_env_is_called(pair: list[MemoryEnv]) -> None:
    bench, name, _ = in_other(pair)
    corps.after(1.0, name.tick, "a")
    corps.every(1.0, name.counted, key="k")
    corps.after(1.0, functools.partial(name.counted, skipped=1))
    bench.time.late(2.5)
    eventually(name, [("a",), 1, 0])
    assert len(bench.timers.everyones()) == 1


def test_a_tick_that_waits_in_another_env_is_withdrawn_there(pair: list[MemoryEnv]) -> None:
    bench, name, worker = in_other(pair)
    blocked = name.blocked()
    assert worker.begun.wait(30.0)
    once, again = corps.after(1.0, name.tick, "once"), corps.every(1.0, name.tick, "again")
    bench.time.advance(3.0)
    assert once.cancel() is True
    assert again.cancel() is True
    worker.go_on.set()
    blocked.result(30.0)
    assert name.seen.ret == [-1]
    other = pair[1].env.parts.get(EnvTimers)
    assert other._of_others == {}


def test_a_tick_that_has_begun_in_another_env_goes_on(pair: list[MemoryEnv]) -> None:
    bench, name, worker = in_other(pair)
    once = corps.after(1.0, name.blocked)
    bench.time.advance(1.0)
    assert worker.begun.wait(30.0)
    assert once.cancel() is False
    again = corps.every(1.0, name.tick)
    assert again.cancel() is True
    worker.go_on.set()


def test_a_coroutine_cannot_wait_for_the_word_of_another_env(pair: list[MemoryEnv]) -> None:
    class Sets(corps.Conc):
        def __init__(self, name: corps.Name[Worker]) -> None:
            self.timer = corps.after(1.0, name.tick)

        async def cancels(self) -> bool:
            return self.timer.cancel()

    bench, name, worker = in_other(pair)
    blocked = name.blocked()
    assert worker.begun.wait(30.0)
    setter = pair[0].options(env="here").create(Sets, name)
    bench.time.advance(1.0)
    other = pair[1].env.parts.get(EnvTimers)
    wait_until(lambda: bool(other._of_others))
    assert setter.cancels().ret is False
    wait_until(lambda: not other._of_others)  # else it may begin still
    worker.go_on.set()
    blocked.result(30.0)
    assert name.seen.ret == [-1]


def test_a_coroutine_has_a_thread_wait_for_the_word_of_another_env(pair: list[MemoryEnv]) -> None:
    class Sets(corps.Conc):
        def __init__(self, name: corps.Name[Worker]) -> None:
            self.timer = corps.after(1.0, name.tick)

        async def cancels(self) -> bool:
            return await asyncio.to_thread(self.timer.cancel)

    bench, name, worker = in_other(pair)
    blocked = name.blocked()
    assert worker.begun.wait(30.0)
    setter = pair[0].options(env="here").create(Sets, name)
    bench.time.advance(1.0)
    assert setter.cancels().ret is True
    worker.go_on.set()
    blocked.result(30.0)
    assert name.seen.ret == [-1]


def test_a_timer_for_a_worker_of_another_env_ends_with_that(pair: list[MemoryEnv]) -> None:
    bench, name, _ = in_other(pair)
    timer = corps.every(1.0, name.tick)
    name.exit().result(30.0)
    bench.time.advance(1.0)
    wait_until(lambda: timer.due is None)


def test_a_timer_for_an_env_that_is_lost_for_good_ends(pair: list[MemoryEnv]) -> None:
    bench, name, _ = in_other(pair)
    timer = corps.every(1.0, name.tick)
    waits = corps.after(1.0, name.tick)
    pair[1].die()
    assert timer.due is waits.due is None
    assert bench.time.armed == 0


def test_the_ticks_of_an_env_that_dies_do_not_begin(pair: list[MemoryEnv]) -> None:
    bench = Bench(pair[0].env)
    mine = pair[1].options(env="here").create(Worker)
    name, worker = pair[0].name(mine), corps.call(mine, Worker.let_go).ret
    blocked = mine.blocked()
    assert worker.begun.wait(30.0)
    corps.after(1.0, name.tick)
    bench.time.advance(1.0)
    other = pair[1].env.parts.get(EnvTimers)
    wait_until(lambda: bool(other._of_others))
    pair[0].die()
    worker.go_on.set()
    blocked.result(30.0)
    assert mine.seen.ret == [-1]


def test_what_cannot_be_packed_is_refused_when_the_timer_is_set(pair: list[MemoryEnv]) -> None:
    bench, name, _ = in_other(pair)
    with pytest.raises(corps.PackError, match="arguments"):
        corps.after(1.0, name.tick, Event())
    assert bench.timers.everyones() == []
