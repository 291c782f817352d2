"""ParentLink: one parent on another host, from its start to its end, as the booting process sees it.

Two threads serve it. One reads what comes; the other one sends, and looks how long the host has been silent.
So no thread that sends waits for a network.
"""

import contextlib
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from signal import SIGKILL
from threading import Event, Lock, Thread, current_thread
from typing import Any, Final

from corps.addresses import env_label
from corps.clock import now
from corps.errors import BrokenError, EnvStartError, WireError
from corps.launchers.launcher import Exit, HostPlace
from corps.launchers.remote.far_env import FarEnv
from corps.launchers.remote.lease import HostSilence, lease_of
from corps.launchers.remote.terms import Terms, differences, here
from corps.launchers.remote.words import (
    Alive,
    Begin,
    Clear,
    Decoder,
    Encoder,
    End,
    Ended,
    Files,
    Granted,
    Here,
    Hushed,
    Line,
    Message,
    NotStarted,
    Over,
    Printed,
    Problem,
    Said,
    Spawn,
    Started,
    Up,
    Wanted,
)
from corps.launchers.starter import ByteStream

_log = logging.getLogger("corps.hosting")

_SURE: Final = 0.5  # seconds to hear how a program has ended whose stream is over
_LAST: Final = 5.0  # seconds that the end of a parent may take beyond that of its processes
_STDOUT: Final = 1


@dataclass(frozen=True, slots=True)
class ParentUp:
    """What a parent has said when Envs could be started."""

    here: Here
    up: Up


@dataclass(slots=True)
class _Asked:
    """A process that was asked for. The reading thread writes, sets `is_answered`, and no more after that."""

    process: FarEnv
    is_answered: Event
    is_there: bool = False
    problem: NotStarted | None = None


