"""`corps logs`: the records of an external Corps as they come, and from which level on it makes them."""

import json
import os
import secrets
import signal
import sys
from contextlib import suppress
from datetime import datetime
from typing import Any, Final

from corps.cli.reporting import APPLICATION_ERROR, BY_SIGNAL, OK, USAGE_ERROR, complain, report
from corps.errors import ConfigError, CorpsError, NotFound
from corps.launch.connecting import connect
from corps.messages.contacts import ExtAddr
from corps.messages.requests import CALL
from corps.services.logs.choosing import level_of
from corps.services.logs.chosen import LevelRule
from corps.services.logs.following import Selection
from corps.workers.names import Name

BACK: Final = "default"
"""What stands for the level that there was before."""

_PATIENCE: Final = 10.0  # seconds that the Corps may take to tell all its Envs


def show_log(tag: str, level: str | None, selection: Selection, *, follow: bool, as_json: bool) -> int:
    """Set a level in all Envs of a Corps, or take it back, and show its log; return the exit status.

    `tag` may be the path of a connection file. The selection says for which records the level holds, and
    which are shown. None is for a level that stays as it is. With `follow`, records are printed as they come,
    as lines of JSON if `as_json`, until a Ctrl-C.
    """
    try:
        rule = None if level is None else LevelRule(_number_of(level), *selection)
        if rule is None and not follow:
            raise ConfigError("corps logs wants --follow, --level, or both")
        if as_json and not follow:
            raise ConfigError("--json is for what --follow shows")
        if selection.class_name and not all(selection.class_name.partition(":")):
            raise ConfigError(
                f"--class {selection.class_name!r:.80}: wants the module too, such as shop:Shop"
            )
        with connect(tag) as app:
            if not isinstance(app._addr, ExtAddr):
                return complain(f"{tag} is the Corps of this process: use corps.log_level", USAGE_ERROR)
            if rule is not None:
                _ask(app, "set_log_level", list(rule))
            if follow:
                return _print_all(tag, app, selection, as_json=as_json)
    except CorpsError as error:
        return report(error)
    except KeyboardInterrupt:
        return BY_SIGNAL + signal.SIGINT
    except BrokenPipeError:  # of `head`, or a pager that was left
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return OK


def _number_of(level: str) -> int | None:
    if level.lower() == BACK:
        return None
    return level_of("corps logs", int(level) if level.isdecimal() else level)


def _ask(app: Name[Any], method: str, *args: Any) -> Any:
    assert isinstance(app._addr, ExtAddr)
    return app._bound().ask(CALL, app._addr.border, method, args, {}, _PATIENCE).result()


def _print_all(tag: str, app: Name[Any], selection: Selection, *, as_json: bool) -> int:
    reader = secrets.token_hex(8)
    _ask(app, "begin_log", reader, list(selection))
    print(f"corps: following the log of {tag}; Ctrl-C ends it", file=sys.stderr, flush=True)
    while True:
        try:
            records = _ask(app, "next_log", reader)
        except NotFound:
            raise
        except CorpsError as error:  # in whichever way its end shows
            text = (
                f"the log ends here: {tag} has ended, or cannot be reached any more ({type(error).__name__})"
            )
            return complain(text, APPLICATION_ERROR)
        if records is None:
            return OK
        for record in records:
            print(json.dumps(record, ensure_ascii=False) if as_json else line_of(record))
        sys.stdout.flush()


def line_of(record: dict[str, Any]) -> str:
    """Return a record as a line for people, and its exception as further ones."""
    at = datetime.fromisoformat(record["timestamp"]).astimezone()
    worker = record.get("worker")
    who = record["env"]
    if worker is not None:
        tag = f"[{record['tag']}]" if "tag" in record else ""
        who = f"{worker.partition('/')[2]} {record['class']}{tag}"
    time = f"{at:%Y-%m-%d %H:%M:%S},{at.microsecond // 1000:03d}"
    first = f"{time} {who} {record['level'].upper()} {record['logger']}: {record['event']}"
    return "\n".join([first, *(record[key] for key in ("exception", "stack") if key in record)])
