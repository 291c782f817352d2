"""One Env: the threads, the cells and the ways out of one process.

Everything of an Env hangs on its object, so that several can live in one process. It is put together in
`managers.assembly`; nothing here decides which worker lives where.

One file because it lists what an Env has, and nearly every method uses several of those parts.
"""

import itertools
import weakref
from collections import deque
from collections.abc import Callable, Collection, Mapping
from threading import Lock, get_ident
from typing import Any, TypeVar

from corps.addresses import BOOT_ENV, ENV_MGR, ConcAddr, env_label
from corps.clock import earlier, now
from corps.core import know, native
from corps.errors import CorpsError, EnvStartError, PackError
from corps.messages.contacts import ExtAddr
from corps.messages.interfaces import Interface, WorkerName
from corps.messages.outcomes import Refused, Value
from corps.messages.promises import Sent, Unheard
from corps.messages.requests import CALL, DROP, EXIT, EXIT_DOWN, PULL, REACHING, Kind, Request
from corps.messages.streams import SENDER, WHOLE, Held, Streaming
from corps.messages.waits import Wait
from corps.observing.counters import Counters
from corps.observing.log_limit import LogLimit
from corps.peers.members import Peers
from corps.runtime.calls import caller_side
from corps.runtime.calls.arguments import AwaitedArguments
from corps.runtime.calls.border import Border
from corps.runtime.calls.deadlock import Probe, Waiter, WaitGraph
from corps.runtime.calls.errands import Errands
from corps.runtime.calls.futures import Future
from corps.runtime.calls.retrying import Retrying
from corps.runtime.calls.travelling import Travels
from corps.runtime.cells.cell import DEPTH
from corps.runtime.cells.mailbox import Crowding, crowding_of
from corps.runtime.cells.performing import AS_THEY_ARE
from corps.runtime.cells.upper_side import UpperSide
from corps.runtime.context import Activity, acting, current
from corps.runtime.letter_box import DeadLetterBox
from corps.runtime.lives import Lives
from corps.runtime.options import EnvOptions
from corps.runtime.other_envs import OtherEnvs
from corps.runtime.parts import Part, Parts, Services
from corps.runtime.registry import Registry
from corps.runtime.threads.alarms import Alarms
from corps.runtime.threads.gates import Gate
from corps.runtime.threads.jobs import Jobs
from corps.runtime.threads.lending import MAIN, RESERVE, SHALLOW, check_reserve
from corps.runtime.threads.loop_thread import LoopThread
from corps.runtime.threads.pool import WorkerPool
from corps.runtime.threads.readers import Readers
from corps.runtime.threads.running_loop import running_loop
from corps.runtime.threads.thread_starts import NO_THREAD
from corps.runtime.threads.watched_thread import note_failure
from corps.transport.link import Transport
from corps.wire.frames import ProbeHeader

T = TypeVar("T")


