"""A log record as plain data, from the Env where it was made to the sinks. Pure.

A record is taken apart in the thread that logs: there the message is formatted, because its arguments may
change, or be of a kind that cannot be packed. So is an exception. What is left are numbers and texts.
"""

import logging
import os.path
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from corps.addresses import ConcAddr, env_label
from corps.packing.data import decode_data, encode_data

LOGGER: Final = "corps.logs"  # the logger of what is said about records themselves

MOST_TEXT: Final = 16_384
"""Characters that a message, an exception or a stack may have; of a longer one the middle is left out."""

_MOST_OF_EXTRA: Final = 2_048  # characters of a value that came by `extra=`
_FORMATTER: Final = logging.Formatter()
_PLAIN: Final = frozenset({str, int, float, bool, type(None)})
_OF_EVERY_RECORD: Final = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}
_USUAL_NUMBER: Final = len(logging.makeLogRecord({}).__dict__)
_KEYS: Final = frozenset(
    {
        *("event", "level", "logger", "timestamp", "exception", "stack", "pathname", "func_name", "lineno"),
        *("thread_name", "process", "corps", "env", "worker", "tag", "class", "incarnation", "method"),
        *("request", "caller"),
    }
)


class Worker(NamedTuple):
    """The worker that has logged."""

    number: int  # the conc id of its address
    class_name: str
    tag: str
    incarnation: int


class Work(NamedTuple):
    """The request that a worker answered when it logged."""

    method: str
    mark: str  # what all records have in common that were made while it ran
    caller: tuple[int, int] | None  # Env and conc id of the worker that asks


class Source(NamedTuple):
    """The process that a record comes from."""

    corps: str
    env: int
    generation: int  # how many processes the Env has had before
    pid: int


class LogEntry(NamedTuple):
    """One record."""

    source: Source
    number: int  # of the record in its process, from 1 on
    created: float  # seconds since 1970
    level: int
    level_name: str
    logger: str
    text: str
    path: str
    line: int
    function: str
    thread: str
    exception: str | None
    stack: str | None
    worker: Worker | None
    work: Work | None
    extra: Mapping[str, Any] | None  # what came by `extra=`


def pack(number: int, record: logging.LogRecord, worker: Worker | None, work: Work | None) -> bytes:
    """Turn a record into bytes. It never raises because of what is in the record."""
    extra = _extra_of(record) if len(record.__dict__) != _USUAL_NUMBER else None
    text = record.msg
    if type(text) is dict:  # as structlog hands it to `logging`
        extra = {**(extra or {}), **_readable({key: text[key] for key in text if key != "event"})}
        text = text.get("event", "")
    fields = [
        number,
        record.created,
        record.levelno or logging.NOTSET,
        record.levelname or "NOTSET",
        record.name or "root",
        _text_of(record, text),
        record.pathname,
        record.lineno,
        record.funcName or "",
        record.threadName or "",
        _exception_of(record) if record.exc_info or record.exc_text else None,
        None if record.stack_info is None else shortened(record.stack_info),
        None if worker is None else list(worker),
        None if work is None else [work.method, work.mark, work.caller and list(work.caller)],
        extra,
    ]
    try:
        return encode_data(fields)
    except Exception:  # half a surrogate pair, or a subclass of `str` where logging expects a plain one
        return encode_data(_harmless(fields))


def pack_text(
    created: float, level: int, logger: str, text: str, extra: Mapping[str, Any] | None = None
) -> bytes:
    """Make the bytes of a record that no call of `logging` has made. It has the number 0."""
    fields = [0, created, level, logging.getLevelName(level), logger, shortened(text), "", 0, "", ""]
    return encode_data(_harmless([*fields, None, None, None, None, extra]))


def pack_drops(created: float, number: int, why: str) -> bytes:
    """Make the bytes of the record that stands for so many others, which were dropped."""
    text = f"{number} log records were dropped, because {why}"
    return pack_text(created, logging.WARNING, LOGGER, text, {"dropped": number})


def drops_of(entry: LogEntry) -> int:
    """Return how many records are lost with an entry: 1, or those for which it stands."""
    if entry.logger == LOGGER and entry.extra is not None:
        return int(entry.extra.get("dropped", 1))
    return 1


def unpack(source: Source, body: bytes) -> LogEntry:
    """Turn bytes of `pack` into an entry."""
    *fields, worker, work, extra = decode_data(body)
    at_work = None
    if work is not None:
        method, mark, caller = work
        at_work = Work(method, mark, None if caller is None else (caller[0], caller[1]))
    made_by = None if worker is None else Worker(*worker)
    return LogEntry._make((source, *fields, made_by, at_work, extra))


def shortened(text: str, most: int = MOST_TEXT) -> str:
    """Leave the middle of a long text out."""
    if len(text) <= most:
        return text
    return f"{text[: most // 2]} [... {len(text) - most} characters ...] {text[-most // 2 :]}"


def _text_of(record: logging.LogRecord, message: Any) -> str:
    try:
        text = str(message)
        if record.args:
            text = text % record.args
    except Exception as error:
        text = f"{_safe(message)} (its arguments could not be formatted: {type(error).__name__})"
    return text if len(text) <= MOST_TEXT else shortened(text)


