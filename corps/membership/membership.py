"""The Envs of a Corps: their processes from start to stop, and which of them know each other.

Lives in the booting process. Every Env knows every other one before the application starts, so a request
never meets an Env that has not heard of its sender. An Env whose process dies gets another one, with the same
id. The Membership tells all others of the death, and of the new process when it is ready.
"""

import logging
from collections.abc import Callable, Sequence
from threading import Event, Lock, Thread
from typing import Any, Final

from corps.addresses import BOOT_ENV, FRONT, env_label
from corps.clock import now
from corps.errors import BootError, ClosedError, CorpsError, EnvStartError, SupervisionError
from corps.launchers.launcher import Exit, LaunchedEnv, Launcher
from corps.membership.env_history import EnvHistory, died_too_often
from corps.membership.orders import (
    Joined,
    Lost,
    MemberJoined,
    Members,
    Order,
    Ready,
    Released,
    ReleaseOutput,
    Retired,
    Start,
)
from corps.membership.place_life import Move
from corps.membership.places import Place, first_order, listed, stop_all, to_remove
from corps.membership.vitals import Vitals
from corps.messages.endings import Failure
from corps.messages.members import Member
from corps.messages.requests import CALL
from corps.reserve import FIRST_PAUSE, longer
from corps.runtime.env import Env
from corps.runtime.threads.thread_starts import start_thread
from corps.supervision.restarts import Restart
from corps.supervision.supervisor import GivenUp, Plan, Supervisor

_log = logging.getLogger("corps.managers")

_DOUBT: Final = 0.25  # seconds until an Env that cannot be reached is taken for one that lives
_PATIENCE: Final = 1.0  # seconds for an Env that may hang, while another one waits for its process
_FIRST: Final = 1  # id of the first Env with workers


