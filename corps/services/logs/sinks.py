"""Where log records end: each sink has a bounded queue and a thread."""

import logging
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from threading import Condition, Lock, Thread, get_ident
from typing import Any, Final

from corps.addresses import ConcAddr
from corps.clock import wall_time
from corps.errors import ConfigError
from corps.messages.outcomes import Value
from corps.runtime.calls.futures import Future
from corps.runtime.env import Env
from corps.services.logs.console import console_handler
from corps.services.logs.entries import LogEntry, as_dict, as_record, drops_of, pack_drops, unpack
from corps.services.logs.forms import JsonLines, PlainLines
from corps.workers.names import Name

_AT_ONCE: Final = 500  # records that a sink takes out of its queue
_LAST_SECONDS: Final = 2.0  # that a sink may take to write what it has, when the Corps ends
_PATIENCE: Final = 30.0  # seconds that a worker may take for some records


class Sink:
    """One sink. Thread-safe. Its thread starts with the first record."""

    def __init__(self, name: str, most: int, threads: set[int], level: int = logging.NOTSET) -> None:
        """Have room for `most` records of a level. `threads` gets the ident of its thread."""
        self.name = name
        self.is_shown = False  # it shows the records to people
        self._most = most
        self._level = level
        self._threads = threads
        self._changed = Condition(Lock())  # its lock protects what follows; nothing is written under it
        self._waiting: deque[LogEntry] = deque()
        self._dropped = 0
        self._last: LogEntry | None = None  # that was dropped
        self._thread: Thread | None = None
        self._is_ending = False
        self.ended: Future[None] = Future()
        self._is_over = False  # all has been written, but for what is said of dropped ones

    def put(self, entries: Iterable[LogEntry]) -> None:
        """Take records; count those for which there is no room."""
        with self._changed:
            for entry in entries:
                if entry.level < self._level:
                    continue
                if len(self._waiting) >= self._most or self._is_ending:
                    self._dropped, self._last = self._dropped + drops_of(entry), entry
                else:
                    self._waiting.append(entry)
            if self._thread is None and self._waiting:
                thread = Thread(target=self._run, name=f"corps-log-{self.name}", daemon=True)
                try:
                    thread.start()
                except RuntimeError:  # the system gives no more threads now: the next record tries again
                    return
                self._thread = thread
            self._changed.notify()

    def end_soon(self) -> None:
        """Take no more, and end when all is written."""
        with self._changed:
            if self._is_ending:
                return
            self._is_ending = True
            self._changed.notify()
            has_thread = self._thread is not None
        if not has_thread:
            self._run()

    def wait(self) -> None:
        """Wait a little for the end."""
        if self._thread is not None:
            self._thread.join(_LAST_SECONDS)

    def _run(self) -> None:
        self._threads.add(get_ident())
        try:
            while entries := self._next():
                lost = self._write(entries)
                if lost:
                    with self._changed:
                        self._dropped, self._last = self._dropped + lost, entries[-1]
        finally:
            self._finish()
            self._threads.discard(get_ident())

    def _finish(self) -> None:
        try:
            self._close()
        finally:
            self.ended.settle(Value(None))

    def _next(self) -> Sequence[LogEntry]:
        """Wait for records; none at the end."""
        dropped = 0
        with self._changed:
            while not (self._waiting or self._is_ending):
                self._changed.wait()
            taken = [self._waiting.popleft() for _ in range(min(_AT_ONCE, len(self._waiting)))]
            is_said, self._is_over = self._is_over, not taken
            # Beside other records, and once in the end: to a sink that takes none it is not said for ever.
            if not self._waiting and not is_said:
                dropped, self._dropped = self._dropped, 0
        if dropped and self._last is not None:
            why = f"the sink {self.name!r} did not take them in time"
            taken.append(unpack(self._last.source, pack_drops(wall_time(), dropped, why)))
        return taken

    def _write(self, entries: Sequence[LogEntry]) -> int:
        """Write records; return how many were lost. In the thread of the sink."""
        raise NotImplementedError

    def _close(self) -> None:
        """Close what it writes to."""


