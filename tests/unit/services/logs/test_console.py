"""Claims about records on a terminal: columns, colours where there is a terminal, and whole exceptions."""

import io
import logging
import sys

import pytest
from rich.console import Console

from corps.services.logs.console import RichLines, console_handler
from corps.services.logs.entries import Source, Worker, as_record, pack, unpack

SOURCE = Source("0123456789abcdef", 2, 0, 4711)


def made(level: int, text: str, worker: Worker | None = None) -> logging.LogRecord:
    record = logging.makeLogRecord(
        {"name": "app", "levelno": level, "levelname": logging.getLevelName(level), "msg": text}
    )
    return as_record(unpack(SOURCE, pack(1, record, worker, None)))


def test_a_record_has_its_worker_in_a_column() -> None:
    file = io.StringIO()
    handler = RichLines(Console(file=file, width=200))
    handler.handle(made(logging.WARNING, "low on [paper]", Worker(3, "Index", "eu", 1)))
    handler.handle(made(logging.INFO, "nobody's"))
    first, second = file.getvalue().splitlines()
    assert first[12:].startswith(" WARNING  env2/3 Index[eu]")
    assert first.endswith(" app: low on [paper]")
    assert first.index("app: ") == second.index("app: ")


def test_an_exception_follows_its_record_line_by_line() -> None:
    record = made(logging.ERROR, "bad")
    record.exc_text = "Traceback\nOops: [red]x[/red]"
    file = io.StringIO()
    RichLines(Console(file=file, width=200)).handle(as_record(unpack(SOURCE, pack(1, record, None, None))))
    assert file.getvalue().splitlines()[1:] == ["Traceback", "Oops: [red]x[/red]"]


def test_a_level_has_its_colour_on_a_terminal() -> None:
    file = io.StringIO()
    handler = RichLines(Console(file=file, width=200, force_terminal=True, color_system="standard"))
    handler.handle(made(logging.ERROR, "bad"))
    assert "\x1b[31mERROR" in file.getvalue()


def test_a_long_line_is_not_broken() -> None:
    file = io.StringIO()
    RichLines(Console(file=file, width=40)).handle(made(logging.INFO, "long " * 30))
    assert len(file.getvalue().splitlines()) == 1


def test_without_a_terminal_the_lines_are_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    stderr = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stderr)
    handler = console_handler()
    handler.handle(made(logging.WARNING, "plain", Worker(3, "Index", "", 1)))
    assert stderr.getvalue().endswith(" env2/3 Index WARNING app: plain\n")
