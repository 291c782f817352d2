"""Claims about the way of records out of an Env: order, bounds, and what wakes whom."""

import logging
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

import corps
from corps.runtime.env import Env
from corps.runtime.this_process import this_process
from corps.services.logs.entries import LogEntry, Source, unpack
from corps.services.logs.handler import OutletHandler
from corps.services.logs.hub import LogHub
from corps.services.logs.outlet import LogOutlet
from corps.services.logs.sinks import HandlerSink
from corps.testing.memory_corps import memory_corps

SOURCE = Source("0123456789abcdef", 0, 0, 1)
LIMIT = 20.0


class Heard(logging.Handler):
    """Collects texts; a test waits until there are enough."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.records: list[logging.LogRecord] = []
        self.changed = threading.Condition()
        self.gate = threading.Event()
        self.gate.set()
        self.is_closed = False

    def emit(self, record: logging.LogRecord) -> None:
        self.gate.wait(LIMIT)
        with self.changed:
            self.texts.append(record.getMessage())
            self.records.append(record)
            self.changed.notify_all()

    def close(self) -> None:
        self.is_closed = True
        super().close()

    def wait_for(self, text: str) -> list[str]:
        with self.changed:
            assert self.changed.wait_for(lambda: text in self.texts, LIMIT), self.texts
            return list(self.texts)


class Talker(corps.Conc):
    def say(self, *texts: str) -> None:
        for text in texts:
            logging.getLogger("outlet_test").warning(text)

    def say_numbers(self, count: int) -> None:
        for number in range(count):
            logging.getLogger("outlet_test").warning("%d", number)

    async def say_in_a_coroutine(self) -> None:
        logging.getLogger("outlet_test").warning("from a coroutine")

    def fork(self) -> int:
        pid = os.fork()
        if not pid:
            logging.getLogger("outlet_test").warning("from the child of a fork")
            os._exit(0)
        os.waitpid(pid, 0)
        logging.getLogger("outlet_test").warning("from the parent")
        return pid


def only_env() -> Env:
    (env,) = this_process.open_envs()
    return env


@contextmanager
def alone(**log: object) -> Iterator[tuple[corps.LocalEnv, Heard]]:
    heard = Heard()
    with corps.env(config={"log": log}) as env:
        corps.log_to(heard)
        yield env, heard
        heard.gate.set()


def handler_of(env: Env, wakes: list[int]) -> OutletHandler:
    return OutletHandler(env, lambda: wakes.append(1))


def make(text: str) -> logging.LogRecord:
    return logging.makeLogRecord({"msg": text, "levelno": logging.INFO, "name": "outlet_test"})


def entries(handler: OutletHandler) -> list[LogEntry]:
    return [unpack(SOURCE, body) for body in handler.fetch()]


def test_the_first_record_wakes_and_the_next_ones_do_not() -> None:
    with corps.env():
        wakes: list[int] = []
        handler = handler_of(only_env(), wakes)
        for text in "abc":
            handler.handle(make(text))
        assert wakes == [1]
        assert [(entry.number, entry.text) for entry in entries(handler)] == [(1, "a"), (2, "b"), (3, "c")]
        assert handler.fetch() == []
        handler.handle(make("d"))
        assert wakes == [1, 1]


def test_what_the_sending_thread_logs_wakes_nobody_and_goes_with_the_next_batch() -> None:
    with corps.env():
        wakes: list[int] = []
        handler = handler_of(only_env(), wakes)
        handler.sending = threading.get_ident()
        handler.handle(make("chatter about sending"))
        assert wakes == []
        handler.sending = None
        handler.handle(make("a"))
        assert wakes == [1]
        assert [entry.text for entry in entries(handler)] == ["chatter about sending", "a"]


def test_what_the_thread_of_a_sink_logs_is_no_record() -> None:
    with corps.env():
        handler = handler_of(only_env(), [])
        handler.deaf = {threading.get_ident()}
        handler.handle(make("chatter about writing"))
        assert entries(handler) == []


def test_what_does_not_fit_is_counted_and_the_count_is_a_record() -> None:
    with corps.env(config={"log": {"queue": 3}}):
        handler = handler_of(only_env(), [])
        for number in range(10):
            handler.handle(make(str(number)))
        *kept, note = entries(handler)
        assert [entry.text for entry in kept] == ["0", "1", "2"]
        assert note.text.startswith("7 log records were dropped")
        assert note.level == logging.WARNING
        assert entries(handler) == []
        handler.handle(make("again"))
        assert [entry.text for entry in entries(handler)] == ["again"]


def test_a_record_of_a_worker_says_whose_it_is() -> None:
    with alone() as (env, heard):
        talker = env.options(tag="t").create(Talker)
        talker.say("one", "two").result()
        talker.say("three").result()
        heard.wait_for("three")
    first, second, third = (vars(record) for record in heard.records)
    assert (first["cls"], first["tag"], first["incarnation"], first["method"]) == ("Talker", "t", 1, "say")
    assert first["worker"] == str(talker._addr)
    assert first["request"] == second["request"] != third["request"]
    assert first["env"] == "env0"


def test_a_coroutine_s_record_says_whose_it_is() -> None:
    with alone() as (env, heard):
        env.create(Talker).say_in_a_coroutine().result()
        heard.wait_for("from a coroutine")
    assert vars(heard.records[0])["method"] == "say_in_a_coroutine"


def test_all_that_was_logged_has_been_written_when_the_env_has_closed() -> None:
    with alone() as (env, heard):
        env.create(Talker).say_numbers(3_000).result()
    assert heard.texts == [str(number) for number in range(3_000)]
    assert heard.is_closed
    assert not [each for each in logging.root.handlers if isinstance(each, OutletHandler)]


def test_a_slow_sink_keeps_no_worker_waiting_and_what_it_loses_is_counted() -> None:
    with alone(queue=100) as (env, heard):
        heard.gate.clear()
        talker = env.create(Talker)
        for _ in range(10):
            talker.say_numbers(100).result(LIMIT)  # done, although nothing can be written
        heard.gate.set()
    dropped = sum(int(text.split()[0]) for text in heard.texts if "log records were dropped" in text)
    written = [text for text in heard.texts if "log records were dropped" not in text]
    assert dropped > 0
    assert len(written) + dropped == 1_000


def test_a_batch_that_cannot_be_taken_is_counted_and_the_next_one_goes() -> None:
    with alone() as (env, heard):
        hub = only_env().parts.get(LogHub)
        take, failures = hub.take, [OSError("once"), MemoryError()]

        def fail(source: Sequence[Any], bodies: list[bytes]) -> None:
            if failures:
                raise failures.pop()
            take(source, bodies)

        hub.take = fail  # type: ignore[method-assign]
        talker = env.create(Talker)
        talker.say("lost").result()
        while failures:  # with what is said of the first one, or by itself
            talker.say("lost").result()
        talker.say("not lost").result()
        texts = heard.wait_for("not lost")
    assert any("log records were dropped" in text for text in heard.texts), texts


def test_a_slow_sink_does_not_hold_up_another_one() -> None:
    with alone() as (env, slow):
        slow.gate.clear()
        other = Heard()
        corps.log_to(other)
        env.create(Talker).say("hello").result()
        assert other.wait_for("hello") == ["hello"]


def test_a_sink_that_raises_is_counted_and_the_others_get_all() -> None:
    class Broken(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise OSError("no space left")

    with alone() as (env, heard):
        corps.log_to(Broken())
        env.create(Talker).say("one").result()
        heard.wait_for("one")
    assert heard.texts == ["one"]


def test_a_sink_takes_what_is_of_its_level() -> None:
    with alone() as (env, heard):
        errors = Heard()
        corps.log_to(errors, level="error")
        env.create(Talker).say("a warning").result()
        logging.getLogger("outlet_test").error("an error")
        heard.wait_for("an error")
        assert errors.wait_for("an error") == ["an error"]


def test_a_sink_that_is_closed_gets_what_came_before_and_nothing_after() -> None:
    with alone() as (env, heard):
        talker = env.create(Talker)
        other = Heard()
        with corps.log_to(other) as sink:
            talker.say("before").result()
            other.wait_for("before")
        sink.close()
        talker.say("after").result()
        heard.wait_for("after")
    assert other.texts == ["before"]
    assert other.is_closed


def test_without_any_sink_nothing_is_attached() -> None:
    with corps.env() as env:
        env.create(Talker).say("unheard").result()
        assert not [each for each in logging.root.handlers if isinstance(each, OutletHandler)]
        with corps.log_to(Heard()):
            assert [each for each in logging.root.handlers if isinstance(each, OutletHandler)]
        assert not [each for each in logging.root.handlers if isinstance(each, OutletHandler)]


def test_the_child_of_a_fork_sends_nothing_and_its_parent_goes_on() -> None:
    with alone() as (env, heard):
        env.create(Talker).fork().result()
        heard.wait_for("from the parent")
    assert heard.texts == ["from the parent"]


def test_the_records_of_several_envs_in_one_process_are_not_mixed() -> None:
    with memory_corps(2) as (one, two):
        heard = Heard()
        hub = one.env.parts.get(LogHub)
        _, all_know = hub.add(HandlerSink("heard", heard, 1_000, hub.threads))
        all_know.result(LIMIT)
        assert two.env.parts.get(LogOutlet) is not one.env.parts.get(LogOutlet)
        for place, name in ((one, "one"), (two, "two")):
            place.options(env=place.id).create(Talker).say(*[f"{name} {n}" for n in range(50)]).result()
        heard.wait_for("one 49")
        heard.wait_for("two 49")
    by_env = {
        env: [r.getMessage() for r in heard.records if vars(r)["env"] == env] for env in ("env1", "env2")
    }
    assert by_env == {
        "env1": [f"one {n}" for n in range(50)],
        "env2": [f"two {n}" for n in range(50)],
    }


def test_the_handler_of_the_env_rests_while_a_console_shows_the_records(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with corps.env():
        outlet, own = only_env().parts.get(LogOutlet), Heard()
        logging.root.addHandler(own)
        outlet.take_over(own)
        for _ in range(2):
            with corps.log_to(console=True):
                assert own not in logging.root.handlers
            assert own in logging.root.handlers
        with corps.log_to(Heard()):
            assert own in logging.root.handlers
        logging.root.removeHandler(own)  # as `dictConfig` of the application
        with corps.log_to(console=True):
            pass
        assert own not in logging.root.handlers


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        ({}, "got none"),
        ({"console": True, "file": "x"}, "got console, file"),
        ({"file": "/nowhere/at/all"}, "cannot go to file = '/nowhere/at/all'"),
        ({"publish": "nonsense"}, "cannot go to publish = 'nonsense'"),
        ({"file": "x", "level": "LOUD"}, "level='LOUD'"),
        ({"file": "x", "level": -1}, "level=-1"),
        ({"file": "x", "rotate_kept": -1}, "rotate_kept=-1"),
        ({"file": "x", "method": "take"}, "both or none"),
    ],
)
def test_a_bad_sink_is_refused_with_what_is_wrong(arguments: dict[str, object], what: str) -> None:
    with corps.env(), pytest.raises(corps.ConfigError, match=what):
        corps.log_to(**arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        ({"level": "LOUD"}, "level='LOUD'"),
        ({"level": True}, "level=True"),
        ({"level": 10, "cls": int}, "a subclass of corps.Conc"),
        ({"level": 10, "env": 17}, "env=17: the Envs of this Corps are 0"),
    ],
)
def test_a_bad_level_is_refused_with_what_is_wrong(arguments: dict[str, object], what: str) -> None:
    with corps.env(), pytest.raises(corps.ConfigError, match=what):
        corps.log_level(**arguments)  # type: ignore[arg-type]


def test_a_file_of_the_settings_that_cannot_be_opened_is_refused_at_once() -> None:
    with pytest.raises(corps.ConfigError, match="cannot go to file = '/nowhere/at/all'"):
        corps.env(config={"log.file": "/nowhere/at/all"})