class HandlerSink(Sink):
    """Hands records to a handler of `logging`."""

    def __init__(
        self, name: str, handler: logging.Handler, most: int, threads: set[int], level: int = logging.NOTSET
    ) -> None:
        """Write by `handler`, and close it in the end."""
        super().__init__(name, most, threads, level)
        self._handler = handler

    def _write(self, entries: Sequence[LogEntry]) -> int:
        """See `Sink._write`. What a handler raises it has to show itself: see `Handler.handleError`."""
        lost = 0
        for entry in entries:
            record = as_record(entry)
            try:
                if record.levelno >= self._handler.level:
                    self._handler.handle(record)
            except Exception:
                lost += drops_of(entry)
        return lost

    def _close(self) -> None:
        self._handler.close()


class WorkerSink(Sink):
    """Hands records to a method of a worker, as a list of dicts: one call at a time."""

    def __init__(self, worker: Name[Any], method: str, most: int, threads: set[int], level: int) -> None:
        """Call a method of a worker."""
        super().__init__(f"{worker!r}", most, threads, level)
        self._worker = worker
        self._method = method

    def _write(self, entries: Sequence[LogEntry]) -> int:
        # What the worker itself logs would bring it the next records, for ever.
        found = [as_dict(entry) for entry in entries if _addr_of(entry) != self._worker._addr]
        if not found:
            return 0
        try:
            getattr(self._worker, self._method)(found).result(_PATIENCE)
        except Exception:
            return len(found)
        return 0


def _addr_of(entry: LogEntry) -> ConcAddr | None:
    if entry.worker is None:
        return None
    return ConcAddr(entry.source.corps, entry.source.env, entry.worker.number)


def sinks_of(env: Env, threads: set[int]) -> Iterator[Sink]:
    """Make the sinks that the settings name."""
    options = env.options
    orders: dict[str, Any] = {
        "console": options.log_console,
        "file": options.log_file,
        "json_lines": options.log_json_lines,
        "publish": options.log_publish,
    }
    for kind, value in orders.items():
        if value:
            yield sink_of({kind: value}, env, threads)


def sink_of(order: Mapping[str, Any], env: Env, threads: set[int]) -> Sink:
    """Make a sink, as `order` says by the names of the arguments of `corps.log_to`; or a ConfigError."""
    try:
        return _opened(order, env, threads)
    except OSError as error:
        kind, value = next(iter(order.items()))
        raise ConfigError(f"the log cannot go to {kind} = {value!r}: {error}") from error


def _opened(order: Mapping[str, Any], env: Env, threads: set[int]) -> Sink:
    """Make a sink, or raise an OSError."""
    most, level = env.options.log_queue, order.get("level", logging.NOTSET)
    match order:
        case {"handler": logging.Handler() as handler}:
            return HandlerSink(type(handler).__name__, handler, most, threads, level)
        case {"console": True}:
            sink = HandlerSink("console", console_handler(), most, threads, level)
            sink.is_shown = True
            return sink
        case {"file": str(path)}:
            return HandlerSink("file", _file_handler(path, PlainLines(), order, env), most, threads, level)
        case {"json_lines": str(path)}:
            handler = _file_handler(path, JsonLines(), order, env)
            return HandlerSink("json_lines", handler, most, threads, level)
        case {"publish": str(address)}:
            from corps.transport.zeromq.log_publisher import LogPublisher  # with ZeroMQ

            return HandlerSink("publish", LogPublisher(address), most, threads, level)
        case {"worker": worker, "method": str(method)}:
            return WorkerSink(worker, method, most, threads, level)
    raise ConfigError(f"no sink for log records is called {', '.join(map(repr, order))}")


def _file_handler(path: str, form: logging.Formatter, order: Mapping[str, Any], env: Env) -> logging.Handler:
    """Open a file that begins anew when it is full."""
    from logging.handlers import RotatingFileHandler  # late: it takes 5 ms, and most Corps need it not

    handler = RotatingFileHandler(
        path,
        maxBytes=order.get("rotate_bytes", env.options.log_rotate_bytes),
        backupCount=order.get("rotate_kept", env.options.log_rotate_kept),
        encoding="utf-8",
    )
    handler.setFormatter(form)
    return handler
