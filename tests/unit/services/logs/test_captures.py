"""Claims about what becomes a record by itself: warnings, and exceptions that end threads."""

import logging
import threading
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

from corps.services.logs.captures import Captures


@pytest.fixture
def former(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What came to the hook that was there before."""
    seen: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", lambda ended: seen.append(ended.exc_type))
    return seen


@pytest.fixture
def made(former: list[Any]) -> Iterator[tuple[Captures, list[logging.LogRecord]]]:
    records: list[logging.LogRecord] = []
    captures = Captures(records.append)
    yield captures, records
    captures.end()


def fail(error: type[BaseException]) -> None:
    def run() -> None:
        raise error("the end")

    thread = threading.Thread(target=run, name="lost")
    thread.start()
    thread.join()


def test_the_exception_of_a_thread_is_a_record_and_the_former_hook_hears_it(
    former: list[Any], made: tuple[Captures, list[logging.LogRecord]]
) -> None:
    captures, records = made
    captures.start(warnings=False, uncaught=True)
    captures.start(warnings=False, uncaught=True)
    fail(KeyError)
    [record] = records
    assert record.getMessage() == "the thread lost has ended by an exception"
    assert record.exc_info is not None
    assert record.exc_info[0] is KeyError
    assert former == [KeyError]


def test_a_thread_that_is_to_end_is_none(
    former: list[Any], made: tuple[Captures, list[logging.LogRecord]]
) -> None:
    captures, records = made
    captures.start(warnings=False, uncaught=True)
    fail(SystemExit)
    assert records == []


def test_it_leaves_all_as_it_was(former: list[Any], made: tuple[Captures, list[logging.LogRecord]]) -> None:
    captures, records = made
    before = threading.excepthook, warnings.showwarning
    captures.start(warnings=True, uncaught=True)
    assert before != (threading.excepthook, warnings.showwarning)
    captures.end()
    assert before == (threading.excepthook, warnings.showwarning)
    fail(KeyError)
    assert (records, former) == ([], [KeyError])


def test_a_hook_that_came_later_stays(
    former: list[Any], made: tuple[Captures, list[logging.LogRecord]]
) -> None:
    captures, records = made
    captures.start(warnings=False, uncaught=True)
    ours = threading.excepthook

    def later(ended: threading.ExceptHookArgs) -> None:
        ours(ended)

    threading.excepthook = later
    captures.end()
    assert threading.excepthook is later
    fail(KeyError)
    assert (records, former) == ([], [KeyError])


def test_a_warning_is_a_record_of_its_own_logger(
    made: tuple[Captures, list[logging.LogRecord]], caplog: pytest.LogCaptureFixture
) -> None:
    captures, _ = made
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        captures.start(warnings=True, uncaught=False)
        warnings.warn("take care", stacklevel=1)
        captures.end()
    assert [record.name for record in caplog.records] == ["py.warnings"]
