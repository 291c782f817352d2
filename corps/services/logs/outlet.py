"""What an Env does about its log records, as the settings say and what is chosen while the Corps runs."""

import logging
from threading import Lock
from typing import TYPE_CHECKING, Any

from corps.messages.outcomes import Value
from corps.runtime.calls.caller_side import when_forked
from corps.runtime.calls.futures import Future
from corps.runtime.env import Env
from corps.runtime.parts import Part
from corps.services.logs.chosen import Chosen
from corps.services.logs.hub import LogHub, first_chosen, has_sinks
from corps.workers.conc import Conc

if TYPE_CHECKING:
    from corps.services.logs.captures import Captures
    from corps.services.logs.levels import Levels
    from corps.services.logs.sending import LogSender


class LogOutlet(Part):
    """The log records of one Env, on their way to the Corps. What that needs is imported for a sink."""

    def __init__(self, env: Env) -> None:
        """Take records from now on, if the settings name a sink."""
        self._env = env
        self._hub = env.parts.get(LogHub) if env.id == env.home else None
        self._choosing = Lock()  # held while the loggers of this process are changed; protects what follows
        self._chosen = Chosen()
        self._sender: LogSender | None = None
        self._levels: Levels | None = None
        self._captures: Captures | None = None  # in the processes that were booted for Envs
        self._own: logging.Handler | None = None  # that shows records on the stderr of this Env
        self._own_rests = False
        if env.options.log_now:
            self.choose(Chosen.from_plain(env.options.log_now))
        elif has_sinks(env.options):
            self.choose(first_chosen(env.options))

    def choose(self, chosen: Chosen) -> None:
        """Do what is wanted now, unless that is older than what is known here."""
        with self._choosing:
            if chosen.version < self._chosen.version or self._env.closed:
                return
            self._chosen = chosen
            if chosen.is_wanted:
                self._attach(is_shown=chosen.is_shown)
            else:
                self._detach()
            rules = chosen.rules_of(self._env.id)
            if rules and self._levels is None:
                from corps.services.logs.levels import Levels

                self._levels = Levels()
            if self._levels is not None:
                self._levels.apply(rules)

    def _attach(self, *, is_shown: bool) -> None:
        """Take the records of this process from now on."""
        from corps.services.logs.captures import Captures
        from corps.services.logs.sending import LogSender

        if self._sender is None:
            self._sender = LogSender(self._env, self._hub)
            when_forked(self._env, _note_fork)
        handler = self._sender.handler
        handler.is_shown = is_shown
        if self._env.peers is not None and self._hub is None:
            options = self._env.options
            self._captures = self._captures or Captures(handler.handle)
            self._captures.start(warnings=options.log_warnings, uncaught=options.log_uncaught)
        logging.root.addHandler(handler)  # once more makes no difference
        self._let_own_rest(rests=is_shown)

    def _let_own_rest(self, *, rests: bool) -> None:
        """Do without the handler that corps has made for this Env, or with it again."""
        own = self._own
        if own is None or self._own_rests is rests:
            return
        if not rests:
            logging.root.addHandler(own)
        elif own in logging.root.handlers:  # else the application has another one meanwhile
            logging.root.removeHandler(own)
        else:
            return
        self._own_rests = rests

    def _detach(self) -> None:
        """Take no more."""
        if self._captures is not None:
            self._captures.end()
        if self._sender is not None:
            logging.root.removeHandler(self._sender.handler)
        self._let_own_rest(rests=False)

    def take_over(self, own: logging.Handler) -> None:
        """Do without the handler that corps has made for this Env, while a sink shows the records."""
        with self._choosing:
            self._own = own
            self._let_own_rest(rests=self._chosen.is_wanted and self._chosen.is_shown)

    def note_fork(self) -> None:
        """Take no more, because this is the child of a fork."""
        if self._sender is not None:
            self._sender.handler.is_forked, self._sender.handler.is_shown = True, False

    def flush(self) -> Future[None]:
        """Send what has come until now; the Future is done when it has been taken."""
        if self._sender is not None:
            return self._sender.flush()
        flushed: Future[None] = Future()
        flushed.settle(Value(None))
        return flushed

    def last_words(self) -> Future[None] | None:
        """See `Part.last_words`."""
        return None if self._sender is None else self._sender.flush()

    def close(self) -> None:
        """Take no more: the Env has closed."""
        with self._choosing:
            if self._levels is not None:
                self._levels.apply(())
            self._detach()
        if self._sender is not None:
            self._sender.close()


def _note_fork(env: Env) -> None:
    env.parts.get(LogOutlet).note_fork()


class LogAgent(Conc):
    """Says to an Env what log records are wanted. One per Env."""

    def __init__(self, env: Env) -> None:
        """Serve an Env."""
        self._outlet = env.parts.get(LogOutlet)

    def flush(self) -> Future[None]:
        """See `LogOutlet.flush`."""
        return self._outlet.flush()

    def choose(self, plain: list[Any]) -> None:
        """Do what is wanted from now on; `plain` is a `Chosen` as plain data."""
        self._outlet.choose(Chosen.from_plain(plain))
