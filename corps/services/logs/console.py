"""Log records on the terminal of the booting process."""

import logging
import os
import sys
from typing import TYPE_CHECKING, Any, Final

from corps.services.logs.entries import entry_of, worker_label
from corps.services.logs.forms import PlainLines

if TYPE_CHECKING:
    from rich.console import Console

_STYLES: Final = (("bold red", logging.CRITICAL), ("red", logging.ERROR), ("yellow", logging.WARNING))
_COLUMN: Final = 24  # characters for the worker


def console_handler() -> logging.Handler:
    """Return a handler for stderr: in columns and colours if that is a terminal and rich is there."""
    if _is_terminal():
        try:
            from rich.console import Console
        except ImportError:
            pass
        else:
            return RichLines(Console(stderr=True, soft_wrap=True))
    handler = logging.StreamHandler()
    handler.setFormatter(PlainLines())
    return handler


def _is_terminal() -> bool:
    try:
        return os.isatty(sys.stderr.fileno())
    except (AttributeError, OSError, ValueError):  # it was replaced, or closed
        return False


class RichLines(logging.Handler):
    """Writes records in columns: time, level, worker, logger and message."""

    def __init__(self, console: "Console") -> None:
        """Write to a console of rich."""
        super().__init__()
        self._console = console
        self._time = logging.Formatter()

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record."""
        try:
            self._console.print(self._line(record), highlight=False, soft_wrap=True)
        except Exception:
            self.handleError(record)

    def _line(self, record: logging.LogRecord) -> Any:
        from rich.text import Text

        entry = entry_of(record)
        style = next((style for style, level in _STYLES if record.levelno >= level), "")
        at = self._time.formatTime(record, "%H:%M:%S")
        line = Text.assemble(
            (f"{at}.{record.msecs:03.0f} ", "dim"),
            (f"{record.levelname:<8} ", style),
            (f"{worker_label(entry):<{_COLUMN}} ", "cyan"),
            (f"{record.name}: ", "dim"),
            record.getMessage(),
        )
        for more in (entry.exception, entry.stack):
            if more is not None:
                line.append(f"\n{more}", style="dim")
        return line