class ParentLink:
    """A parent, whose program was started. Thread-safe, but for `begin`, which comes first, once."""

    def __init__(
        self,
        name: str,
        shown: str,
        stream: ByteStream,
        terms: Terms,
        on_exit: Callable[[Exit], object],
        on_line: Callable[[int, int, str], object],
    ) -> None:
        """Take a stream. `shown` is how its program was started. `on_exit` hears each end of an Env, once.

        `on_line` gets what Envs write, if the terms want that: the ids of Env and process, and a line.
        """
        self.name = name
        self._shown = shown
        self._stream = stream
        self._terms = terms
        self._on_exit = on_exit
        self._on_line = on_line
        self._encoder = Encoder()
        self._out: SimpleQueue[Message | None] = SimpleQueue()
        self._steps: SimpleQueue[Message | str] = SimpleQueue()  # of the start; a text says what went wrong
        self._lock = Lock()  # protects _asked, _is_over, _silence; nothing blocks under it
        self._asked: dict[int, _Asked] = {}  # by ticket, until the end of its process
        self._is_over = False
        self._is_ending = False  # this side wants its end
        self._silence: HostSilence | None = None  # from the end of the start on
        self._is_silent = Event()
        self._is_lost = Event()  # set when the host was given up: nothing is read any more
        self._has_said_over = False
        self._has_ended = Event()  # set when `on_exit` has heard of all its Envs
        self._reader = Thread(target=self._read, name=f"corps-host-{name}", daemon=True)
        self._writer = Thread(target=self._write, name=f"corps-host-{name}-out", daemon=True)

    @property
    def is_over(self) -> bool:
        """Whether no Env can be started by it any more."""
        return self._is_over

    @property
    def was_lost(self) -> bool:
        """Whether its host is not reached any more, or the parent has ended while it was not."""
        return self._is_silent.is_set()

    # --- the start ---

    def begin(self) -> ParentUp:
        """Start the threads, and the parent's template, and wait until Envs can be started.

        Raises:
            EnvStartError: The two sides do not fit, or it cannot be done in time. The link is closed.
        """
        until = now() + self._terms.start_timeout
        try:
            self._reader.start()
            self._writer.start()
            return self._begin(until)
        except BaseException:
            self._give_up()
            raise

    def _begin(self, until: float) -> ParentUp:
        terms = self._terms
        there = self._step(until)
        if not isinstance(there, Here):
            raise self._failed(f"its program said {there.word!r} first")
        if found := differences(there, here("", "")):
            raise self._failed(
                f"its Envs would not fit to this process: {'; '.join(found)}. Give both the same versions, "
                "or name another interpreter of that host as `python`"
            )
        self._out.put(
            Begin(
                terms.beat,
                lease_of(terms.lost_after),
                terms.digest,
                terms.entry,
                [*terms.preload],
                [*terms.argv],
                max(0.1, until - now()),
                terms.as_lines,
            )
        )
        answer = self._step(until)
        if isinstance(answer, Wanted):
            self._out.put(Files(terms.archive))
            answer = self._step(until)
        if isinstance(answer, Problem):
            raise self._failed(answer.text)
        if not isinstance(answer, Up):
            raise self._failed(f"its program said {answer.word!r} while it started")
        with self._lock:
            self._silence = HostSilence(terms.suspect_after, terms.lost_after, now())
        return ParentUp(there, answer)

    def _step(self, until: float) -> Message:
        try:
            answer = self._steps.get(timeout=max(0.0, until - now()))
        except Empty:
            text = f"nothing came of it within {self._terms.start_timeout:.3g} s (setting boot_timeout)"
            raise self._failed(text) from None
        if isinstance(answer, str):
            raise self._failed(answer)
        return answer

    def _failed(self, why: str) -> EnvStartError:
        lines = self._stream.last_lines().rstrip()
        said = f"\nThe last that it has written:\n{lines}" if lines else ""
        return EnvStartError(f"host {self.name!r}, by {self._shown}: {why}{said}", output=lines)

    # --- Envs ---

    def spawn(self, env_id: int, ticket: int, host: HostPlace) -> FarEnv:
        """Start the process of an Env; raise as `Launcher.spawn`."""
        process = FarEnv(env_id, ticket, self.send, host, self._is_silent)
        asked = _Asked(process, Event())
        with self._lock:
            if self._is_over:
                raise _not_started(env_id, self.name, "it is not reached any more", is_passing=True)
            self._asked[ticket] = asked
        try:
            self.send(Spawn(ticket, env_id))
            is_answered = asked.is_answered.wait(self._terms.start_timeout)
        except BaseException:
            self._forget(ticket)
            raise
        if asked.is_there:
            return process
        self._forget(ticket)
        process.kill()  # if it comes after all
        if asked.problem is not None:
            text, is_passing, output = asked.problem.text, asked.problem.is_passing, asked.problem.output
            raise _not_started(env_id, self.name, text, is_passing=is_passing, output=output)
        why = "it has gone" if is_answered else f"no answer in {self._terms.start_timeout:.3g} s"
        raise _not_started(env_id, self.name, why, is_passing=True)

    def _forget(self, ticket: int) -> None:
        with self._lock:
            self._asked.pop(ticket, None)

    def clear_after(self, env_id: int, incarnation: str) -> None:
        """See `Launcher.clear_after`."""
        with contextlib.suppress(BrokenError):  # it removes all when it ends
            self.send(Clear(env_id, incarnation))

    def send(self, message: Message) -> None:
        """Send a message, without waiting for that; a BrokenError if the host is not reached any more."""
        if self._is_over:
            raise BrokenError(f"host {self.name!r} is not reached any more")
        self._out.put(message)

    # --- the end ---

    def end_soon(self) -> None:
        """Have the parent end its processes, and itself. Idempotent."""
        self._is_ending = True
        with contextlib.suppress(BrokenError):
            self.send(End())

    def close(self, grace: float) -> None:
        """End the parent and its processes, and wait until `on_exit` has heard of all. Idempotent."""
        self.end_soon()
        if current_thread() not in (self._reader, self._writer) and self._reader.ident is not None:
            self._has_ended.wait(grace + _LAST)
        self._give_up()
        for thread in (self._reader, self._writer):
            if thread is not current_thread() and thread.ident is not None:
                thread.join(_LAST)

    def _give_up(self) -> None:
        """Read and send nothing any more. Idempotent."""
        self._is_lost.set()
        with self._lock:
            self._is_over = True
        self._out.put(None)
        self._stream.close()

    # --- the thread that reads ---

    def _read(self) -> None:
        decoder = Decoder(has_magic=True)
        why = ""
        try:
            while data := self._stream.read():  # to its end: who lets go of it waits for that
                for message in decoder.feed(data) if not self._is_lost.is_set() else ():
                    self._take(message)
        except WireError as error:
            why = str(error)
        except BaseException:  # what waits for its Envs must go on
            _log.exception("what host %r has sent could not be handled; please report it", self.name)
            why = "a defect of this process"
        self._end(why, decoder.preamble)

    def _take(self, message: Message) -> None:
        match message:
            case Alive(number, signs):
                self._heard(number, signs)
            case Said(ticket, body):
                if (asked := self._asked.get(ticket)) is not None:
                    asked.process.channel.take(body)
            case Hushed(ticket):
                if (asked := self._asked.get(ticket)) is not None:
                    asked.process.channel.be_over()
            case Started(ticket, pid):
                if (asked := self._asked.get(ticket)) is not None:
                    asked.process.pid = pid
                    asked.is_there = True
                    asked.is_answered.set()
            case NotStarted(ticket):
                if (asked := self._asked.get(ticket)) is not None:
                    asked.problem = message
                    asked.is_answered.set()
            case Ended(ticket, code, number, reason, by_memory, output):
                with self._lock:
                    asked = self._asked.pop(ticket, None)
                if asked is not None:
                    process = asked.process
                    self._tell(
                        process, Exit(process.env_id, process.mark, code, number, reason, by_memory), output
                    )
            case Printed(data):
                _show(data)
            case Line(env_id, pid, text):
                self._on_line(env_id, pid, text.decode(errors="surrogateescape"))
            case Over():
                self._has_said_over = True
            case _:
                self._steps.put(message)

    def _heard(self, number: int, signs: list[Any]) -> None:
        for ticket, counts, is_stopped in signs:
            if (asked := self._asked.get(ticket)) is not None:
                asked.process.show(counts, is_stopped=is_stopped)
        with self._lock:
            was_suspect = self._silence is not None and self._silence.heard(now())
        self._is_silent.clear()
        if was_suspect:
            _log.warning("host %r is heard of again", self.name)
        with contextlib.suppress(BrokenError):
            self.send(Granted(number))

    def _tell(self, process: FarEnv, how: Exit, output: str) -> None:
        process.mark_ended(how, output)
        try:
            self._on_exit(how)
        except BaseException:  # the ends of the others must be heard of too
            _log.exception("on_exit failed for %s, which %s", env_label(how.env_id), how)

    def _end(self, why: str, preamble: bytes) -> None:
        """Wait until the Envs have ended for certain, and tell so."""
        with self._lock:
            self._is_over = True
        self._out.put(None)
        ended = self._stream.ended(_SURE)
        how = ended or "is not reached any more"
        if not why and preamble and self._silence is None:
            why = f"it wrote {preamble[-200:]!r}"
        self._steps.put(f"its program {how}" + (f": {why}" if why else ""))
        if not self._is_ending and self._silence is not None:
            _log.error("host %r: the parent of its Envs %s", self.name, f"{how}{': ' if why else ''}{why}")
        if ended is None and not self._has_said_over and self._silence is not None and not self._is_ending:
            # They may live on there, until their lease is over.
            self._is_silent.set()
            self._is_lost.wait(max(0.0, self._silence.left(now())))
        with self._lock:
            left = list(self._asked.values())
            self._asked.clear()
        for asked in left:
            if asked.is_there:
                process = asked.process
                reason = f"host {self.name} {'ended' if ended else 'was lost'}"
                self._tell(process, Exit(process.env_id, process.mark, None, SIGKILL, reason), "")
            asked.is_answered.set()
        self._has_ended.set()

    # --- the thread that sends ---

    def _write(self) -> None:
        beat = self._terms.beat
        looks_at = now() + beat
        while True:
            message: Message | None = None
            with contextlib.suppress(Empty):
                message = self._out.get(timeout=max(0.0, looks_at - now()))
                if message is None:
                    return
            if message is not None:
                try:
                    self._stream.write(self._encoder.frame(message))
                except BrokenError as error:
                    _log.debug("host %r hears nothing more: %s", self.name, error)
                    return  # the thread that reads sees the end
            if now() >= looks_at:
                looks_at = now() + beat
                if self._is_given_up():
                    return

    def _is_given_up(self) -> bool:
        """See how long the host has been silent, and give it up if that is too long."""
        at = now()
        with self._lock:
            silence = self._silence
            is_new = silence is not None and silence.is_newly_suspect(at)
            left = None if silence is None else silence.left(at)
        if is_new:
            self._is_silent.set()
            _log.warning(
                "host %r is silent: nothing came of it for %.3g s. Requests to its Envs wait",
                self.name,
                self._terms.suspect_after,
            )
        if left is None or left > 0:
            return False
        _log.error("host %r is lost: nothing came of it for %.3g s", self.name, self._terms.lost_after)
        Thread(target=self._give_up, name=f"corps-host-{self.name}-end", daemon=True).start()
        return True


def _not_started(
    env_id: int, host: str, problem: str, *, is_passing: bool, output: str = ""
) -> EnvStartError:
    text = f"{env_label(env_id)} could not be started on host {host!r}: {problem}"
    return EnvStartError(text, output=output, is_passing=is_passing)


def _show(data: bytes) -> None:
    """Write what Envs have printed to this process's stdout, below Python's own stream."""
    view = memoryview(data)
    with contextlib.suppress(OSError):
        while view:
            view = view[os.write(_STDOUT, view) :]
