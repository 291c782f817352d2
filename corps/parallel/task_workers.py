"""The workers of an executor."""

from collections.abc import Callable
from typing import Any

from corps.supervision.restarts import Restart
from corps.workers.conc import Conc


class TaskWorker(Conc):
    """Runs tasks, one at a time."""

    restart = Restart()

    def __init__(self, initializer: Callable[..., object] | None, initargs: tuple[Any, ...]) -> None:
        """Initialize, in each incarnation."""
        if initializer is not None:
            initializer(*initargs)

    def run(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run a task."""
        return function(*args, **kwargs)
