"""Claims about durable timers, in one Env after the other with the same file, by clocks that a test moves."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

import corps
from corps.addresses import CORPS_TIMERS
from corps.errors import ConfigError, Damaged, LoopBlocked, PackError
from corps.runtime.env import Env
from corps.services.timers import env_timers, keeper
from corps.services.timers.store import TimerStore
from corps.workers.everywhere import env_here
from tests.unit.services.timers.test_env_timers import HOUR, FakeTime, Worker, wait_until


class Clockwork:
    """Starts one Env after the other. The wall clock goes on between them."""

    def __init__(self, path: Path, patch: pytest.MonkeyPatch) -> None:
        self.path = path
        self.time = FakeTime()
        for module in (keeper, env_timers):
            patch.setattr(module, "wall_time", lambda: self.time.wall)
        patch.setattr(env_timers, "now", lambda: self.time.now)
        patch.setattr(Env, "more_alarms", lambda *_: self.time)

    @contextmanager
    def run(self) -> Iterator[corps.Name[Worker]]:
        wall, self.time = self.time.wall, FakeTime()
        self.time.wall = wall
        with corps.env(config={"timers": {"path": str(self.path)}}):
            name = corps.options(tag="target", register=True).create(Worker)
            yield name

    def seen(self, name: corps.Name[Worker], wanted: list[Any], seconds: float = 0.0) -> None:
        corps.timers(durable=True)  # the service has begun
        self.time.advance(seconds)
        wait_until(lambda: name.seen.ret == wanted)
        corps.timers(durable=True)  # what the service was asked before is done


@pytest.fixture
def clockwork(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clockwork:
    return Clockwork(tmp_path / "timers.sqlite", monkeypatch)


def new_year(hour: int) -> datetime:
    return datetime(2027, 1, 1, hour, tzinfo=UTC)


def test_a_durable_timer_calls_at_its_time(clockwork: Clockwork) -> None:
    with clockwork.run() as name:
        timer = corps.at(new_year(1), name.tick, "a", durable=True, key="once")
        assert timer.key == "once"
        assert timer.due == new_year(1)
        assert [each.key for each in corps.timers(durable=True)] == ["once"]
        assert corps.timers() == []
        clockwork.seen(name, [("a",)], HOUR)
        assert corps.timers(durable=True) == []
        assert timer.cancel() is False
        wait_until(lambda: timer.due is None)


def test_it_outlives_its_env(clockwork: Clockwork) -> None:
    with clockwork.run() as name:
        corps.at(new_year(2), name.tick, "a", durable=True, key="once")
    with clockwork.run() as name:
        clockwork.seen(name, [("a",)], 2 * HOUR)
    with clockwork.run() as name:
        clockwork.seen(name, [], 48 * HOUR)


def test_what_was_missed_is_one_tick_with_the_number(clockwork: Clockwork) -> None:
    with clockwork.run() as name:
        timer = corps.at("0 * * * *", name.counted, durable=True, key="hourly")
        clockwork.seen(name, [0], HOUR)
        assert timer.due == new_year(2)
    clockwork.time.wall += 5 * HOUR
    with clockwork.run() as name:
        clockwork.seen(name, [4], 1.0)
        clockwork.seen(name, [4, 0], HOUR)


def test_set_again_with_the_same_times_it_stays_as_due_as_it_was(clockwork: Clockwork) -> None:
    with clockwork.run() as name:
        corps.at("0 * * * *", name.counted, durable=True, key="hourly")
    clockwork.time.wall += 3 * HOUR
    with clockwork.run() as name:
        corps.at("0 * * * *", name.counted, durable=True, key="hourly")
        clockwork.seen(name, [2], 1.0)


def test_what_has_called_for_the_last_time_is_not_set_again(clockwork: Clockwork) -> None:
    for expected in ([("a",)], []):
        with clockwork.run() as name:
            timer = corps.at(new_year(1), name.tick, "a", durable=True, key="once")
            clockwork.seen(name, expected, 2 * HOUR)
            assert timer.due is None


def test_other_times_or_a_cancelled_timer_begin_anew(clockwork: Clockwork) -> None:
    with clockwork.run() as name:
        first = corps.at("0 * * * *", name.tick, 1, durable=True, key="k")
        second = corps.at("30 * * * *", name.tick, 2, durable=True, key="k")
        assert first.cancel() is False
        assert second.due == datetime(2027, 1, 1, 0, 30, tzinfo=UTC)
        clockwork.seen(name, [(2,)], HOUR)
        assert second.cancel() is True
        assert second.cancel() is False
        clockwork.seen(name, [(2,)], HOUR)
        corps.at(new_year(1), name.tick, 3, durable=True, key="k")
        clockwork.seen(name, [(2,), (3,)], 1.0)
    with clockwork.run() as name:
        assert corps.timers(durable=True) == []


def test_a_tick_that_waits_is_withdrawn(clockwork: Clockwork) -> None:
    with clockwork.run() as name:
        worker = corps.call(name, Worker.let_go).ret
        blocked = name.blocked()
        assert worker.begun.wait(30.0)
        timers = [
            corps.at(new_year(1), name.tick, durable=True, key="once"),
            corps.at("0 * * * *", name.tick, durable=True, key="hourly"),
        ]
        clockwork.time.advance(HOUR)
        corps.timers(durable=True)
        assert [timer.cancel() for timer in timers] == [True, True]
        worker.go_on.set()
        blocked.result(30.0)
        assert name.seen.ret == [-1]


def test_a_tick_that_has_begun_goes_on(clockwork: Clockwork) -> None:
    with clockwork.run() as name:
        worker = corps.call(name, Worker.let_go).ret
        timer = corps.at(new_year(1), name.blocked, durable=True, key="once")
        clockwork.time.advance(HOUR)
        assert worker.begun.wait(30.0)
        assert timer.cancel() is False
        worker.go_on.set()


def test_a_slow_worker_gets_the_number_of_what_it_missed(clockwork: Clockwork) -> None:
    with clockwork.run() as name:
        worker = corps.call(name, Worker.let_go).ret
        corps.at("0 * * * *", name.blocked, durable=True, key="hourly")
        clockwork.time.advance(HOUR)
        assert worker.begun.wait(30.0)
        clockwork.time.advance(3 * HOUR)
        worker.go_on.set()
        clockwork.seen(name, [0])
        clockwork.seen(name, [0, 2], 1.0)


def test_a_tick_whose_worker_is_not_there_is_tried_again(clockwork: Clockwork) -> None:
    with clockwork.run() as name:
        corps.at(new_year(1), name.tick, "a", durable=True, key="once")
        corps.unregister(name)
        for _ in range(5):
            clockwork.time.advance(HOUR)
            assert len(corps.timers(durable=True)) == 1
        corps.register(name, tag="target")
        clockwork.seen(name, [("a",)], HOUR)
        assert corps.timers(durable=True) == []


def test_a_method_that_there_is_no_more_is_logged_and_kept(
    clockwork: Clockwork, caplog: pytest.LogCaptureFixture
) -> None:
    with clockwork.run() as name:
        corps.at(new_year(1), name.tick, durable=True, key="once")
    store = TimerStore(str(clockwork.path), 0.0)
    store.put(store.all()[0]._replace(method="tock"))
    store.close()
    with clockwork.run() as name, caplog.at_level(logging.ERROR):
        for _ in range(3):
            clockwork.time.advance(HOUR)
            assert len(corps.timers(durable=True)) == 1
    assert caplog.text.count("'once' cannot call, and tries again") == 1


def test_a_failing_method_counts_as_called(clockwork: Clockwork) -> None:
    with clockwork.run() as name:
        corps.at(new_year(1), name.fails, durable=True, key="once")
        clockwork.time.advance(HOUR)
        wait_until(lambda: corps.timers(durable=True) == [])


def test_what_cannot_be_written_down_is_not_sent_again(
    clockwork: Clockwork, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    advance: Callable[..., None] = TimerStore.advance
    calls = []

    def fail_once(store: TimerStore, *args: Any) -> None:
        calls.append(args)
        if len(calls) == 1:
            raise corps.StorageError("the disk is full")
        advance(store, *args)

    monkeypatch.setattr(TimerStore, "advance", fail_once)
    with clockwork.run() as name:
        corps.at(new_year(1), name.tick, durable=True, key="once")
        clockwork.seen(name, [()], HOUR)
        wait_until(lambda: len(calls) == 1)
        corps.timers(durable=True)
        clockwork.seen(name, [()], 1.0)
        wait_until(lambda: corps.timers(durable=True) == [])
        assert name.seen.ret == [()]
    assert "the disk is full; it is tried again" in caplog.text


def test_the_service_that_fails_goes_on(clockwork: Clockwork) -> None:
    with clockwork.run() as name:
        corps.at(new_year(1), name.tick, "a", durable=True, key="once")
        env = env_here("in this test")
        cell = env.registry.find(CORPS_TIMERS)
        assert cell is not None
        with pytest.raises(corps.RemoteError):
            env.ask_service(env.id, CORPS_TIMERS, "set", "k", ("no JSON", "", "", 0, b"")).result()
        assert len(corps.timers(durable=True)) == 1
        clockwork.seen(name, [("a",)], HOUR)


def test_a_clock_that_was_wrong_by_days_begins_anew(clockwork: Clockwork) -> None:
    with clockwork.run() as name:
        clockwork.time.wall += 1000 * HOUR
        timer = corps.at("0 * * * *", name.counted, durable=True, key="hourly")
        assert timer.due == datetime(2027, 2, 11, 17, tzinfo=UTC)
        clockwork.time.wall -= 1000 * HOUR
        clockwork.seen(name, [0], HOUR + 2.0)
        clockwork.seen(name, [0, 0], HOUR)


# --- what is refused ---


def test_without_a_file_there_are_none() -> None:
    with corps.env() as env:
        name = corps.options(tag="target", register=True).create(Worker)
        with pytest.raises(ConfigError, match=r"timers\.path names no file"):
            corps.at(new_year(1), name.tick, durable=True, key="k")
        assert corps.timers(durable=True) == []
        assert env.envs()


def test_what_cannot_be_kept_is_refused(clockwork: Clockwork) -> None:
    with clockwork.run() as name:
        for key in (None, "", 3):
            with pytest.raises(ConfigError, match="wants a text, by which it is known later"):
                corps.at(new_year(1), name.tick, durable=True, key=key)
        with pytest.raises(PackError):
            corps.at(new_year(1), name.tick, lambda: None, durable=True, key="k")
        with pytest.raises(ConfigError, match="cannot be found again after a restart"):
            corps.at(new_year(1), corps.create(Worker).tick, durable=True, key="k")
        with pytest.raises(ConfigError, match="use a Name without `pinned`"):
            corps.at(new_year(1), name.pinned.tick, durable=True, key="k")
        with pytest.raises(ConfigError, match="wants the name of a time zone"):
            corps.at("0 3 * * *", name.tick, zone=new_year(1).astimezone().tzinfo, durable=True, key="k")
        with pytest.raises(ConfigError, match="is no cron expression"):
            corps.at("nonsense", name.tick, durable=True, key="k")
        with pytest.raises(ConfigError, match="wants a datetime, or a cron expression"):
            corps.at(3.0, name.tick, durable=True, key="k")  # type: ignore[arg-type]
        assert corps.timers(durable=True) == []
        corps.at("0 3 * * *", name.tick, zone=ZoneInfo("Europe/Berlin"), durable=True, key="k")
        assert len(corps.timers(durable=True)) == 1


def test_a_coroutine_cannot_wait_for_the_disk(clockwork: Clockwork) -> None:
    class Sets(corps.Conc):
        async def set(self, name: corps.Name[Worker]) -> None:
            corps.at(new_year(1), name.tick, durable=True, key="k")

    with clockwork.run() as name, pytest.raises(LoopBlocked):
        corps.create(Sets).set(name).result(30.0)


def test_a_file_that_is_none_of_timers_is_reported(
    clockwork: Clockwork, caplog: pytest.LogCaptureFixture
) -> None:
    clockwork.path.write_bytes(b"no database, but long enough to look like something" * 100)
    with clockwork.run() as name:
        with pytest.raises(Damaged):
            corps.at(new_year(1), name.tick, durable=True, key="k")
        assert "the durable timers of this Corps do not run" in caplog.text


def test_a_file_is_of_one_env_at_a_time(clockwork: Clockwork, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("corps.services.timers.store._BUSY", 0.0)
    store = TimerStore(str(clockwork.path), 0.0)
    with clockwork.run() as name, pytest.raises(ConfigError, match="another process has the file open"):
        corps.at(new_year(1), name.tick, durable=True, key="k")
    store.close()