def _exception_of(record: logging.LogRecord) -> str | None:
    if record.exc_text:
        return shortened(record.exc_text)
    found = record.exc_info
    if not found or found[0] is None:
        return None
    try:
        return shortened(_FORMATTER.formatException(found))
    except Exception as error:
        return f"{found[0].__name__} (it could not be formatted: {type(error).__name__})"


def _extra_of(record: logging.LogRecord) -> dict[str, Any] | None:
    found = record.__dict__
    return _readable({key: found[key] for key in found if key not in _OF_EVERY_RECORD}) or None


def _readable(values: Mapping[Any, Any]) -> dict[str, Any]:
    """Turn values into such as can be packed. What begins with an underscore is for no reader."""
    return {
        str(key): value if type(value) in _PLAIN else _safe(value)
        for key, value in values.items()
        if not str(key).startswith("_")
    }


def _safe(value: Any) -> str:
    try:
        return shortened(value if isinstance(value, str) else repr(value), _MOST_OF_EXTRA)
    except Exception as error:
        return f"<{type(value).__name__} whose repr raised {type(error).__name__}>"


def _harmless(value: Any) -> Any:
    """Make exact plain data without half surrogate pairs of what is nearly plain data."""
    match value:
        case None | bool():
            return value
        case int():
            return int(value)
        case float():
            return float(value)
        case list() | tuple():
            return [_harmless(each) for each in value]
        case dict():
            return {_harmless(key): _harmless(each) for key, each in value.items()}
    text = str.__str__(value) if isinstance(value, str) else _safe(value)
    return text.encode("utf-8", "backslashreplace").decode()


# --- for sinks ---


def worker_label(entry: LogEntry) -> str:
    """Name the worker as a column does, such as ``"env1/3 Index[eu]"``; the Env alone without one."""
    env = env_label(entry.source.env)
    if entry.worker is None:
        return env
    who = ConcAddr(entry.source.corps, entry.source.env, entry.worker.number)
    tag = f"[{entry.worker.tag}]" if entry.worker.tag else ""
    return f"{str(who).partition('/')[2]} {entry.worker.class_name}{tag}"


def as_dict(entry: LogEntry) -> dict[str, Any]:
    """Return an entry under the keys that structlog gives to the same things; what is unknown is missing."""
    source, worker, work = entry.source, entry.worker, entry.work
    at = datetime.fromtimestamp(entry.created, UTC)
    found: dict[str, Any] = {
        "timestamp": at.isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "level": entry.level_name.lower(),
        "event": entry.text,
        "logger": entry.logger,
        "corps": source.corps,
        "env": env_label(source.env),
        "process": source.pid,
    }
    if worker is not None:
        found["worker"] = str(ConcAddr(source.corps, source.env, worker.number))
        found["class"] = worker.class_name
        found["incarnation"] = worker.incarnation
        if worker.tag:
            found["tag"] = worker.tag
    if work is not None:
        found["method"], found["request"] = work.method, work.mark
        if work.caller is not None:
            found["caller"] = str(ConcAddr(source.corps, *work.caller))
    if entry.line:
        found["pathname"], found["lineno"], found["func_name"] = entry.path, entry.line, entry.function
    if entry.thread:
        found["thread_name"] = entry.thread
    if entry.exception is not None:
        found["exception"] = entry.exception
    if entry.stack is not None:
        found["stack"] = entry.stack
    for key, value in (entry.extra or {}).items():
        found[f"{key}_" if key in _KEYS else key] = value
    return found


def entry_of(record: logging.LogRecord) -> LogEntry:
    """Return the entry of a record that `as_record` has made."""
    entry: LogEntry = vars(record)["corps_entry"]
    return entry


def as_record(entry: LogEntry) -> logging.LogRecord:
    """Return an entry as a record for handlers of `logging`, with what `as_dict` has as attributes."""
    found = as_dict(entry)
    of_record = {
        "name": entry.logger,
        "msg": entry.text,
        "levelno": entry.level,
        "levelname": entry.level_name,
        "pathname": entry.path,
        "filename": os.path.basename(entry.path),
        "module": os.path.splitext(os.path.basename(entry.path))[0],
        "lineno": entry.line,
        "funcName": entry.function,
        "created": entry.created,
        "msecs": entry.created % 1 * 1000,
        "threadName": entry.thread,
        "processName": found["env"],
        "process": entry.source.pid,
        "exc_text": entry.exception,
        "stack_info": entry.stack,
    }
    ours = {key: found.get(key, "") for key in ("corps", "env", "worker", "tag", "incarnation", "request")}
    ours |= {"cls": found.get("class", ""), "method": found.get("method", ""), "at": worker_label(entry)}
    taken = of_record.keys() | ours.keys()
    extra = {f"{key}_" if key in taken else key: value for key, value in (entry.extra or {}).items()}
    record = logging.makeLogRecord({**extra, **ours, **of_record})
    record.corps_entry = entry
    return record
