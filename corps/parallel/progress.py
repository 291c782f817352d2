"""A bar on stderr that shows how many items are done."""

import sys
from typing import Any


class Progress:
    """One bar; nothing is shown where stderr is no terminal. One thread."""

    def __init__(self, title: str, total: int | None) -> None:
        """Show the bar. `total` is how many items there are, if that is known."""
        self._bar: Any = None
        if not sys.stderr.isatty():
            return
        from rich import progress  # late: most maps show none
        from rich.console import Console

        columns = (
            progress.TextColumn("{task.description}"),
            progress.BarColumn(),
            progress.MofNCompleteColumn(),
            progress.TimeElapsedColumn(),
        )
        self._bar = progress.Progress(*columns, console=Console(stderr=True))
        self._task = self._bar.add_task(title, total=total)
        self._bar.start()

    def advance(self, items: int) -> None:
        """Count items that are done."""
        if self._bar is not None:
            self._bar.advance(self._task, items)

    def close(self) -> None:
        """Leave the bar as it is."""
        if self._bar is not None:
            self._bar.stop()
