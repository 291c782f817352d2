"""What the commands do: results to stdout, all else to stderr, and the exit status.

An error of the user is told in words, one of the application with the application's own traceback; neither
shows frames of corps.
"""

import contextlib
import logging
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from corps.errors import BootError, ConfigError, CorpsError, LoadError, RemoteError
from corps.launch.boot import BootedName, start
from corps.launch.found_settings import find_settings
from corps.launch.running import RunningCorps
from corps.launch.sources import Source, find_source
from corps.managers.parameters import read_words
from corps.runtime.interrupts import Interrupts
from corps.workers.iterators import RemoteIterator

if TYPE_CHECKING:
    from corps.settings import Settings

OK: Final = 0
APPLICATION_ERROR: Final = 1
USAGE_ERROR: Final = 2
BY_SIGNAL: Final = 128
"""The exit status of a command that a signal cut short is this and the number of the signal."""


class Stopped(KeyboardInterrupt):
    """A signal asks for the end, as Ctrl-C does."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class UsageProblem(Exception):
    """The command line, or the configuration, asks for what cannot be."""


def run_application(
    application: str, words: Sequence[str], *, envs: int | None, tag: str | None, config: Path | None
) -> int:
    """Boot an application; call its ``run``, or serve.

    Args:
        application: A file or a module, with ``:Class`` where there are several.
        words: For ``run``.
        envs: How many Envs; None for the setting.
        tag: The tag; None for the setting.
        config: A configuration file; None for the one beside the application.

    Returns:
        The exit status.
    """
    try:
        with _stopping_signals():
            source = _find(application)

            def settings() -> "Settings":
                found = find_settings(config, {"envs": envs, "tag": tag}, source=source).settings
                logging.basicConfig(
                    level=found.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
                )
                return found

            return _boot_and_run(RunningCorps(source, settings), words)
    except UsageProblem as problem:
        return _complain(str(problem), USAGE_ERROR)
    except ConfigError as error:
        return _complain(str(error), USAGE_ERROR)
    except RemoteError as error:
        return _complain_of_application(error)
    except BootError as error:  # what the processes wrote has been shown when they wrote it
        return _complain(str(error).rstrip(), APPLICATION_ERROR)
    except CorpsError as error:
        return _complain(f"{type(error).__name__}: {error}", APPLICATION_ERROR)
    except KeyboardInterrupt as interrupt:
        return BY_SIGNAL + (interrupt.number if isinstance(interrupt, Stopped) else signal.SIGINT)


def show_settings(application: str | None, *, config: Path | None) -> int:
    """Print the settings that are in effect.

    Args:
        application: Beside which to look for a configuration file; None for the current directory.
        config: A configuration file; None to look for one.

    Returns:
        The exit status.
    """
    from corps.config import describe

    try:
        source = Source("") if application is None else _find(application)
        rows = describe(find_settings(config, {}, source=source))
    except (UsageProblem, ConfigError, LoadError) as error:
        return _complain(str(error), USAGE_ERROR)
    if sys.stdout.isatty():
        _print_table(rows)
    else:
        width = max(len(key) for key, _, _ in rows)
        for key, value, origin in rows:
            print(f"{key:{width}} = {value!r}  # {origin}")
    return OK


def _print_table(rows: Sequence[tuple[str, Any, str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("setting", "value", "from")
    for key, value, origin in rows:
        table.add_row(key, Text(repr(value)), Text(origin, style="dim" if origin == "default" else ""))
    Console().print(table)


def _find(application: str) -> Source:
    """The source, looked for where ``python -m`` would look too if it is not a file."""
    place = application.partition(":")[0]
    if not (place.endswith(".py") or "/" in place or os.path.isfile(place)):
        sys.path.insert(0, os.getcwd())
    try:
        return find_source(application)
    except LoadError as error:
        if isinstance(error.__cause__, SyntaxError):
            raise
        raise UsageProblem(str(error)) from error


def _boot_and_run(running: RunningCorps, words: Sequence[str]) -> int:
    with start(running) as app:
        parameters = running.run_parameters()
        if parameters is None:
            return _serve(running, words)
        try:
            args = read_words(parameters, words)
        except ValueError as error:
            raise UsageProblem(str(error)) from error
        _print_result(app, args)
    return OK


def _print_result(app: BootedName[Any], args: Sequence[Any]) -> None:
    result = app.run(*args).ret
    if isinstance(result, RemoteIterator):  # `run` yields its results, so each is printed when it comes
        for item in result:
            print(item, flush=True)
    elif result is not None:
        print(result, flush=True)


def _serve(running: RunningCorps, words: Sequence[str]) -> int:
    if words:
        raise UsageProblem(f"{words[0]!r} is one too many: the application has no method run to take it")
    try:
        print("corps: serving; Ctrl-C or SIGTERM ends it", file=sys.stderr, flush=True)
        running.is_over.wait()
    except KeyboardInterrupt:
        running.end(interrupted=True)
    return OK  # unless the end of the block raises why it is over


@contextlib.contextmanager
def _stopping_signals() -> Iterator[None]:
    """SIGTERM and SIGHUP are like Ctrl-C: they end in order, and a second one at once."""
    # One that is ignored, as SIGHUP under nohup, stays so.
    interrupts = Interrupts((signal.SIGTERM, signal.SIGHUP), Stopped)
    interrupts.install()
    try:
        yield
    finally:
        interrupts.remove()


def _complain(text: str, status: int) -> int:
    print(f"corps: {text}", file=sys.stderr)
    return status


def _complain_of_application(error: RemoteError) -> int:
    print(error.traceback.rstrip() or str(error), file=sys.stderr)
    return APPLICATION_ERROR
