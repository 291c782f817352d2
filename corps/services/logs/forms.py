"""How log records of a Corps look in a file."""

import json
import logging
from typing import Any

from corps.services.logs.entries import as_dict, entry_of


class PlainLines(logging.Formatter):
    """Lines for people: time, worker, level, logger, message; then the exception, if there is one."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(at)s %(levelname)s %(name)s: %(message)s")


class JsonLines(logging.Formatter):
    """A line of JSON for each record, under the keys that structlog uses."""

    def format(self, record: logging.LogRecord) -> str:
        """Give one line."""
        entry = entry_of(record)
        return json.dumps(as_dict(entry), ensure_ascii=False, default=_as_text)


def _as_text(value: Any) -> str:
    return repr(value)
