"""What `corps run` makes of the method ``run`` of an application: a program, which may exit."""

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from corps.workers.corps import Corps


@dataclass(frozen=True, slots=True)
class ExitStatus:
    """What ``run`` has given to `sys.exit`.

    Attributes:
        code: As there: None, a status, or what is to be shown.
    """

    code: Any


def let_run_exit(cls: type[Corps]) -> None:
    """Have `sys.exit` in ``run`` end the program, and not fail the worker. This changes the class.

    Only for the front of `corps run`, where ``run`` is the program. A generator gives its results one by one,
    and stays as it is.
    """
    run: Any = inspect.getattr_static(cls, "run", None)
    if not inspect.isfunction(run) or inspect.isgeneratorfunction(run) or inspect.isasyncgenfunction(run):
        return
    wrapped: Callable[..., Any]
    if inspect.iscoroutinefunction(run):

        @functools.wraps(run)
        async def wrapped(*args: Any, **kwargs: Any) -> Any:
            try:
                return await run(*args, **kwargs)
            except SystemExit as stop:
                return ExitStatus(stop.code)

    else:

        @functools.wraps(run)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            try:
                return run(*args, **kwargs)
            except SystemExit as stop:
                return ExitStatus(stop.code)

    setattr(cls, "run", wrapped)  # noqa: B010 - a Corps need not have it