@native
class Env:
    """A process, or a part of one, in which workers live. Thread-safe."""

    def __init__(self, corps_id: str, env_id: int, options: EnvOptions, generation: int = 0) -> None:
        """Run nothing, and listen nowhere, yet. `generation` is how many processes the Env has had before."""
        self.corps_id = corps_id
        self.id = env_id
        self.generation = generation
        self.label = f"{env_label(env_id)}"
        self.options = options
        self.on_defect: Callable[[str], object] = lambda _: None
        """Called when the Env cannot go on, because a thread of it has ended: with that in words."""
        self.letters = DeadLetterBox(env_id, generation, options.dead_letters)
        self.worker_counters = Counters(Lock())
        self.env_counters = Counters(Lock())  # of the Envs that this process has started
        self.registry = Registry(generation)
        self.cells = self.registry.by_number
        self.parts = Parts()
        self.services = Services(self)
        self.home = BOOT_ENV  # id of the Env in which the services live of which a Corps has one
        self.main_alias: str | None = None
        """What all other Envs call the module ``__main__`` of this process, if they have it."""
        self.has_of_main: Callable[[str], bool] = bool
        """Whether the others have what stands under a name at the top of ``__main__``."""
        self.runtime_dir: str | None = None  # of the files that the processes of the Corps share; None: alone
        self.lives = Lives(self)
        self.others = OtherEnvs(self)
        self.pool = WorkerPool(
            f"{self.label}-worker",
            least=options.threads_min,
            most=options.threads_max,
            idle=options.threads_idle,
            spin=options.spin,
            failed=self._thread_failed,
        )
        # What a thread does that brings answers, or ends deadlines: it must not wait itself.
        self._bringing = Activity(self)
        self._bringing.reading = True
        self.alarms = Alarms(f"{self.label}-alarms", lambda: current.set(self._bringing), self._thread_failed)
        self.loop = LoopThread(f"{self.label}-loop", self.alarms, self._thread_failed)
        self.pool.later = lambda seconds, function: self.alarms.at(now() + seconds, function)
        self.waits = WaitGraph(self._send_probe)
        self.errands: Errands | None = None  # of the main thread, where that is the author's
        self.peers: Peers | None = None
        self.readers: Readers | None = None
        self.border: Border | None = None  # None: it reaches no other Corps
        self.upper: UpperSide  # `managers.assembly` sets it before anything runs
        self.dirs: Part  # the Dirs as this Env has them, for look-ups that are to be fast
        self.corps_name: WorkerName | None = None
        """Name of the application's Corps, for workers that no other Corps created."""
        self.worker_envs: list[int] = [env_id]
        """Ids of the Envs in which workers may be created; replaced as a whole, never changed."""
        self.labels: Mapping[int, Collection[str]] = {}  # of Envs, from the settings
        self.hosts: Mapping[int, str] = {}  # of Envs that are on another host than the booting process
        self.travels: Travels | None = None  # what of a caller's context goes along
        self.turns = itertools.count()  # for taking the Envs of the Corps in turn
        self.unheard: LogLimit[tuple[str, str]] = LogLimit()  # used by the thread of `dropped` alone
        self.dropped = Jobs(f"{self.label}-dropped", lambda: current.set(self._bringing))
        self.resender = Jobs(f"{self.label}-resender", lambda: current.set(self._bringing))
        # Attributes that were named: those that are still wanted are asked for before the next request.
        self.unsent: deque[weakref.ref[caller_side.Unsent]] = deque()
        # One step of these two is atomic: what waits for its arguments, and what is sent again in a moment.
        self.awaiting: dict[AwaitedArguments, None] = {}
        self.retrying: dict[Retrying, None] = {}
        self.closed = False  # whether `close` was called
        self._is_ending = False  # of what plain threads ask for nothing more is taken; or it is closed
        self._is_forked = False  # this is the child of a fork, and has only the thread that forked
        caller_side.when_forked(self, lambda env: env.note_fork())

    def connect(self, peers: Peers, transport: Transport) -> None:
        """Let it reach the other Envs, by its end of the links to them. Before it runs anything."""
        self.peers = peers
        peers.on_unreachable = self.others.unreachable
        self.readers = Readers(
            transport,
            self._bringing,
            f"{self.label}-io",
            spin=self.options.spin,
            failed=self._thread_failed,
        )
        self.pool.rest = self.readers.rest

    def start_alarms(self) -> None:
        """Start the thread of the alarms, which also tries again to start others. Before it runs anything."""
        self._with_a_thread(self.alarms.start)

    def start_reading(self) -> None:
        """Begin to take what others send; an EnvStartError if the system gives no thread."""
        if self.peers is not None and self.readers is not None:
            self.peers.start()
            self._with_a_thread(self.readers.start)

    def _with_a_thread(self, start: Callable[[], object]) -> None:
        try:
            start()
        except NO_THREAD as error:
            raise EnvStartError(f"{self.label} cannot be started: {error}") from error

    def disconnect(self) -> None:
        """Let go of all links; what is unanswered fails. Idempotent."""
        if self.peers is not None and self.readers is not None:
            self.readers.close()
            self.peers.close()

    # --- asking ---

    def ask(
        self,
        kind: Kind,
        target: ConcAddr,
        method: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        seconds: float | None = None,
        future: Future[Any] | None = None,
        retries: int = 0,
        *,
        is_held: bool = False,
    ) -> Future[Any]:
        """Send a request that wants an answer; return the Future of that. With `is_held` do not dispatch."""
        # What is left of the caller's own time limit applies beside `seconds`. A `future` of another class is
        # the caller's if this raises: PackError for its arguments, or Overloaded without room in time.
        check_reserve()
        if self.unsent:
            self._send_unsent()
        here = current.get()
        sent = now()
        deadline = None if seconds is None else sent + seconds
        sender = None
        if here is not None:
            # An item may be kept for another request, and the end of a worker is not given up.
            if here.deadline is not None and kind is not PULL and kind is not EXIT:
                deadline = earlier(deadline, here.deadline)
            if here.cell is not None:
                sender = here.cell.addr
        if future is None:
            future = Future()
        promise = future if not retries else Retrying(self, future, args, kwargs, retries).next_try()
        request = Request(kind, target, method, args, kwargs, promise, sender, deadline)
        request.sent = sent
        if self.travels is not None:
            self.travels.take_along(request)
        future.request = request
        if deadline is not None:
            caller_side.limit(self, future, request, deadline)
        if is_held:
            return future
        try:
            self.dispatch(request)
        except BaseException:
            if type(future) is Future:
                future.cancel()  # nobody holds the request: let go of its alarm
            raise
        return future

    async def ask_when_room(
        self,
        kind: Kind,
        target: ConcAddr,
        method: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        seconds: float | None,
        future: Future[Any] | None = None,
        retries: int = 0,
    ) -> Future[Any]:
        """Ask as `ask` does, for a coroutine of any event loop: it waits for room, and the loop goes on."""
        future = self.ask(kind, target, method, args, kwargs, seconds, future, retries, is_held=True)
        await self.send_when_room(future)
        return future

    def send_held(self, future: Future[Any]) -> None:
        """Dispatch the request of a Future that `ask` has held back. If that raises, it is given up."""
        try:
            if future.request is not None:  # else it was too late already
                self.dispatch(future.request)
        except BaseException:
            future.cancel()
            raise

    async def send_when_room(self, future: Future[Any]) -> None:
        """Do as `send_held`, for a coroutine of any event loop: it waits for room, and the loop goes on."""
        try:
            if future.request is not None:
                await self.dispatch_when_room(future.request)
        except CorpsError as error:
            future.settle(Refused(error))
            raise
        except BaseException:
            future.cancel()
            raise

    def ask_manager(
        self, env_id: int, what: str, *args: Any, seconds: float | None = None, **kwargs: Any
    ) -> Future[Any]:
        """Ask an EnvMgr for what others may be waiting for: so it never waits for room behind them."""
        return self._ask_at_once(self.manager_of(env_id), what, args, kwargs, seconds)

    def ask_service(self, env_id: int, number: int, what: str, *args: Any) -> Future[Any]:
        """Ask a service of an Env, by its conc id, as `ask_manager` asks an EnvMgr."""
        return self._ask_at_once(ConcAddr(self.corps_id, env_id, number), what, args, {}, None)

    def _ask_at_once(
        self,
        target: ConcAddr,
        what: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        seconds: float | None,
    ) -> Future[Any]:
        future: Future[Any] = self.at_once(self.ask, CALL, target, what, args, kwargs, seconds)
        return future

    def at_once(self, function: Callable[..., T], *args: Any) -> T:
        """Call what sends requests, and have it wait for no room, whichever thread this is."""
        token = current.set(self._bringing)  # which must not wait
        try:
            return function(*args)
        finally:
            current.reset(token)

    def one_way(
        self, kind: Kind, target: ConcAddr, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Request:
        """Make a request without answer, for the caller to dispatch. If it fails, it is a dead letter."""
        # Its kind is CALL or PINNED.
        check_reserve()
        if self.unsent:
            self._send_unsent()
        here = current.get()
        sender = here.cell.addr if here is not None and here.cell is not None else None
        promise = Sent(self.letters, sender, target, method)
        request = Request(kind, target, method, args, kwargs, promise, sender)
        if self.travels is not None:
            self.travels.take_along(request)
        return request

    def exit(self, target: ConcAddr, how: str = "exit") -> Future[Any]:
        """Ask a worker to end, as EXIT_LAST and its like say; return a Future of None, done when it has."""
        # One that has ended is no error.
        ended = self.ask(EXIT, target, how, (), {})
        here = current.get()
        if here is None or here.cell is None or here.cell.addr != target:  # that one may come back
            ended.when_settled(lambda done: self._heard_of_end(target, done))
        return ended

    def _heard_of_end(self, target: ConcAddr, ended: Future[Any]) -> None:
        """Say it to the services here, so that no look-up gives the Name when the caller knows of the end."""
        if ended.outcome is not None and not ended.outcome.failed:
            self.parts.tell(lambda part: part.worker_gone(target))

    def _send_unsent(self) -> None:
        wanted = []
        while self.unsent:
            try:
                wanted.append(self.unsent.popleft()())
            except IndexError:  # another thread took the last one
                break
        for unsent in wanted:  # the deque is empty meanwhile, so each of them asks for itself alone
            if unsent is not None:
                unsent.begin()

    def note_stream(self, held: Held, change: int) -> None:
        """Tell a worker how many more iterators, 1 or -1, over a generator of it are here. Never waits."""
        args = held.number, held.share, held.holder, change
        promise = Unheard(f"an iterator of {held.worker}")
        self.dispatch(Request(DROP, held.worker, "close", args, {}, promise))

    def expect_garbage(self) -> None:
        """Prepare for an iterator that has come from elsewhere, and may be garbage before its first use."""
        self.dropped.watch()

    def forsake(self, held: Held) -> None:
        """Give up an iterator that no code has used. For destructors: takes no lock."""
        if not self.closed:
            self.dropped.put(lambda: self.note_stream(held, -1))

    def forget_holder(self, env_id: int) -> None:
        """Close the generators here that only another Env has held, because its process has died."""
        for cell in self.registry.cells():
            if cell.performer.has_generators:
                promise = Unheard(f"the generators of {cell}")
                cell.deliver(Request(DROP, cell.addr, "close", (None, 0, env_id, 0), {}, promise))

    def dispatch(self, request: Request, submit: Callable[[Any], object] | None = None) -> None:
        """Send a request on its way; it may wait for room. Thread-safe."""
        # `submit` has a thread run a cell of this Env that is ready now; None for the pool. This raises
        # PackError, Overloaded if there was no room in time, and ClosedError in a fork of the process.
        target = request.target
        errands = self.errands
        if errands is not None:
            request.errands = errands
            if request.sender is None and get_ident() == errands.main:
                errands.send(request, is_taken=not self._is_ending or self._is_taken_at_the_end(request))
                return
            if errands.posted:
                errands.catch_up()
        if self._is_ending and not self._is_taken_at_the_end(request):
            self.letters.settle(request, caller_side.too_late(self, target))
        elif target.env == self.id and target.corps == self.corps_id:
            cell = self.cells.get(target.conc)
            if cell is None:
                self.deliver(request)
                return
            if cell.mailbox.is_full and request.kind not in (EXIT, DROP):
                cell.mailbox.wait_for_room(cell, request, self.options.send_timeout)
            cell.deliver(request, submit)
        elif target.corps != self.corps_id or self.peers is None:
            if self.border is None or target.corps == self.corps_id:
                self.letters.settle(request, caller_side.nowhere(self, target))
            else:
                self.border.send(request)
        else:
            self.peers.send(request)

    async def dispatch_when_room(self, request: Request) -> None:
        """Send as `dispatch`, for a coroutine of any event loop: it waits for room, and the loop goes on."""
        target = request.target
        is_taken = not self._is_ending or self._is_taken_at_the_end(request)
        if is_taken and target.corps == self.corps_id and target.env != self.id and self.peers is not None:
            await self.peers.send_when_room(request)
            return
        if is_taken and target.corps != self.corps_id and self.border is not None:
            await self.border.send_when_room(request)
            return
        cell = self.registry.find(target.conc) if is_taken and target.env == self.id else None
        if cell is None or target.corps != self.corps_id:
            self.dispatch(request)
            return
        if cell.mailbox.is_full:
            await cell.mailbox.await_room(cell, request, self.options.send_timeout)
        cell.deliver(request)

    def attend(self) -> None:
        """Start the attendants, before the main thread asks: they do what a signal must not break off."""
        self.errands = Errands(self, self._bringing, self._thread_failed)

    def _is_taken_at_the_end(self, request: Request) -> bool:
        if self._is_forked:  # and no lock, thread or link of the Env may be touched here
            raise caller_side.forked(self, request.target)
        if self.closed:
            return False
        here = current.get()
        of_author = here is None or (here.cell is None and not here.pooled and not here.reading)
        return not of_author or request.kind not in REACHING or request.target.conc == ENV_MGR

    def note_fork(self) -> None:
        """Take no more, because this is the child of a fork. The thread that has forked calls this."""
        self._is_forked = self._is_ending = self.closed = True
        if self.errands is not None:  # there is no attendant here
            self.errands.main, self.errands = None, None
        here = current.get()
        if here is not None and here.env is self and here.request is not None:
            here.request.promise = caller_side.Forked(self.label, here.request)

    def accept_no_more(self) -> None:
        """Take no more requests of plain threads of this process. Thread-safe."""
        self._is_ending = True

    def when_answered(self) -> Future[None]:
        """Return a Future that is done when other Envs have dealt with all that this one has asked."""
        future: Future[None] = Future()
        if self.peers is None:
            future.settle(Value(None))
        else:
            self.peers.when_answered(lambda: future.settle(Value(None)))
        return future

    # --- what comes in ---

    def deliver(self, request: Request) -> None:
        """Hand a request of another Env to its worker. In the thread that reads; never blocks."""
        # It enters the mailbox even if that is full: the windows of the senders bound how many there can be.
        cell = self.registry.find(request.target.conc)
        if cell is not None:
            cell.deliver(request)
        elif request.target.conc in self.services:
            self.services.deliver(request)
        elif not self.registry.hold(request):
            if request.method == EXIT_DOWN:  # its Mgr does not start it again
                self.lives.refuse(self.registry.despair([request.target.conc]))
            cell = self.registry.find(request.target.conc)  # it may have come back at this very moment
            if cell is not None:
                cell.deliver(request)
                return
            self.letters.settle(request, self.registry.outcome_without_cell(request))

    def overtakes(self, request: Request) -> bool:
        """See `LocalSide.overtakes`."""
        cell = self.registry.find(request.target.conc)
        return cell is not None and cell.is_shared and request.method in cell.interface.interleaving

    def crowding(self, request: Request) -> Crowding | None:
        """See `LocalSide.crowding`."""
        return crowding_of(self.registry.find(request.target.conc), request)

    def follow_probe(self, request: Request, header: ProbeHeader) -> None:
        """Follow a probe of another Env, which has come in after the request it is about."""
        waiter = Waiter(ConcAddr(self.corps_id, header.env, header.conc), header.serial, header.edge)
        self.waits.follow(request, Probe(waiter, header.path))

    def address_abroad(self, addr: ConcAddr) -> ConcAddr:
        """Return the address of a worker as other Corps get it; see `Border.address_abroad`."""
        if self.border is None:
            raise PackError(f"{self.label} reaches no other Corps, so no Name can go to one")
        return self.border.address_abroad(addr)

    def interface_at(self, number: int) -> Interface | None:
        """Return what may be called of the worker or service with this number; None if it is not here."""
        cell = self.registry.find(number)
        return self.services.interface_of(number) if cell is None else cell.interface

    def interface_of_corps(self) -> Interface | None:
        """Return what may be called of the Corps object; None if it does not live here."""
        name = self.corps_name
        cell = None if name is None else self.registry.find(name._addr.conc)
        return cell.interface if name is not None and cell is not None and cell.addr == name._addr else None

    def may_come(self, number: int) -> bool:
        """Return whether a worker that is not here may come back."""
        return self.registry.may_come(number)

    def iterator_at(self, worker: ConcAddr, number: int, *, is_async: bool) -> Streaming:
        """Make the iterator over a generator of a worker of another owner, who has given it to this Env."""
        interface = worker.interface if isinstance(worker, ExtAddr) else None
        name = self.upper.make_name(worker, interface or Interface("?:worker", frozenset()))
        return self.upper.make_iterator(name, number, WHOLE, SENDER, is_async=is_async, is_fresh=False)

    def _send_probe(self, request: Request, probe: Probe) -> None:
        # A circle that leads through another Corps ends by a deadline: no Corps searches in another one.
        if self.peers is not None and request.target.corps == self.corps_id:
            addr, serial, edge = probe.waiter
            self.peers.probe(
                request, ProbeHeader(request.number, addr.env, addr.conc, serial, edge, probe.path)
            )

    def may_block(self) -> bool:
        """Return whether the calling thread may block: a coroutine may not, nor the thread that reads."""
        here = acting()
        return here is None or not (here.reading or here.task is not None)

    def may_wait_for_room(self) -> bool:
        """Return whether the calling thread may block for as long as others are slow: no event loop may."""
        return self.may_block() and running_loop() is None

    def is_on_foreign_loop(self) -> bool:
        """Return whether the calling thread runs an event loop that is not the one of an Env."""
        return self.may_block() and running_loop() is not None

    def enter_blocked(self) -> None:
        """Note that the calling thread is about to block inside corps."""
        here = acting()
        if here is not None and here.pooled:
            self.pool.enter_blocked()

    def leave_blocked(self) -> None:
        """Note that the calling thread goes on."""
        here = acting()
        if here is not None and here.pooled:
            self.pool.leave_blocked()

    # --- the end ---

    def close(self, grace: float) -> list[str]:
        """Stop everything that is left after the workers; return the names of threads that do not end."""
        # Nothing stops before what needs it. `grace` is the time for worker threads that are still busy.
        if self.closed:
            return []
        self.closed = self._is_ending = True
        self.parts.tell(lambda part: part.close())
        for cell in self.registry.cells():  # what is left has no orderly end any more
            for request in cell.close_mailbox(None) or ():
                self.letters.settle(request, Refused(cell.gone("no"), "closed"))
        late = self.loop.close(grace)
        if self.border is not None:
            self.border.close()
        self.disconnect()  # after the loop: its last outcomes have gone out
        late += self.pool.close(grace)
        for request in self.registry.all_held():  # no worker comes back
            self.letters.settle(request, caller_side.too_late(self, request.target))
        for cell in self.registry.cells():  # what still runs is answered now
            cell.give_up(cell.gone("unknown"))
        self.alarms.close()
        self.dropped.close()
        self.resender.close()
        for waiting in list(self.retrying):
            waiting.give_up()
        for awaited in list(self.awaiting):
            awaited.close()
        self.letters.close()
        errands, self.errands = self.errands, None
        if errands is not None:
            late += errands.close(grace)
        return late

    def _thread_failed(self, name: str, error: BaseException) -> None:
        note_failure(name, error)
        if not self.closed:
            self.on_defect(f"{self.label} cannot go on, because its thread {name} has ended: {error!r}")

    def class_key(self, class_name: str) -> str:
        """Return what all Envs call a class, by the name in its Interface."""
        module, _, qualname = class_name.partition(":")
        if self.main_alias is None or module != "__main__" or "<locals>" in qualname:
            return class_name
        has_it = self.has_of_main(qualname.partition(".")[0])  # else it is the same class, sent by value
        return f"{self.main_alias}:{qualname}" if has_it else class_name

    def more_alarms(self, name: str) -> Alarms:
        """Make alarms with a thread of their own, for what must keep no deadline waiting."""
        return Alarms(f"{self.label}-{name}", lambda: current.set(self._bringing), self._thread_failed)

    def dispatch_at_once(self, request: Request) -> None:
        """Send a request as `dispatch`, for a thread that may not wait: it enters even a full mailbox."""
        token = current.set(self._bringing)
        try:
            self.dispatch(request)
        finally:
            current.reset(token)

    def manager_of(self, env_id: int) -> ConcAddr:
        """Return the address of the EnvMgr of an Env of this Corps."""
        return ConcAddr(self.corps_id, env_id, ENV_MGR)

    @property
    def is_open(self) -> bool:
        """Return whether it takes requests of plain threads: not while it ends, nor in a child of a fork."""
        return not self._is_ending

    def statistics(self) -> dict[str, Any]:
        """Return what goes on, and what went wrong so far: see `corps.LocalEnv.statistics`."""
        return {
            "workers": len(self.registry.cells()),
            "threads": self.pool.statistics(),
            "peers": self.peers.statistics() if self.peers is not None else {},
            "refused": self.peers.refused() if self.peers is not None else {},
            "dead_letters": self.letters.counts(),
            "supervision": {"workers": self.worker_counters.as_dict(), "envs": self.env_counters.as_dict()},
        }


know(
    variable=current,
    call=CALL,
    exit=EXIT,
    loop=running_loop,
    request=Request,
    future=Future,
    value=Value,
    sent=Sent,
    wait=Wait,
    gate=Gate,
    main=MAIN,
    levels=RESERVE,
    depth=SHALLOW,
    calls=DEPTH,
    plain=AS_THEY_ARE,
)
