"""What an author says about the log of the Corps, while it runs."""

import logging
import os
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from corps.addresses import LOGS, ConcAddr
from corps.errors import ConfigError, ContextError
from corps.exporting import exported
from corps.messages.requests import CALL
from corps.runtime.env import Env
from corps.services.logs.chosen import LevelRule
from corps.workers.everywhere import all_envs, env_here, resolved
from corps.workers.names import Name
from corps.workers.placement import Where

if TYPE_CHECKING:
    from typing import Self


@exported
class LogSink:
    """Where log records go, as `corps.log_to` has made it. Leaving its ``with`` block closes it."""

    def __init__(self, env: Env, number: int) -> None:
        """Make it; `corps.log_to` calls this."""
        self._env = env
        self._number = number

    def close(self) -> None:
        """End it, when it has written what it has. Idempotent.

        Raises:
            LoopBlocked: Called in a coroutine.
        """
        if not self._env.closed:  # else it has ended with its Corps
            _ask(self._env, "remove_sink", self._number)

    def __enter__(self) -> "Self":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@exported
def log_to(
    handler: logging.Handler | None = None,
    *,
    console: bool = False,
    file: str | Path | None = None,
    json_lines: str | Path | None = None,
    publish: str | None = None,
    worker: Name[Any] | None = None,
    method: str = "",
    level: int | str = logging.NOTSET,
    rotate_bytes: int | None = None,
    rotate_kept: int | None = None,
) -> LogSink:
    """Have the log records of all Envs go to one more sink, from when this returns.

    Name one sink. It works in the process that booted the Corps, or has opened the Env, in a thread of its
    own. If it is slow, no worker waits for it: what does not fit into its queue (setting `log.queue`) is
    dropped, and a record says how many that were.

    Args:
        handler: Any handler of `logging`; it is closed with the sink. Only in the process where that works.
        console: Show the records on stderr, with their workers.
        file: Append them to a file, as lines for people.
        json_lines: Append them to a file, as lines of JSON.
        publish: An address to which a ZeroMQ PUB socket is bound, such as ``"tcp://127.0.0.1:5557"``. It
            publishes as PyZMQ's own handler does, with topics such as ``env1.WARNING``.
        worker: The Name of a worker, whose method gets lists of records. Each is a dict with the keys of the
            lines of JSON. What the worker itself logs does not come to it.
        method: The name of that method.
        level: The level of the records that go there at least.
        rotate_bytes: See the setting `log.rotate_bytes`, which holds for None.
        rotate_kept: See the setting `log.rotate_kept`.

    Returns:
        The sink; close it to end it before the Corps ends.

    Raises:
        ConfigError: Not exactly one sink is named, a level is unknown, or a file or address cannot be opened.
        ContextError: There is no Env here; or a `handler` was given in another process than that of the sink.
        LoopBlocked: Called in a coroutine.
    """
    order = _one_sink(
        handler=handler,
        console=console or None,
        file=None if file is None else os.path.abspath(file),
        json_lines=None if json_lines is None else os.path.abspath(json_lines),
        publish=publish,
        worker=worker,
    )
    if (worker is None) is not (not method):
        raise ConfigError(f"log_to got worker={worker!r}, method={method!r}: it takes both or none")
    if method:
        order["method"] = method
    order["level"] = level_of("log_to", level)
    order |= _rotation(rotate_bytes=rotate_bytes, rotate_kept=rotate_kept)
    env = env_here("to log to")
    if handler is not None:
        _check_place(handler, env)
    return LogSink(env, _ask(env, "add_sink", order))


def _one_sink(**asked: object) -> dict[str, Any]:
    """Return the one sink that is asked for, by its kind."""
    order = {kind: value for kind, value in asked.items() if value is not None}
    if len(order) != 1:
        raise ConfigError(f"log_to takes one of {', '.join(asked)}, and got {', '.join(order) or 'none'}")
    return order


def _rotation(**given: int | None) -> dict[str, int]:
    """Return what is said of the rotation of a file."""
    return {name: _not_negative(name, value) for name, value in given.items() if value is not None}


def _check_place(handler: logging.Handler, env: Env) -> None:
    """Refuse a handler in a process that is not that of the sinks: it cannot go there."""
    if env.id != env.home:
        raise ContextError(
            f"log_to got the handler {handler!r} in {env.label}: a handler works in the process that booted "
            "the Corps, so give it there"
        )


@exported
def log_level(
    level: int | str | None,
    name: str = "",
    *,
    env: Where = None,
    cls: type | None = None,
    tag: str = "",
) -> None:
    """Set from which level on records are made, while the Corps runs; it holds when this returns.

    It holds for Envs that come later too. Without `cls` and `tag` it is the level of the logger.

    Args:
        level: A level of `logging`, by number or name; None takes back what was set for the same.
        name: Name of a logger: it, and those below it. Empty: all that have no level of their own.
        env: The id of an Env, ``"here"`` or ``"front"``; None for all.
        cls: Only for workers of exactly this class.
        tag: Only for workers with this tag.

    Raises:
        ConfigError: There is no such level or Env, or `cls` is no class of workers.
        ContextError: There is no Env here, or it is not clear which.
        LoopBlocked: Called in a coroutine.
    """
    number = None if level is None else level_of("log_level", level)
    interface = getattr(cls, "_corps_interface", None)
    if cls is not None and interface is None:
        raise ConfigError(f"log_level got cls={cls!r}: it takes a subclass of corps.Conc")
    mine = env_here("whose log level can be set")
    place = resolved(mine, env)
    if place is not None and place not in all_envs(mine):
        known = ", ".join(map(str, all_envs(mine)))
        raise ConfigError(f"log_level got env={env!r}: the Envs of this Corps are {known}")
    class_name = "" if interface is None else interface.class_name
    _ask(mine, "set_level", list(LevelRule(number, name, place, class_name, tag)))


def level_of(what: str, level: int | str) -> int:
    """Return the number of a level; a ConfigError of the function `what` if there is none of that name."""
    number = logging.getLevelNamesMapping().get(level.upper()) if isinstance(level, str) else level
    if not isinstance(number, int) or isinstance(number, bool) or number < 0:
        names = ", ".join(logging.getLevelNamesMapping())
        raise ConfigError(f"{what} got level={level!r}: it takes a number from 0 on, or one of {names}")
    return number


def _not_negative(name: str, value: int) -> int:
    if type(value) is not int or value < 0:
        raise ConfigError(f"log_to got {name}={value!r}: it takes a whole number from 0 on")
    return value


def _ask(env: Env, method: str, *args: Any) -> Any:
    return env.ask(CALL, ConcAddr(env.corps_id, env.home, LOGS), method, args, {}).result()
