"""`corps call` and `corps connect`: asking an external Corps of this user from a shell."""

import code
import difflib
import importlib.util
import json
import signal
import sys
from collections.abc import Iterator, Sequence
from typing import Any, Final

from corps.cli.json_values import as_plain
from corps.cli.reporting import BY_SIGNAL, OK, USAGE_ERROR, complain, report
from corps.cli.shown_credentials import credentials_from
from corps.errors import CorpsError
from corps.launch.connecting import connect
from corps.messages.interfaces import Interface
from corps.workers.iterators import RemoteIterator

Credentials = tuple[str | None, str | None]
"""The path of a file, and the name of an environment variable, that credentials are taken from."""

_BANNER: Final = (
    "app is {app!r}, a Name of the Corps: app.method(1).ret waits for an answer; Ctrl-D leaves it"
)


def call_method(
    where: str,
    method: str,
    words: Sequence[str],
    kwargs: str | None,
    *,
    stream: bool,
    timeout: float | None,
    credentials: Credentials,
) -> int:
    """Call a method of a Corps with arguments in JSON, print what it returns as JSON; return the exit status.

    `where` is a tag or the path of a connection file. With `stream`, each item of a generator or list is a
    line of its own, printed when it comes. `timeout` are seconds that the answer may take. `credentials` are
    the file and the environment variable to take them from.
    """
    try:
        args = [_read(word, "an argument") for word in words]
        named = {} if kwargs is None else _read(kwargs, "--kwargs")
        if not isinstance(named, dict):
            raise ValueError(f"--kwargs wants a JSON object, not {kwargs!r:.200}")
    except ValueError as error:
        return complain(str(error), USAGE_ERROR)
    try:
        with connect(where, credentials=credentials_from(*credentials)) as app:
            if problem := _unknown(method, app._interface):
                return complain(problem, USAGE_ERROR)
            asked = app if timeout is None else app.options(deadline=timeout)
            result = getattr(asked, method)(*args, **named).ret
            _print(result, stream=stream)
    except CorpsError as error:
        return report(error)
    except ValueError as error:
        return complain(f"the answer of {method} cannot be shown: {error}", 1)
    except KeyboardInterrupt:
        return BY_SIGNAL + signal.SIGINT
    return OK


def talk_to(where: str, credentials: Credentials) -> int:
    """Give a prompt at which ``app`` is the Name of a Corps; return the exit status."""
    try:
        with connect(where, credentials=credentials_from(*credentials)) as app:
            names = {"app": app, "corps": sys.modules["corps"]}
            banner = _BANNER.format(app=app)
            if importlib.util.find_spec("IPython") is None:
                code.interact(banner, local=names, exitmsg="")
            else:
                ipython = importlib.import_module("IPython")
                print(banner)
                ipython.start_ipython(argv=["--no-banner"], user_ns=names)
    except CorpsError as error:
        return report(error)
    return OK


def _read(text: str, what: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        hint = f"; a text wants quotes: '{json.dumps(text)}'" if text.replace("_", "").isalnum() else ""
        raise ValueError(f"{what} wants to be JSON, not {text!r:.200}: {error}{hint}") from error


def _unknown(method: str, interface: Interface) -> str:
    """Say that a class has no such method, with near misses; empty if it has it."""
    if method in interface.methods:
        return ""
    near = difflib.get_close_matches(method, interface.methods)
    also = f"did you mean {' or '.join(near)}?" if near else f"it has: {interface.known_methods}"
    return f"{interface.short_name} has no method {method!r}; {also}"


def _print(result: object, *, stream: bool) -> None:
    if not isinstance(result, RemoteIterator):
        for line in _lines(result, stream=stream):
            print(line, flush=True)
    elif stream:
        for item in result:
            print(_as_line(item), flush=True)
    else:
        print(_as_line(list(result)), flush=True)


def _lines(result: object, *, stream: bool) -> Iterator[str]:
    if stream and isinstance(result, list | tuple):
        yield from map(_as_line, result)
    else:
        yield _as_line(result)


def _as_line(value: object) -> str:
    return json.dumps(as_plain(value), ensure_ascii=False, allow_nan=False)
