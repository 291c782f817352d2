"""Where the log records of all Envs come together, in the Env that has the Corps-wide services."""

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Any, ClassVar, Final

from corps.addresses import LOG_AGENT, LOGS, env_label
from corps.clock import wall_time
from corps.errors import NotFound
from corps.messages.outcomes import Value
from corps.runtime.calls.futures import Future
from corps.runtime.env import Env
from corps.runtime.options import EnvOptions
from corps.runtime.parts import Part
from corps.services.logs.chosen import Chosen, LevelRule
from corps.workers.conc import Conc
from corps.workers.everywhere import all_envs

if TYPE_CHECKING:
    from corps.services.logs.entries import LogEntry
    from corps.services.logs.following import Reader
    from corps.services.logs.sinks import Sink

_INFO: Final = 20
_STDERR_FD: Final = 2


def has_sinks(options: EnvOptions) -> bool:
    """Return whether the settings name a sink for log records."""
    return bool(options.log_console or options.log_file or options.log_json_lines or options.log_publish)


def first_chosen(options: EnvOptions) -> Chosen:
    """Return what is wanted at first, as the settings say."""
    # The handler of corps on the stderr of an Env would show records to what makes records of it.
    return Chosen(is_wanted=has_sinks(options), is_shown=options.log_console or options.log_output)


class LogHub(Part):
    """Hands each record to each sink, and says to the Envs what is wanted. Thread-safe.

    A sink has a queue and a thread of its own. So a slow one keeps neither the Envs waiting nor the others.
    """

    def __init__(self, env: Env) -> None:
        """Open the sinks of the settings; a ConfigError if that cannot be."""
        self._env = env
        self._lock = Lock()  # protects what follows. Records are handed out under it, so they stay in order
        self._seen: dict[tuple[int, int], int] = {}  # the number of the last record of each process
        self._sinks: dict[int, Sink] = {}  # replaced as a whole
        self._next_sink = 0
        self.threads: set[int] = set()
        """Idents of the threads of sinks."""
        self.chosen = first_chosen(env.options)
        """What Envs are to do now."""
        self.on_chosen: Callable[[Chosen], object] = lambda _: None
        """Called with what processes that come later are to do."""
        if has_sinks(env.options):
            from corps.services.logs.sinks import sinks_of  # late, as few Corps and no other Env need it

            for sink in sinks_of(env, self.threads):
                self._add(sink)

    # --- records ---

    def take(self, source: Sequence[Any], bodies: list[bytes]) -> None:
        """Take records of one process in their order: the fields of a `Source`, and what `pack` has made."""
        from corps.services.logs.entries import Source, unpack

        of = Source(*source)
        entries = [unpack(of, body) for body in bodies]
        process = of.env, of.generation
        with self._lock:
            last = max((entry.number for entry in entries), default=0)
            self._seen[process] = max(last, self._seen.get(process, 0))
            self._hand_out(entries)

    def _hand_out(self, entries: "list[LogEntry]") -> None:
        for sink in self._sinks.values():
            sink.put(entries)

    def take_line(self, env_id: int, pid: int, line: str) -> None:
        """Take a line that the process of an Env has printed; show it where there is no sink."""
        if not self._sinks:
            with suppress(OSError):
                os.write(_STDERR_FD, f"{line}\n".encode(errors="surrogateescape"))
            return
        from corps.services.logs.entries import Source, pack_text, unpack

        source = Source(self._env.corps_id, env_id, 0, pid)
        entry = unpack(source, pack_text(wall_time(), _INFO, "corps.output", line))
        with self._lock:
            self._hand_out([entry])

    def env_lost(self, env_id: int, *, returns: bool) -> None:
        """Take from the file of a process that has ended what it had not sent."""
        if self._env.runtime_dir is not None and self._sinks:
            # By the service: so it comes after what the process has sent.
            generation = self._env.others.generation(env_id)
            asked = self._env.ask_service(self._env.id, LOGS, "take_rest", env_id, generation)
            asked.when_settled(lambda done: self._take_rest_after(done, env_id, generation))

    def _take_rest_after(self, asked: Future[Any], env_id: int, generation: int) -> None:
        if asked.outcome is None or asked.outcome.failed:  # the services have ended already
            asked.hear()
            self.take_rest(env_id, generation)

    def take_rest(self, env_id: int, generation: int) -> None:
        """Take what a process that has ended has left in its file, and remove that."""
        from corps.services.logs.entries import LOGGER, Source, pack_text, unpack
        from corps.services.logs.last_records import read_records, records_path

        directory, env = self._env.runtime_dir, self._env
        if directory is None:
            return
        path = records_path(directory, env_id, generation)
        source = Source(env.corps_id, env_id, generation, 0)
        entries = [unpack(source, body) for body in read_records(path)]
        with suppress(OSError):
            os.unlink(path)
        with self._lock:
            seen = self._seen.pop((env_id, generation), 0)
        rest = [entry for entry in entries if entry.number > seen]
        if rest:
            text = f"{len(rest)} records follow that {env_label(env_id)} had not sent when it ended"
            own = Source(env.corps_id, env.id, env.generation, os.getpid())
            note = unpack(own, pack_text(wall_time(), _INFO, LOGGER, text))
            with self._lock:
                self._hand_out([note, *rest])

    # --- what is wanted ---

    def env_came(self, env_id: int) -> None:
        """Say to another Env what is wanted, if its process does not know that from its start."""
        if self.chosen.version:
            self._ask(env_id, "choose", self.chosen.as_plain())

    def add(self, sink: "Sink") -> tuple[int, Future[None]]:
        """Have a sink; return its number, and a Future that is done when all Envs send records."""
        with self._lock:
            number = self._add(sink)
        return number, self._choose()

    def _add(self, sink: "Sink") -> int:
        self._next_sink += 1
        self._sinks = {**self._sinks, self._next_sink: sink}
        return self._next_sink

    def remove(self, number: int) -> Future[None]:
        """End a sink that is there; the Future is done when it has written what it has."""
        ended: Future[None] = Future()

        def end(_: object) -> None:
            with self._lock:
                sink = self._sinks.get(number)
                self._sinks = {each: there for each, there in self._sinks.items() if each != number}
            heard = self._choose()
            if sink is None:
                heard.when_settled(lambda _: ended.settle(Value(None)))
                return
            sink.end_soon()
            sink.ended.when_settled(lambda _: heard.when_settled(lambda _: ended.settle(Value(None))))

        self._ask_all("flush").when_settled(end)
        return ended

    def set_level(self, rule: LevelRule) -> Future[None]:
        """Set a level, or take it back; the Future is done when all Envs have it."""
        with self._lock:
            self.chosen = self.chosen.with_rule(rule)
        return self._choose()

    def _choose(self) -> Future[None]:
        """Say to all Envs what is wanted now; the Future is done when all have heard it that live."""
        with self._lock:
            is_shown = self._env.options.log_output or any(sink.is_shown for sink in self._sinks.values())
            self.chosen = self.chosen.next(is_wanted=bool(self._sinks), is_shown=is_shown)
            self.on_chosen(self.chosen)
        return self._ask_all("choose", self.chosen.as_plain())

    def _ask_all(self, what: str, *args: Any) -> Future[None]:
        """Ask all Envs for something; the Future is done when all have answered that live."""
        answered: Future[None] = Future()
        waiting = set(all_envs(self._env))

        def answer(env_id: int) -> None:
            waiting.discard(env_id)
            if not waiting:
                answered.settle(Value(None))

        for env_id in list(waiting):
            self._ask(env_id, what, *args).when_settled(partial(_call, answer, env_id))
        return answered

    def _ask(self, env_id: int, what: str, *args: Any) -> Future[Any]:
        asked = self._env.ask_service(env_id, LOG_AGENT, what, *args)
        asked.when_settled(lambda done: done.hear())  # an Env that is lost has nothing to do
        return asked

    # --- the end ---

    def close(self) -> None:
        """End the sinks, when they have written what they have."""
        with self._lock:
            sinks, self._sinks = self._sinks, {}
        for sink in sinks.values():
            sink.end_soon()
        for sink in sinks.values():
            sink.wait()


