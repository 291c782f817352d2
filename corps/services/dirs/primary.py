"""The Dir of the Corps. It numbers what changes, and sends it to the copies in all other Envs.

It lives in the Env `Env.home`, which a Corps cannot lose, and its entries are those of the copy there.
"""

import logging
from collections import deque
from collections.abc import Iterable
from typing import Any, Final

from corps.addresses import ENV_DIR, ConcAddr, env_label
from corps.clock import now
from corps.errors import ClosedError, CorpsError, EnvLost, WorkerGone
from corps.messages.outcomes import Value
from corps.runtime.calls.futures import Future
from corps.runtime.env import Env
from corps.runtime.parts import Part
from corps.services.dirs.dir_copy import Answer, DirCopy, Taken
from corps.services.dirs.entries import Entry, interfaces_of
from corps.services.dirs.ledger import Ledger, Push

_log = logging.getLogger("corps.services")

_PAUSE: Final = 1.0  # seconds until an Env that could not take something is sent everything


class DirPrimary(Part):
    """The Dir of the Corps. Thread-safe."""

    def __init__(self, env: Env) -> None:
        """Take over the copy of this Env, which is empty."""
        self._env = env
        self._copy = env.parts.get(DirCopy)
        self._copy.primary = self
        self._book = self._copy.corps
        self._ledger: Ledger[Entry] = Ledger()
        self._lock = self._copy.lock  # protects all of it
        self._numbers = 0  # of entries
        # Which change all copies are to have, and what is settled then, with what.
        self._waiting: deque[tuple[int, Future[Any], Any]] = deque()

    # --- what changes ---

    def enter(self, entry: Entry) -> Future[Answer]:
        """Register a worker; the Future is done when all Envs have that."""
        answer: Future[Answer] = Future()
        with self._lock:
            problem = self._problem(entry)
            if problem is not None:
                answer.settle(Value(problem))
                return answer
            known = self._book.known(entry)
            self._numbers += known is None
            entry.number = known.number if known is not None else self._numbers
            self._copy.put(self._book, entry)
            self._note(entry.number, entry, answer)
            has_gone = self._copy.has_gone(entry)
        self._push()
        if has_gone:
            self.gone([entry.addr])
        return answer

    def _problem(self, entry: Entry) -> Answer:
        """Return why an entry cannot be; None if it can. Caller holds the lock."""
        addr, mgr = entry.addr, entry.mgr
        others = self._env.others
        if others.is_gone(addr.env) or (mgr is not None and others.is_gone(mgr.env)):
            return "its Env has died"
        if mgr is not None and mgr.env == addr.env and others.has_died(addr):
            return "its process has died"
        taken = self._book.of(entry.owner).conflict(entry)
        return None if taken is None else Taken.by(taken)

    def leave(self, worker: ConcAddr, tag: str | None, owner: ConcAddr | None) -> Future[int]:
        """Take a worker out; the Future of how many entries that were is done when all Envs know it."""
        left: Future[int] = Future()
        with self._lock:
            found = [
                entry.number
                for entry in self._book.by_worker.get(worker, {}).values()
                if entry.owner == owner and (tag is None or entry.tag == tag)
            ]
            if not found:
                left.settle(Value(0))
                return left
            self._take_out(found)
            self._waiting.append((self._ledger.number, left, len(found)))
        self._push()
        return left

    def renew(self, worker: ConcAddr, incarnation: int) -> None:
        """Put the incarnation of a worker that came back into its entries, for all Envs."""
        with self._lock:
            for entry in self._copy.renew(self._book, worker, incarnation):
                self._note(entry.number, entry, None)
        self._push()

    def gone(self, workers: Iterable[ConcAddr]) -> None:
        """Take out all entries of workers that are gone for good."""
        if self._env.lives.is_winding_down:
            return
        with self._lock:
            for worker in workers:
                self._take_out(self._book.of_worker(worker))
        self._push()

    def _take_out(self, numbers: Iterable[int]) -> None:
        """Take out entries. Caller holds the lock."""
        for number in numbers:
            self._copy.take_out(self._book, number)
            self._note(number, None, None)

    def _note(self, number: int, entry: Entry | None, answer: Future[Any] | None) -> None:
        if self._env.peers is not None:
            self._ledger.meet(env_id for env_id in self._env.peers.ids() if env_id != self._env.id)
        change = self._ledger.add(number, entry)
        if answer is not None:
            self._waiting.append((change, answer, None))

    # --- what the copies get ---

    def _push(self) -> None:
        """Send to each copy what it has not got, one message at a time, and answer what all copies have."""
        pushes: list[tuple[int, Push[Entry]]] = []
        done: list[tuple[int, Future[Any], Any]] = []
        with self._lock:
            for env_id in self._ledger.copies():
                push = self._ledger.next_push(env_id, self._book.entries)
                if push is not None:
                    pushes.append((env_id, push))
            upto = self._ledger.has_all()
            while self._waiting and self._waiting[0][0] <= upto:
                done.append(self._waiting.popleft())
        for _, answer, value in done:
            answer.settle(Value(value))
        for env_id, push in pushes:
            self._send(env_id, push)

    def _send(self, env_id: int, push: Push[Entry]) -> None:
        there = [entry for _, entry in push.changes if entry is not None]
        interfaces, rows = interfaces_of(there)
        row = iter(rows)
        changes = [(number, None if entry is None else next(row)) for number, entry in push.changes]
        table = [each.as_tuple() for each in interfaces]
        args = (push.since, push.upto, changes, push.begins, push.ends, table)
        try:
            answer = self._env.ask_service(env_id, ENV_DIR, "take", *args)
        except CorpsError as error:
            self._not_taken(env_id, push, error)
        else:
            answer.when_settled(lambda done: self._answered(env_id, push, done))

    def _answered(self, env_id: int, push: Push[Entry], done: Future[bool]) -> None:
        error = done.failure()
        if error is None:
            with self._lock:
                self._ledger.answered(env_id, push, is_taken=done.result())
            self._push()
        elif isinstance(error, EnvLost | WorkerGone | ClosedError):  # it ends, or another process comes
            self._away(env_id, push)
        else:
            self._not_taken(env_id, push, error)

    def _not_taken(self, env_id: int, push: Push[Entry], error: BaseException) -> None:
        """Send everything again in a moment to an Env in which something has failed."""
        _log.warning("the Dir of %s could not take what has changed: %s", env_label(env_id), error)
        self._away(env_id, push)
        if not self._env.closed:
            self._env.alarms.at(now() + _PAUSE, lambda: self.env_came(env_id))

    def _away(self, env_id: int, push: Push[Entry]) -> None:
        with self._lock:
            if self._ledger.is_under_way(env_id, push):
                self._ledger.lost(env_id)
        self._push()

    # --- Envs that come and go ---

    def env_came(self, env_id: int) -> None:
        """See `Part.env_came`."""
        with self._lock:
            self._ledger.came(env_id)
        self._push()

    def asked_anew(self, env_id: int) -> None:
        """Send everything to an Env that waits for it, unless that is on its way."""
        with self._lock:
            is_on_its_way = not self._ledger.is_complete(env_id)
        if not is_on_its_way:
            self.env_came(env_id)

    def env_lost(self, env_id: int, *, returns: bool) -> None:
        """See `Part.env_lost`."""
        with self._lock:
            self._ledger.lost(env_id)
            self._take_out(self._book.of_env(env_id, returns=returns))
        self._push()

    def close(self) -> None:
        """See `Part.close`."""
        with self._lock:
            waiting, self._waiting = self._waiting, deque()
        for _, answer, value in waiting:
            answer.settle(Value(value))
