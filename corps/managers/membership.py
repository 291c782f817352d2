"""The Envs of a Corps: their processes from start to stop, and who is told of whom.

Lives in the booting process. Every Env knows every other one before the application starts, so a request
never meets an Env that has not heard of its sender. An Env whose process dies gets another one, under the
same
id: everybody is told of the death, and of the new process when it is ready.
"""

import logging
from collections import deque
from collections.abc import Callable
from threading import Event, Lock, Thread
from typing import Any, Final

import corps.errors as errors
from corps.clock import now
from corps.errors import (
    BootError,
    BrokenError,
    ClosedError,
    DeadlineExceeded,
    EnvStartError,
    RestartLimit,
    SupervisionError,
)
from corps.hosting.env_process import EnvProcess, Exit
from corps.hosting.processes import ProcessHost
from corps.managers.orders import Orders
from corps.messages.endings import Failure, Reason
from corps.messages.interfaces import Interface
from corps.messages.members import Member
from corps.messages.requests import CALL
from corps.runtime.env import Env
from corps.supervision.restarts import Restart
from corps.supervision.supervisor import GivenUp, Plan, Supervisor

_log = logging.getLogger("corps.managers")

_LAST_WORDS: Final = 5.0
"""Seconds between the last message of a process that fails to start and its end."""


class _Place:
    """One process of an Env, and what it has said."""

    def __init__(self, process: EnvProcess, generation: int) -> None:
        self.process = process
        self.generation = generation
        self.orders = Orders(process.channel)
        self.member: Member | None = None
        self.interface: Interface | None = None
        self.restart: Restart | None = None  # of the application's Corps
        self.is_listed = False  # it was told of all others, and is told what happens from then on
        self.has_joined = False
        self.is_gone = False
        self.returns = False  # it is gone, and another one takes its place
        self.failure: Failure | None = None  # how it has gone


