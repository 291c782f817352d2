"""What `corps run` makes of the method ``run`` of an application: a program, which may exit."""

import asyncio
import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event
from typing import Any, Final

from corps.workers.corps import Corps

_START: Final = 1.0  # seconds from the request for `run` to the order that the start is over, at most


@dataclass(frozen=True, slots=True)
class ExitStatus:
    """What ``run`` has given to `sys.exit`.

    Attributes:
        code: As there: None, a status, or what is to be shown.
    """

    code: Any


def let_run_exit(cls: type[Corps], begins: Event) -> None:
    """Have `sys.exit` in ``run`` end the program, and not fail the worker. This changes the class.

    It waits for `begins` first, so that nothing of what it prints is taken for output of the start. A
    constructor that calls ``run`` is part of the start itself, so the wait has a bound.

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
            await asyncio.to_thread(begins.wait, _START)
            try:
                return await run(*args, **kwargs)
            except SystemExit as stop:
                return ExitStatus(stop.code)

    else:

        @functools.wraps(run)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            begins.wait(_START)
            try:
                return run(*args, **kwargs)
            except SystemExit as stop:
                return ExitStatus(stop.code)

    setattr(cls, "run", wrapped)  # noqa: B010 - a Corps need not have it
