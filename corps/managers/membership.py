"""The Envs of a Corps: their processes from start to stop, and who is told of whom.

Lives in the booting process. Every Env knows every other one before the application starts, so a request
never meets an Env that has not heard of its sender.
"""

import logging
from threading import Lock
from typing import Any, Final

import corps.errors as errors
from corps.clock import now
from corps.errors import BrokenError, ClosedError, DeadlineExceeded, EnvStartError
from corps.hosting.env_process import EnvProcess, Exit
from corps.hosting.processes import ProcessHost
from corps.managers.orders import Orders
from corps.messages.interfaces import Interface
from corps.messages.members import Member
from corps.messages.requests import CALL
from corps.runtime.env import Env

_log = logging.getLogger("corps.managers")

_LAST_WORDS: Final = 5.0
"""Seconds between the last message of a process that fails to start and its end."""


class _Place:
    """One Env's process and what it has said."""

    def __init__(self, process: EnvProcess) -> None:
        self.process = process
        self.orders = Orders(process.channel)
        self.member: Member | None = None
        self.interface: Interface | None = None
        self.has_joined = False
        self.is_gone = False


class Membership:
    """The processes of a Corps.

    `start` is called first, once; until it is done, ends of processes are not told to `env_ended`, because it
    sees them itself and only after it everybody is known. All else is for any thread. Sending an order may
    block if its Env was stopped by a signal; the end of the ProcessHost ends that.
    """

    def __init__(
        self, env: Env, me: Member, host: ProcessHost, first_order: list[Any], boot_timeout: float
    ) -> None:
        """Make it; nothing is started yet.

        Args:
            env: The Env of the booting process.
            me: Its own record.
            host: Starts the processes.
            first_order: What each Env is told first: the Corps, the settings, what to load, and where.
            boot_timeout: Seconds an Env has for its start.
        """
        self._env = env
        self._me = me
        self._host = host
        self._first_order = first_order
        self._boot_timeout = boot_timeout
        self._lock = Lock()  # protects _places, is_gone in them, and the Env's worker_envs
        self._places: dict[int, _Place] = {}

    def start(self, count: int) -> Interface:
        """Start Envs 1 to `count`, all at once, and make them known to each other.

        Args:
            count: How many.

        Returns:
            The interface of the application's Corps class, which each of them has loaded.

        Raises:
            LoadError: The application could not be loaded.
            EnvStartError: A process did not start, ended while it started, or took too long.
        """
        for env_id in range(1, count + 1):
            place = _Place(self._host.spawn(env_id, "corps.launch.child:main"))
            with self._lock:
                self._places[env_id] = place
            self._tell(place, "start", *self._first_order)
        places = self._all()
        late: list[int] = []
        alarm = self._env.alarms.at(now() + self._boot_timeout, lambda: self._give_up(late))
        try:
            for place in places:
                self._await_ready(place, late)
            records = [self._me.as_list(), *(place.member.as_list() for place in places if place.member)]
            for place in places:
                self._tell(place, "members", records)
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
        interface = places[0].interface
        assert interface is not None
        return interface

    def tell_all(self, *order: Any) -> None:
        """Send an order to every Env; one that has gone does not hear it.

        Args:
            *order: Plain data, the first item a word.
        """
        for place in self._all():
            self._tell(place, *order)

    def env_ended(self, ended: Exit) -> str:
        """A process has ended: nothing more is sent there, and everybody is told.

        Args:
            ended: How.

        Returns:
            The reason, in words.
        """
        reason = f"its process (pid {ended.pid}) {ended}"
        with self._lock:
            self._places[ended.env_id].is_gone = True
            self._env.worker_envs = [env for env in self._env.worker_envs if env != ended.env_id]
        if self._env.peers is not None:
            self._env.peers.lose(ended.env_id, reason)
        self.tell_all("lost", ended.env_id, reason)
        return reason

    def output(self) -> str:
        """The last lines that the processes wrote while they started; complete once they have ended."""
        return "".join(place.process.output() for place in self._all(with_gone=True))

    def stop(self, grace: float) -> None:
        """Have the Envs end in order. What does not is left for the end of the ProcessHost.

        Args:
            grace: Seconds for the orderly end.
        """
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

    def _all(self, *, with_gone: bool = False) -> list[_Place]:
        with self._lock:
            return [place for place in self._places.values() if with_gone or not place.is_gone]

    def _tell(self, place: _Place, *order: Any) -> None:
        try:
            place.orders.send(*order)
        except (BrokenError, ClosedError):
            _log.debug("env%d has gone and does not hear %r", place.process.env_id, order[0])

    def _await_ready(self, place: _Place, late: list[int]) -> None:
        answer = self._expect(place, "ready", late)
        place.member = Member(*answer[0])
        place.interface = Interface.from_tuple(*answer[1])

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