class Membership:
    """The processes of a Corps. Thread-safe, but for `start`, which comes first, once.

    Nothing calls `env_ended` before `start` is done. Orders to a stopped Env may block until its end.
    """

    def __init__(
        self,
        env: Env,
        me: Member,
        launcher: Launcher,
        first_order: Start,
        *,
        boot_timeout: float,
        restart: Restart,
        vitals: Vitals,
        on_limit: Callable[[SupervisionError], object],
    ) -> None:
        """Start nothing yet. `on_limit`: an Env gets no process any more. `stop` closes `vitals`."""
        self._env = env
        self._me = me
        self._launcher = launcher
        self._first_order = first_order
        self._boot_timeout = boot_timeout
        self._restart = restart
        self._vitals = vitals
        self._on_limit = on_limit
        self._stops = Event()  # set when no process is to be started any more
        # Protects what follows, and the places in it. What an Env hears of the others is one sequence without
        # gaps, so orders to all are sent under it.
        self._lock = Lock()
        self._joining = Lock()  # held while a process is introduced
        self._places: dict[int, Place] = {}
        self._early: dict[str, Exit] = {}  # ends of processes that have no place yet, by their marks
        self._restarts: Supervisor[int] = Supervisor("one_for_one", lambda: 0.5)
        self._history = EnvHistory(env.env_counters)
        self._former: list[Place] = []  # whose output may tell why the Corps did not start
        self._next_env = _FIRST
        self._later_orders: list[Order] = []  # orders to all, which a new process gets too

    # --- the start ---

    def start(self, count: int, until: float) -> Ready:
        """Start the front and Envs 1 to `count`, make all known to each other; return what the front said."""
        self._next_env = _FIRST + count
        for env_id in (FRONT, *range(_FIRST, _FIRST + count)):
            self._restarts.add(env_id, self._restart)
            self._begin(env_id, 0)
        places = self.places()
        late: list[int] = []
        alarm = self._env.alarms.at(until, lambda: self._end_late(places, late))
        try:
            for place in places:
                place.await_ready(late)
            self._introduce_all(places, late)
        finally:
            alarm.cancel()
        for place in places:
            self._vitals.watch(place.process)
        for place in places:
            if place.member is not None:
                self._env.others.meet(place.member)
        self._env.worker_envs = list(range(_FIRST, _FIRST + count))
        assert places[0].ready is not None
        return places[0].ready

    def _introduce_all(self, places: Sequence[Place], late: list[int]) -> None:
        """Make processes that are ready known to each other, and wait until all know all."""
        members = (self._me, *(place.member for place in places if place.member))
        for place in places:
            with self._lock:
                place.life.on(Move.INTRODUCE)
            place.tell(Members(members, (), is_late=False))
        for place in places:
            place.expect(Joined, late)
            with self._lock:
                place.life.on(Move.JOIN)

    def _end_late(self, places: Sequence[Place], late: list[int]) -> None:
        """Kill the processes that have not joined in time, which wakes the thread that waits for them."""
        with self._lock:
            found = [place for place in places if not place.life.knows_all]
        for place in found:
            late.append(place.process.env_id)
            place.process.kill()

    def _spawn_in_time(self, env_id: int) -> LaunchedEnv:
        """Start a process; while the system lacks what that takes, try again, as long as a start may take."""
        until, pause = now() + self._boot_timeout, FIRST_PAUSE
        while True:
            try:
                return self._launcher.spawn(env_id)
            except EnvStartError as error:
                if not error.is_passing or now() + pause > until:
                    raise
                _log.warning("%s; it is tried again in %s s", error, pause)
            if self._stops.wait(pause):
                raise ClosedError("the Corps ends")
            pause = longer(pause)

    def _begin(
        self, env_id: int, generation: int, *, spawn: Callable[[int], LaunchedEnv] | None = None
    ) -> Place:
        process = (spawn or self._launcher.spawn)(env_id)
        with self._lock:
            former = self._places.get(env_id)
            if former is not None and not self._later_orders:  # it has died while the Corps started
                self._former.append(former)
            place = self._places[env_id] = Place(process, generation, former)
            ended = self._early.pop(place.process.mark, None)
        if ended is not None and (failure := self.failure_of(ended)) is not None:
            self.env_ended(ended, failure)
        place.tell(first_order(self._first_order, generation, process.host))
        return place

    # --- orders ---

    def tell_all(self, order: Order) -> None:
        """Send an order to every Env that is there, and to every process that comes later."""
        with self._lock:
            self._later_orders.append(order)
            self._tell_listed(order)

    def release_output(self) -> None:
        """Have every Env write to the booting process's own stdout and stderr, and wait until all do.

        An Env that comes later does so before another one knows it. One that does not answer within
        `boot_timeout` is left to what looks for Envs that hang.
        """
        until = now() + self._boot_timeout
        with self._joining:  # or the thread that introduces a process would read the answer of that one
            with self._lock:
                told = [place for place in self._places.values() if place.life.hears]
            self.tell_all(ReleaseOutput())
            for place in told:
                if not place.has_released(max(0.0, until - now())):
                    _log.warning(
                        "%s does not say that it has released its output", env_label(place.process.env_id)
                    )

    def _tell_listed(self, order: Order) -> None:
        """Send an order to every process that knows of the others. Caller holds the lock."""
        for place in self._places.values():
            if place.life.hears:
                place.tell(order)

    # --- deaths ---

    def failure_of(self, ended: Exit) -> Failure | None:
        """Give the end of a process as a failure; call it once, and then `env_ended`.

        None if it ended before it had a place: the thread that starts it looks at it later.
        """
        with self._lock:
            place = self._places.get(ended.env_id)
            if place is None or place.process.mark != ended.mark:
                self._early[ended.mark] = ended
                return None
            was_stopped = place.life.was_stopped
        hung = self._vitals.forget(place.process)
        return self._history.ended(ended, hung, was_stopped=was_stopped)

    def env_ended(self, ended: Exit, failure: Failure) -> None:
        """Tell all Envs that a process has ended, and start another one, unless the Corps ends."""
        self._died(ended.env_id, failure)
        self._history.all_know(ended, failure)

    def _died(self, env_id: int, failure: Failure) -> None:
        with self._lock:
            place = self._places[env_id]
            is_read_no_more = place.life.knows_all
            decision = None
            if not self._stops.is_set():
                decision = self._restarts.failed(env_id, place.generation + 1, failure, now())
            returns = isinstance(decision, Plan)
            place.life.on(Move.DIE_TO_RETURN if returns else Move.DIE)
            self._tell_listed(Lost(env_id, failure, returns))
        # Let go of what was for it, before another process starts in its place.
        if is_read_no_more:  # else the thread that starts the process closes it
            place.process.channel.close()
        self._launcher.clear_after(env_id, "" if place.member is None else place.member.incarnation)
        if isinstance(decision, Plan):
            name, args = f"corps-{env_label(env_id)}-start", (place, decision.delay)
            start_thread(
                name,
                lambda: Thread(target=self._replace, args=args, name=name, daemon=True),
                self._env.alarms,
            )
        place.await_burial_before()
        try:
            with place.telling:
                self._env.others.lost(env_id, failure, returns=returns)
        finally:
            place.is_buried.set()
        if isinstance(decision, GivenUp):
            self._on_limit(died_too_often(env_id, decision.failures, decision.seconds, failure))

    def _replace(self, former: Place, delay: float) -> None:
        """Give an Env another process. If that dies while it starts, it is a death like every other."""
        env_id, generation = former.process.env_id, former.generation + 1
        if not (stops := self._stops.wait(delay)):
            with self._lock:
                stops = not self._restarts.started(env_id, generation + 1, now())
        try:
            if stops:
                raise ClosedError("the Corps ends, or the Env was removed")
            self._bring_up(env_id, generation)
        except BaseException as error:  # all that waits for the Env must hear of it
            if not isinstance(error, CorpsError):
                _log.exception("starting env%d again raised", env_id)
            former.is_buried.wait()
            self._not_started(env_id, generation, str(error))

    def _bring_up(self, env_id: int, generation: int) -> None:
        """Start a process of an Env, and make it known when it is ready. Errors: see `Place.await_ready`."""
        place = self._begin(env_id, generation, spawn=self._spawn_in_time)
        late: list[int] = []
        alarm = self._env.alarms.at(now() + self._boot_timeout, lambda: self._end_late([place], late))
        try:
            place.await_ready(late)
            with self._joining:
                member = self._introduce(place, late)
        except BootError:
            place.process.kill()
            place.process.channel.close()
            raise
        finally:
            alarm.cancel()
        self._vitals.watch(place.process)
        place.await_burial_before()
        with place.telling:
            if place.life.is_gone:  # `_died` knows that, and ends it here
                place.process.channel.close()
                return
            self._env.others.joined(member)
        self._history.joined(env_id, generation)
        which, level = ("another", logging.WARNING) if generation else ("a", logging.DEBUG)
        _log.log(level, "%s has %s process (%s)", env_label(env_id), which, place.process.mark)

    def _introduce(self, place: Place, late: list[int]) -> Member:
        """Make a process and all others known to each other. Caller holds the lock `_joining`."""
        with self._lock:
            others = listed(self._me, self._places.values())
            place.life.on(Move.INTRODUCE)
            place.tell(others)
            orders = tuple(self._later_orders)
            for order in orders:
                place.tell(order)
        place.expect(Joined, late)
        if ReleaseOutput() in orders:
            place.expect(Released, late)
        member = place.member
        assert member is not None
        # Before a worker starts there: it may send to every other Env, and none of them may refuse it.
        if self._env.peers is not None:
            self._env.peers.admit(member)
        self._await_all("admit", member.as_list(), seconds=_PATIENCE)
        with self._lock:
            place.life.on(Move.JOIN)
            if place.life.is_gone:
                return member
            if not place.generation:  # it was added: from here on it comes back
                self._restarts.add(place.process.env_id, self._restart)
            for other in self._places.values():
                if other is not place and other.life.hears:
                    other.tell(MemberJoined(member))
        return member

    def _not_started(self, env_id: int, generation: int, problem: str) -> None:
        is_wanted = not self._stops.is_set()
        if is_wanted:
            _log.error("%s could not be started again: %s", env_label(env_id), problem)
        with self._lock:
            place = self._places.get(env_id)
            if place is None or place.generation >= generation:
                return  # it was removed; or there was a process, whose end is reported like every other
            place.life.on(Move.GIVE_UP)
            failure = Failure("lost", f"{env_label(env_id)} could not be started again: {problem}")
            self._tell_listed(Lost(env_id, failure, returns=False))
        self._env.others.lost(env_id, failure, returns=False)
        if is_wanted:
            self._on_limit(SupervisionError(failure.text))

    def cannot_reach(self, one: tuple[int, int], by: tuple[int, int], reason: str) -> None:
        """End the process of one of two Envs that live and cannot reach each other. Thread-safe.

        Each is given by its id and the generation of its process. Both report it, and one end is enough: the
        one with the higher id, so never the front for another. The Membership waits a moment first, for
        mostly one of them has just died, and nothing knows it yet.
        """
        self._env.alarms.at(now() + _DOUBT, lambda: self._end_one(one, by, reason))

    def _end_one(self, one: tuple[int, int], by: tuple[int, int], reason: str) -> None:
        with self._lock:
            pair = [each for each in (one, by) if each[0] != BOOT_ENV]
            found = [(self._places.get(env_id), at) for env_id, at in pair]
            places = [place for place, at in found if place is not None and place.is_well(at)]
            if self._stops.is_set() or len(places) < len(pair):
                return
            victim = max(places, key=lambda place: place.process.env_id)
            victim.life.on(Move.DOOM)
        text = "%s is killed, to be started again: %s cannot reach %s: %s"
        env_ids = (victim.process.env_id, by[0], one[0])
        _log.warning(text, *map(env_label, env_ids), reason)
        victim.process.kill()

    # --- Envs that come and go ---

    def add_env(self, host: str | None = None) -> int:
        """Start one more Env, wait until it has joined, and return its id, which no other Env has or had.

        `host` is the name of its host, if there are several. One that is not known is a ConfigError.
        """
        with self._lock:
            if self._stops.is_set():
                raise ClosedError("the Corps ends: there is no further Env")
            env_id = self._next_env
            self._next_env += 1
        if host is not None:
            self._launcher.place(env_id, host)
        self._bring_up(env_id, 0)
        self._await_all("knows_env", env_id, is_there=True)
        return env_id

    def remove_env(self, env_id: int, timeout: float | None) -> None:
        """End an Env: create no worker there any more, drain those it has in time, stop its process."""
        with self._lock:
            place = to_remove(env_id, self._places)
            place.life.on(Move.REMOVE)
            self._restarts.remove(env_id)  # from here on it does not come back
            self._tell_listed(Retired(env_id))
        self._env.others.retire(env_id)
        self._await_all("knows_env", env_id, is_there=False)
        error = self._env.ask(CALL, self._env.manager_of(env_id), "drain_all", (), {}, timeout).failure()
        if error is not None:
            _log.warning("%s could not be drained: %s", env_label(env_id), error)
        self._stop([place], 2 * self._env.options.grace)
        place.process.kill()
        place.process.wait()
        place.is_buried.wait(2 * self._env.options.grace)  # `_died` needs the place until all know its end
        with self._lock:
            self._places.pop(env_id, None)
        self._history.forget(env_id)

    def _await_all(self, method: str, *args: Any, seconds: float | None = None, **kwargs: Any) -> None:
        """Call a method of all EnvMgrs, wait for those that live on, and log what fails."""
        with self._lock:
            there = [each for each, place in self._places.items() if place.life.knows_all]
        limit = seconds or self._boot_timeout
        asked = [self._env.ask_manager(each, method, *args, seconds=limit, **kwargs) for each in there]
        for answer in asked:
            if (error := answer.failure()) is not None:
                _log.warning("not every Env has answered to %s: %s", method, error)

    # --- the end ---

    def output(self) -> str:
        """Give the last lines that the processes wrote while they started; complete once they have ended."""
        return "".join(each.process.output() for each in [*self._former, *self.places(with_gone=True)])

    def replace_no_more(self) -> None:
        """Start no process any more: the Corps ends. Idempotent."""
        with self._lock:
            self._stops.set()

    def stop(self, grace: float | None) -> None:
        """Have the Envs end in order within `grace`; the launcher's end ends what does not. Idempotent."""
        self._vitals.close()
        self.replace_no_more()
        if grace is not None:
            self._stop(self.places(), grace)

    def _stop(self, places: Sequence[Place], grace: float) -> None:
        with self._lock:
            for place in places:
                place.life.on(Move.STOP)
        stop_all(places, grace)

    def places(self, *, with_gone: bool = False) -> list[Place]:
        """List the processes that have not ended, or all."""
        with self._lock:
            return [place for place in self._places.values() if with_gone or not place.life.is_gone]