class Membership:
    """The processes of a Corps.

    `start` is called first, once; until it is done, ends of processes are not told to `env_ended`, because it
    sees them itself and only after it everybody is known. All else is for any thread. Sending an order may
    block if its Env was stopped by a signal; the end of the ProcessHost ends that.
    """

    def __init__(
        self,
        env: Env,
        me: Member,
        host: ProcessHost,
        first_order: list[Any],
        *,
        boot_timeout: float,
        restart: Restart,
        on_limit: Callable[[SupervisionError], object],
    ) -> None:
        """Make it; nothing is started yet.

        Args:
            env: The Env of the booting process.
            me: Its own record.
            host: Starts the processes.
            first_order: What each Env is told first: the Corps, the settings, what to load, and where.
            boot_timeout: Seconds an Env has for its start.
            restart: How often an Env gets another process.
            on_limit: Called when one gets none any more, since it has died too often or cannot be started.
        """
        self._env = env
        self._me = me
        self._host = host
        self._first_order = first_order
        self._boot_timeout = boot_timeout
        self._restart = restart
        self._on_limit = on_limit
        self._stops = Event()
        """Set when no process is to be started any more."""
        # Protects what follows, the places in it, and the Env's worker_envs; and makes what an Env is told of
        # the others one sequence without gaps, so orders to all are sent under it.
        self._lock = Lock()
        self._places: dict[int, _Place] = {}
        self._early: dict[int, Exit] = {}  # ends of processes that have no place yet, by their process ids
        self._restarts: Supervisor[int] = Supervisor("one_for_one", lambda: 0.5)
        self._former: deque[EnvProcess] = deque(maxlen=8)  # processes that had a place before
        self._later_orders: list[tuple[Any, ...]] = []  # what a new process is told, too

    # --- the start ---

    def start(self, count: int) -> tuple[Interface, Restart | None]:
        """Start Envs 1 to `count`, all at once, and make them known to each other.

        Args:
            count: How many.

        Returns:
            Of the application's Corps class, which each of them has loaded: the interface, and what it
            declares about its failures.

        Raises:
            LoadError: The application could not be loaded.
            EnvStartError: A process did not start, ended while it started, or took too long.
        """
        for env_id in range(1, count + 1):
            self._restarts.add(env_id, self._restart)
            self._begin(env_id, 0)
        places = self._all()
        late: list[int] = []
        alarm = self._env.alarms.at(now() + self._boot_timeout, lambda: self._give_up(late))
        try:
            for place in places:
                self._await_ready(place, late)
            records = [self._me.as_list(), *(place.member.as_list() for place in places if place.member)]
            for place in places:
                place.is_listed = True
                self._tell(place, "members", records, [])
            for place in places:
                self._expect(place, "joined", late)
                place.has_joined = True
        finally:
            alarm.cancel()
        assert self._env.peers is not None
        for place in places:
            if place.member is not None:
                self._env.peers.learn(place.member)
        self._env.worker_envs = [place.process.env_id for place in places]
        first = places[0]
        assert first.interface is not None
        return first.interface, first.restart

    def _begin(self, env_id: int, generation: int) -> _Place:
        place = _Place(self._host.spawn(env_id, "corps.launch.child:main"), generation)
        with self._lock:
            if env_id in self._places:
                self._former.append(self._places[env_id].process)
            self._places[env_id] = place
            ended = self._early.pop(place.process.pid, None)
        if ended is not None:
            self.env_ended(ended)
        self._tell(place, "start", *self._first_order, generation)
        return place

    def _await_ready(self, place: _Place, late: list[int]) -> None:
        answer = self._expect(place, "ready", late)
        place.member = Member(*answer[0])
        place.interface = Interface.from_tuple(*answer[1])
        if answer[2] is not None:
            policy, most, within, backoff = answer[2]
            place.restart = Restart(policy, most, within, tuple(backoff))

    def _expect(self, place: _Place, word: str, late: list[int]) -> list[Any]:
        """The rest of the next message, which must begin with `word`."""
        process = place.process
        answer = place.orders.receive()
        if answer is not None and answer[0] == word:
            return answer[1:]
        if answer is not None and answer[0] == "failed":
            process.wait(_LAST_WORDS)  # then its output is complete
            kind = getattr(errors, answer[1], EnvStartError)
            raise kind(answer[2], output=process.output())
        if process.env_id in late:
            raise EnvStartError(
                f"env{process.env_id} was not ready within {self._boot_timeout} s (setting boot_timeout)",
                output=process.output(),
            )
        ended = process.wait(_LAST_WORDS)
        raise EnvStartError(
            f"env{process.env_id} {ended if ended is not None else 'closed its channel'} while it started",
            output=process.output(),
        )

    def _give_up(self, late: list[int]) -> None:
        """The time for the start is over: whoever is not ready is ended, which wakes who waits for it."""
        for place in self._all():
            if not place.has_joined:
                late.append(place.process.env_id)
                place.process.kill()

    # --- orders ---

    def tell_all(self, *order: Any, later: bool = False) -> None:
        """Send an order to every Env; one that has gone does not hear it.

        Args:
            *order: Plain data, the first item a word.
            later: Tell it every new process, too.
        """
        with self._lock:
            if later:
                self._later_orders.append(order)
            self._tell_listed(*order)

    def _tell_listed(self, *order: Any) -> None:
        """Under the lock: tell those who were told of everybody."""
        for place in self._places.values():
            if place.is_listed and not place.is_gone:
                self._tell(place, *order)

    def _tell(self, place: _Place, *order: Any) -> None:
        try:
            place.orders.send(*order)
        except (BrokenError, ClosedError):
            _log.debug("env%d has gone and does not hear %r", place.process.env_id, order[0])

    # --- deaths ---

    def env_ended(self, ended: Exit) -> Failure:
        """A process has ended: everybody is told, and another one is started, unless the Corps ends.

        Args:
            ended: How.

        Returns:
            The same as a failure.
        """
        env_id = ended.env_id
        failure = Failure(_reason(ended), f"its process (pid {ended.pid}) {ended}")
        with self._lock:
            place = self._places[env_id]
            if place.process.pid != ended.pid:  # it was faster than those who started it
                self._early[ended.pid] = ended
                return failure
            place.is_gone, place.failure = True, failure
            decision = None
            if not self._stops.is_set():
                decision = self._restarts.failed(env_id, place.generation + 1, failure, now())
            place.returns = isinstance(decision, Plan)
            self._tell_listed("lost", env_id, failure.reason, failure.text, place.returns)
        self._env.env_lost(env_id, failure, returns=place.returns)
        if isinstance(decision, Plan):
            Thread(
                target=self._replace,
                args=(env_id, place.generation + 1, decision.delay),
                name=f"corps-env{env_id}-start",
                daemon=True,
            ).start()
        elif isinstance(decision, GivenUp):
            text = (
                f"env{env_id} has died {decision.failures} times within {decision.seconds:.3g} s, more often "
                f"than the settings env_restart.max and env_restart.within allow: {failure.text}"
            )
            self._on_limit(RestartLimit(text))
        return failure

    def _replace(self, env_id: int, generation: int, delay: float) -> None:
        """Give an Env another process. If that dies while it starts, that is told like every other death."""
        if self._stops.wait(delay):
            return
        with self._lock:
            if not self._restarts.started(env_id, generation + 1, now()):
                return
        late: list[int] = []
        alarm = self._env.alarms.at(now() + self._boot_timeout, lambda: self._give_up(late))
        place: _Place | None = None
        try:
            place = self._begin(env_id, generation)
            self._await_ready(place, late)
            with self._lock:
                records, awaited = self._listed()
                place.is_listed = True
                self._tell(place, "members", records, awaited)
                for order in self._later_orders:
                    self._tell(place, *order)
            self._expect(place, "joined", late)
            place.has_joined = True
        except (BootError, ClosedError) as error:
            if not self._stops.is_set():
                self._not_started(env_id, place, str(error))
            return
        finally:
            alarm.cancel()
        assert place.member is not None
        with self._lock:
            if place.is_gone:
                return
            for other in self._places.values():
                if other is not place and other.is_listed and not other.is_gone:
                    self._tell(other, "member", place.member.as_list())
        self._env.env_joined(place.member)
        with self._lock:
            failure = place.failure
        if failure is not None:  # that was told at this very moment, perhaps before it was told to be there
            self._env.env_lost(env_id, failure, returns=place.returns)
            return
        _log.warning("env%d has another process (pid %d)", env_id, place.process.pid)

    def _not_started(self, env_id: int, place: _Place | None, problem: str) -> None:
        _log.error("env%d could not be started again: %s", env_id, problem)
        if place is not None:
            place.process.kill()  # its end comes like any other
            return
        failure = Failure("lost", f"env{env_id} could not be started again: {problem}")
        with self._lock:  # there is no process to be had
            self._places[env_id].returns = False
            self._tell_listed("lost", env_id, failure.reason, failure.text, False)
        self._env.env_lost(env_id, failure, returns=False)
        self._on_limit(SupervisionError(failure.text))

    def _listed(self) -> tuple[list[list[object]], list[int]]:
        """Under the lock: the records of all who have joined, and ids of those who will."""
        places = self._places.values()
        there = [
            place.member.as_list()
            for place in places
            if place.has_joined and not place.is_gone and place.member
        ]
        awaited = [
            place.process.env_id
            for place in places
            if place.returns or not (place.is_gone or place.has_joined)
        ]
        return [self._me.as_list(), *there], awaited

    # --- the end ---

    def output(self) -> str:
        """The last lines that the processes wrote while they started; complete once they have ended."""
        with self._lock:
            processes = [*self._former, *(place.process for place in self._places.values())]
        return "".join(process.output() for process in processes)

    def forgo(self) -> None:
        """No process is to be started any more."""
        with self._lock:
            self._stops.set()

    def stop(self, grace: float) -> None:
        """Have the Envs end in order. What does not is left for the end of the ProcessHost.

        Args:
            grace: Seconds for the orderly end.
        """
        self.forgo()
        places = self._all()
        for place in places:
            self._tell(place, "stop")
        deadline = now() + grace
        for place in places:
            if place.process.wait(max(0.0, deadline - now())) is None:
                _log.warning("env%d did not stop within %s s: it is killed", place.process.env_id, grace)

    def kill_silent(self, patience: float) -> None:
        """End the processes whose EnvMgr does not answer: they are stopped, or hang.

        Args:
            patience: Seconds for the answer.
        """
        env = self._env
        asked = {
            place: env.ask(CALL, env.manager_of(place.process.env_id), "statistics", (), {}, patience)
            for place in self._all()
        }
        for place, answer in asked.items():
            if isinstance(answer.exception(), DeadlineExceeded):
                _log.warning("env%d gives no answer in %s s: it is killed", place.process.env_id, patience)
                place.process.kill()

    def _all(self) -> list[_Place]:
        with self._lock:
            return [place for place in self._places.values() if not place.is_gone]


def _reason(ended: Exit) -> Reason:
    return "killed" if ended.signal is not None else "error"
