"""The other Envs of the Corps, as one Env knows them.

Which of them have a process, which have lost it, and what that means for the workers here.
"""

import logging
from collections.abc import Callable, Iterable
from threading import Event, Lock
from typing import TYPE_CHECKING, Final, NamedTuple

from corps.addresses import BOOT_ENV, CORPS_MGR, FRONT, ConcAddr, env_label, generation_of
from corps.messages.endings import Failure
from corps.messages.members import Member
from corps.messages.outcomes import Value
from corps.messages.requests import CALL, EXIT_DOWN
from corps.runtime.calls.futures import Future
from corps.runtime.cells.family import ChildGroup, Family

if TYPE_CHECKING:
    from corps.runtime.env import Env

_log = logging.getLogger("corps.env")

_LAST_WORDS: Final = 0.25  # seconds to read what a process had sent before it died


def in_turn(env_ids: Iterable[int], first: int) -> list[int]:
    """Return ids of Envs in the order in which workers are created: the first one with its creator."""
    ids = sorted(env_ids)
    at = ids.index(first) if first in ids else 0
    return ids[at:] + ids[:at]


class _Loss(NamedTuple):
    """The last death of a process of one Env."""

    generation: int
    failure: Failure
    returns: bool


class _Wish(NamedTuple):
    """A Future that is done when workers can, or cannot, be created in an Env."""

    env_id: int
    is_there: bool
    future: Future[None]


class OtherEnvs:
    """What one Env knows of the others, and of their processes. Thread-safe."""

    def __init__(self, env: "Env") -> None:
        self._env = env
        self._registry = env.registry
        self._lock = Lock()  # protects _wishes and the Env's worker_envs
        self._wishes: list[_Wish] = []
        self._generations: dict[int, int] = {}  # of their processes; without an entry: 0
        self._losses: dict[int, _Loss] = {}  # of each Env the last one
        self.on_unreachable: Callable[[int, int, str], object] | None = None
        """What to do about an Env that cannot be reached: its id, the generation of its process, and why."""
        self.on_met: Callable[[Member], object] | None = None
        """Called with each Env that this one learns of, if its Corps has several hosts."""

    # --- processes that come ---

    def meet(self, member: Member) -> None:
        """Learn of another Env that has a process."""
        self._generations[member.env] = member.generation
        if self.on_met is not None:
            self.on_met(member)
        if self._env.peers is not None:
            self._env.peers.learn(member)

    def joined(self, member: Member) -> None:
        """Take in another Env that has a process, or another one."""
        env = self._env
        if env.peers is None:
            return
        self.meet(member)
        if member.env != FRONT and self._change_worker_envs(
            lambda known: in_turn({*known, member.env}, env.id)
        ):
            for group in self._groups():
                group.env_came(member.env)
        env.parts.tell(lambda part: part.env_came(member.env))
        env.ask_manager(member.env, "expect", env.id, self._expected_in(member.env))

    def _expected_in(self, env_id: int) -> list[int]:
        """Return the numbers of the workers that Mgrs of this Env will start again in another one."""
        return [child.conc for family in self._families() for child in family.away() if child.env == env_id]

    # --- processes that go ---

    def unreachable(self, env_id: int, reason: str) -> None:
        """Have something done about an Env to which the link is broken for good."""
        env = self._env
        level = logging.DEBUG if env.lives.is_winding_down else logging.WARNING  # the Envs do not end at once
        _log.log(level, "%s cannot reach %s: %s", env.label, env_label(env_id), reason)
        if self.on_unreachable is not None:
            self.on_unreachable(env_id, self._generations.get(env_id, 0), reason)

    def report_unreachable(self, env_id: int, generation: int, reason: str) -> None:
        """Have the CorpsMgr do something about a process that cannot be reached from here."""
        env = self._env
        if not env.closed:
            corps_mgr = ConcAddr(env.corps_id, BOOT_ENV, CORPS_MGR)
            pair = (env_id, generation), (env.id, env.generation)
            env.ask(CALL, corps_mgr, "cannot_reach", (*pair, reason), {})

    def lost(self, env_id: int, failure: Failure, *, returns: bool) -> None:
        """Record the death of a process: its children here have failed, and its orphans here end."""
        # This runs callbacks of Futures, so it is not for the thread that reads.
        env = self._env
        if not returns:
            self.retire(env_id)
        if env.peers is not None:
            # What it has answered is read first: only what is certainly unanswered fails.
            all_read = Event()
            if env.peers.when_read(env_id, all_read.set):
                all_read.wait(_LAST_WORDS)
            env.peers.lose(env_id, failure.text, failure.reason, has_died=True, returns=returns)
        self._losses[env_id] = _Loss(self._generations.get(env_id, 0), failure, returns)
        env.lives.refuse(self._registry.mgr_env_lost(env_id))
        for cell in self._registry.cells():
            if cell.mgr_addr is not None and cell.mgr_addr.env == env_id:
                env.exit(cell.addr, EXIT_DOWN)
            elif cell.has_family:
                cell.family.env_lost(env_id, failure, returns=returns)
        env.parts.tell(lambda part: part.env_lost(env_id, returns=returns))

    def generation(self, env_id: int) -> int:
        """Return how many processes another Env has had before the one that it has."""
        return self._generations.get(env_id, 0)

    def last_failure(self, env_id: int) -> Failure:
        """Return why a process of an Env has died that was lost."""
        return self._losses[env_id].failure

    def is_gone(self, env_id: int) -> bool:
        """Return whether an Env has died, and gets no other process."""
        loss = self._losses.get(env_id)
        return loss is not None and not loss.returns

    def adopted(self, family: Family, child: ConcAddr) -> None:
        """Tell a Mgr's family of a child in another Env that was adopted after its process had died."""
        loss = self._losses.get(child.env)
        if loss is not None and self.has_died(child):
            family.child_lost(child, loss.failure, returns=loss.returns)

    def has_died(self, worker: ConcAddr) -> bool:
        """Return whether the process of another Env has died that gave a worker its address."""
        loss = self._losses.get(worker.env)
        return loss is not None and generation_of(worker.conc) <= loss.generation

    # --- where workers can be created ---

    def retire(self, env_id: int) -> None:
        """Create no worker in an Env any more: it is about to be removed, or will not come back."""
        self._change_worker_envs(lambda known: [env for env in known if env != env_id])
        for group in self._groups():
            group.env_left(env_id)
        self._env.parts.tell(lambda part: part.env_left(env_id))

    def when_known(self, env_id: int, *, is_there: bool) -> Future[None]:
        """Return a Future that is done when this Env knows that another one can, or cannot, have workers."""
        future: Future[None] = Future()
        with self._lock:
            self._wishes.append(_Wish(env_id, is_there, future))
        self._change_worker_envs(lambda known: known)  # it may know already
        return future

    def _change_worker_envs(self, change: Callable[[list[int]], list[int]]) -> bool:
        """Change the list, and settle the wishes that it fulfils; return whether it was changed."""
        with self._lock:
            before: list[int] = self._env.worker_envs
            after = self._env.worker_envs = change(before)
            fulfilled = [wish for wish in self._wishes if (wish.env_id in after) is wish.is_there]
            self._wishes = [wish for wish in self._wishes if wish not in fulfilled]
        for wish in fulfilled:
            wish.future.settle(Value(None))
        return after != before

    def _families(self) -> list[Family]:
        return [cell.family for cell in self._registry.cells() if cell.has_family]

    def _groups(self) -> list[ChildGroup]:
        return [group for family in self._families() for group in family.groups]
