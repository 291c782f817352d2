"""Claims about log records as plain data: what survives, and under which keys it comes out."""

import json
import logging
import threading
from typing import Any

import pytest

from corps.services.logs.entries import (
    MOST_TEXT,
    LogEntry,
    Source,
    Work,
    Worker,
    as_dict,
    as_record,
    pack,
    pack_text,
    shortened,
    unpack,
    worker_label,
)
from corps.services.logs.forms import JsonLines, PlainLines

NOT_FORMATTED = "(its arguments could not be formatted:"
SOURCE = Source("0123456789abcdef", 2, 0, 4711)


class Unreadable:
    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


def record(message: Any = "text", *args: Any, level: int = logging.INFO, **more: Any) -> logging.LogRecord:
    return logging.getLogger("app.part").makeRecord(
        "app.part", level, "/x/app.py", 12, message, args, more.pop("exc_info", None), "work", more or None
    )


def entry_of(
    made: logging.LogRecord, worker: Worker | None = None, work: Work | None = None, number: int = 7
) -> LogEntry:
    return unpack(SOURCE, pack(number, made, worker, work))


def test_a_record_arrives_as_it_was_made() -> None:
    made = record("%s of %d", "one", 3)
    entry = entry_of(made)
    assert (entry.source, entry.number, entry.created) == (SOURCE, 7, made.created)
    assert (entry.level, entry.level_name, entry.logger, entry.text) == (20, "INFO", "app.part", "one of 3")
    assert (entry.path, entry.line, entry.function) == ("/x/app.py", 12, "work")
    assert entry.thread == threading.current_thread().name
    assert (entry.exception, entry.stack, entry.worker, entry.work, entry.extra) == (None,) * 5


def test_the_worker_and_its_request_arrive() -> None:
    worker, work = Worker(3, "Index", "eu", 2), Work("add", "env2.0-9", (1, 5))
    entry = entry_of(record(), worker, work)
    assert (entry.worker, entry.work) == (worker, work)
    assert worker_label(entry) == "env2/3 Index[eu]"
    assert entry_of(record(), worker, Work("add", "x", None)).work == Work("add", "x", None)
    assert worker_label(entry_of(record())) == "env2"


@pytest.mark.parametrize(
    ("message", "args", "text"),
    [
        ("%s", (threading.Lock,), f"{threading.Lock}"),
        ("%d", ("x",), "%d (its arguments could not be formatted: TypeError)"),
        ("%s %s", ("x",), "%s %s (its arguments could not be formatted: TypeError)"),
        ("%s", (Unreadable(),), "%s (its arguments could not be formatted: RuntimeError)"),
        (Unreadable(), (), f"<Unreadable whose repr raised RuntimeError> {NOT_FORMATTED} RuntimeError)"),
        ("half a pair: \udc80", (), "half a pair: \\udc80"),
        (KeyError("key"), (), "'key'"),
    ],
)  # fmt: skip
def test_no_message_and_no_argument_loses_a_record(message: Any, args: Any, text: str) -> None:
    assert entry_of(record(message, *args)).text == text


def test_an_exception_is_formatted_where_it_was_made() -> None:
    class Odd(Exception):
        def __init__(self) -> None:
            super().__init__("odd")
            self.lock = threading.Lock()  # cannot be packed

    try:
        raise Odd
    except Odd as error:
        entry = entry_of(record(exc_info=(Odd, error, error.__traceback__)))
    assert entry.exception is not None
    assert entry.exception.startswith("Traceback")
    assert entry.exception.endswith("Odd: odd")


def test_an_exception_without_a_readable_text_is_formatted_all_the_same() -> None:
    class Mute(Exception):
        __str__ = Unreadable.__str__

    entry = entry_of(record(exc_info=(Mute, Mute(), None)))
    assert entry.exception is not None
    assert "Mute" in entry.exception


def test_what_came_as_extra_is_kept_if_it_is_plain_and_shown_if_not() -> None:
    class Text(str):
        pass

    entry = entry_of(record(price=3.5, count=2, who="Anna", none=None, yes=True, lock=[1], sub=Text("s")))
    assert entry.extra == {
        "price": 3.5,
        "count": 2,
        "who": "Anna",
        "none": None,
        "yes": True,
        "lock": "[1]",
        "sub": "s",
    }
    assert entry_of(record(bad=Unreadable())).extra == {"bad": "<Unreadable whose repr raised RuntimeError>"}


def test_an_event_of_structlog_arrives_with_its_fields() -> None:
    entry = entry_of(record({"event": "sold", "article": "lamp", "n": 2}, _logger=object()))
    assert (entry.text, entry.extra) == ("sold", {"article": "lamp", "n": 2})


def test_of_a_very_long_text_the_middle_is_left_out() -> None:
    entry = entry_of(record("a" * 10 * MOST_TEXT + "z"))
    assert len(entry.text) < MOST_TEXT + 100
    assert entry.text.startswith("aaa")
    assert entry.text.endswith("aaz")
    assert shortened("x" * MOST_TEXT) == "x" * MOST_TEXT


def test_the_keys_are_those_of_structlog() -> None:
    found = as_dict(entry_of(record("sold", price=3), Worker(3, "Index", "eu", 2), Work("add", "m", (1, 5))))
    timestamp = found.pop("timestamp")
    assert timestamp.endswith("Z")
    assert "T" in timestamp
    found.pop("thread_name")
    assert found == {
        "level": "info",
        "event": "sold",
        "logger": "app.part",
        "corps": "0123456789abcdef",
        "env": "env2",
        "process": 4711,
        "worker": "012345/env2/3",
        "class": "Index",
        "incarnation": 2,
        "tag": "eu",
        "method": "add",
        "request": "m",
        "caller": "012345/env1/5",
        "pathname": "/x/app.py",
        "lineno": 12,
        "func_name": "work",
        "price": 3,
    }


def test_an_extra_hides_no_field_of_the_record() -> None:
    entry = entry_of(record("text", event="other", env="e"))
    found = as_dict(entry)
    assert (found["event"], found["event_"], found["env"], found["env_"]) == ("text", "other", "env2", "e")
    made = as_record(entry)
    assert (made.getMessage(), vars(made)["env"]) == ("text", "env2")


def test_a_line_of_json_is_one_line() -> None:
    entry = entry_of(record("two\nlines \u2028 ü"))
    line = JsonLines().format(as_record(entry))
    assert "\n" not in line
    assert json.loads(line)["event"] == "two\nlines \u2028 ü"


def test_handlers_of_logging_get_a_record_as_it_was_made() -> None:
    made = record("%d %%", 3, level=logging.ERROR)
    again = as_record(entry_of(made, Worker(3, "Index", "", 1)))
    for name in ("name", "levelno", "levelname", "pathname", "filename", "module", "lineno", "funcName"):
        assert getattr(again, name) == getattr(made, name), name
    assert (again.created, again.getMessage(), again.process) == (made.created, "3 %", 4711)
    assert PlainLines().format(again).endswith(" env2/3 Index ERROR app.part: 3 %")


def test_what_no_call_of_logging_has_made_is_a_record_too() -> None:
    entry = unpack(SOURCE, pack_text(1.5, logging.WARNING, "corps.logs", "3 \udc80"))
    assert (entry.number, entry.level_name, entry.text) == (0, "WARNING", "3 \\udc80")
