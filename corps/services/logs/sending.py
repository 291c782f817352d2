"""What empties the queue of an Env's log records: batches to the process that has the sinks.

The alarm thread of the Env sends what has gathered, one batch after the other, the next when the one before
has been taken. So a Corps that cannot keep up is not flooded, and the queue of the handler is all that can
overflow.
"""

import logging
import os
from threading import Lock, get_ident
from typing import Any, Final

from corps.addresses import LOGS
from corps.clock import now
from corps.errors import EnvLost
from corps.messages.outcomes import Refused, Value
from corps.runtime.calls.futures import Future
from corps.runtime.env import Env
from corps.services.logs.entries import LOGGER
from corps.services.logs.handler import OutletHandler
from corps.services.logs.hub import LogHub
from corps.services.logs.last_records import LastRecords, records_path

_log = logging.getLogger(LOGGER)

_GATHER: Final = 0.02  # seconds until what was logged is sent
_AGAIN: Final = 0.1  # seconds until it is tried again, because the Corps cannot be reached yet


class LogSender:
    """Sends the records of one Env, which its handler takes. Thread-safe."""

    def __init__(self, env: Env, hub: LogHub | None) -> None:
        """Send nothing yet. `hub` is there in the Env that has the sinks."""
        self._env = env
        self._hub = hub
        self._lock = Lock()  # protects what follows
        self._under_way: list[bytes] | None = None  # what was sent, and was not taken yet
        self._is_due = False  # there is more
        # Each with how many records have to be taken. Changed by one step of the interpreter.
        self._flushes: list[tuple[int, Future[None]]] = []
        self.handler = OutletHandler(env, self._wake)
        self.handler.last = self._last_records()
        if hub is not None:
            self.handler.deaf = hub.threads

    def _last_records(self) -> LastRecords | None:
        """Make the file that remains if this process is killed. The one that boots is lost with its Corps."""
        env = self._env
        if env.runtime_dir is None or self._hub is not None or not env.options.log_last_bytes:
            return None
        try:
            path = records_path(env.runtime_dir, env.id, env.generation)
            return LastRecords(path, env.options.log_last_bytes)
        except OSError as error:
            _log.warning("%s keeps no last log records: %s", env.label, error)
            return None

    def _wake(self) -> None:
        self._env.alarms.at(now() + _GATHER, self._send)

    def _send(self) -> None:
        """Send the next batch, unless another one is under way. Any thread, which does not wait."""
        with self._lock:
            if self._under_way is not None:
                self._is_due = True
                return
            batch = self._under_way = self.handler.fetch()
            self._is_due = bool(self.handler.waiting)
        if batch:
            self._hand_over(batch)
        else:
            self._go_on()

    def _hand_over(self, batch: list[bytes]) -> None:
        source = self._env.corps_id, self._env.id, self._env.generation, os.getpid()
        asked: Future[Any] | None = None
        self.handler.sending = get_ident()
        try:
            if self._hub is not None:
                self._hub.take(source, batch)
            else:
                asked = self._env.ask_service(self._env.home, LOGS, "take", list(source), batch)
        except Exception as error:  # whatever it is, the next batch has to go
            self._fail(error)
            return
        finally:
            self.handler.sending = None
        if asked is None:
            self._go_on()
        else:
            asked.when_settled(self._answered)

    def _answered(self, asked: Future[Any]) -> None:
        outcome = asked.outcome
        if outcome is not None and outcome.failed:
            asked.hear()
            self._fail(outcome.error if isinstance(outcome, Refused) else None)
        else:
            self._go_on()

    def _fail(self, error: BaseException | None) -> None:
        """Try again, because this Env does not know the other ones yet; or count a batch that is lost."""
        with self._lock:
            batch = self._under_way
        assert batch is not None
        if isinstance(error, EnvLost) and error.executed == "no" and not self._env.closed:
            self._env.alarms.at(now() + _AGAIN, lambda: self._hand_over(batch))
            return
        self.handler.drop(len(batch))
        self._go_on()

    def _go_on(self) -> None:
        """Send the next batch soon, because the one before is over."""
        with self._lock:
            self._under_way = None
            fetched, is_closed = self.handler.fetched, self._env.closed
            over = [flush for flush in list(self._flushes) if flush[0] <= fetched or is_closed]
            for flush in over:
                self._flushes.remove(flush)
            is_due = self._is_due and not is_closed
        if is_due:
            self._env.alarms.at(now(), self._send)
        for _, flushed in over:
            flushed.settle(Value(None))

    def flush(self) -> Future[None]:
        """Send what has come until now; the Future is done when it has been taken."""
        # Without the lock, and by the alarm thread: the main thread may call this.
        flushed: Future[None] = Future()
        self._flushes.append((self.handler.taken, flushed))
        self._env.alarms.at(now(), self._send)
        return flushed

    def close(self) -> None:
        """Take no more: the Env has closed."""
        self.handler.keep_no_more()
        while self._hub is not None and self.handler.waiting and self._under_way is None:
            self._send()