def _call(answer: Callable[[int], object], env_id: int, _: object) -> None:
    answer(env_id)


class LogCollector(Conc):
    """Takes the records of other Envs, and what is asked about them. One per Corps."""

    def __init__(self, env: Env) -> None:
        """Serve a Corps, from the Env `Env.home`."""
        self._env = env
        self._hub = env.parts.get(LogHub)

    def take(self, source: list[Any], bodies: list[bytes]) -> None:
        """See `LogHub.take`."""
        self._hub.take(source, bodies)

    def take_rest(self, env_id: int, generation: int) -> None:
        """See `LogHub.take_rest`."""
        self._hub.take_rest(env_id, generation)

    def set_level(self, rule: list[Any]) -> Future[None]:
        """See `LogHub.set_level`; the arguments are those of a `LevelRule`."""
        return self._hub.set_level(LevelRule(*rule))

    def add_sink(self, order: Mapping[str, Any]) -> Future[int]:
        """Open a sink; `order` is what `sinks.sink_of` takes. The answer is its number."""
        from corps.services.logs.sinks import sink_of

        number, heard = self._hub.add(sink_of(order, self._env, self._hub.threads))
        answer: Future[int] = Future()
        heard.when_settled(lambda _: answer.settle(Value(number)))
        return answer

    def remove_sink(self, number: int) -> Future[None]:
        """See `LogHub.remove`."""
        return self._hub.remove(number)


class LogFollowing(Conc):
    """Gives the records of all Envs to readers as they come, to each as fast as it asks for them."""

    interleave: ClassVar[bool | int] = True

    def __init__(self, env: Env) -> None:
        """Serve a Corps, from the Env `Env.home`."""
        self._env = env
        self._hub = env.parts.get(LogHub)
        self._readers: dict[str, Reader] = {}

    async def begin(self, reader: str, selection: list[Any]) -> None:
        """Keep records for a reader from now on: those that fit a `Selection`, given as a list."""
        from corps.services.logs.following import FollowedSink, Selection
        from corps.services.logs.following import Reader as NewReader

        sink = FollowedSink(Selection(*selection), self._env.options.log_queue, self._hub.threads)
        number, heard = self._hub.add(sink)
        self._readers[reader] = NewReader(sink, partial(self._end, reader, number), self._env.alarms)
        await heard

    async def next(self, reader: str) -> list[dict[str, Any]] | None:
        """Give the next records; none if there were none for a moment, and None after the last ones.

        Raises:
            NotFound: The reader has not asked for a long time.
        """
        there = self._readers.get(reader)
        if there is None:
            raise NotFound("the log is not kept for this reader any more, because it was away for too long")
        return await there.next()

    def _end(self, reader: str, number: int) -> None:
        """Keep no more records for a reader that does not ask any more. Thread-safe."""
        there = self._readers.pop(reader, None)
        if there is not None:
            there.sink.leave()
            self._hub.remove(number)
