"""Several Envs of one Corps in one process.

    network = MemoryNetwork()
    with memory_corps(2, network=network) as (one, two):
        counter = one.options(env=two.id).create(Counter)
        network.cut(one.id, two.id)

A MemoryNetwork joins them, or another `Network`, as one of real connections that a test can break.
"""

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any, ParamSpec, Protocol, TypeVar

from corps.launch.choosing import options
from corps.managers.assembly import build_env, env_options
from corps.messages.endings import Failure
from corps.messages.members import Member
from corps.peers.members import Peers
from corps.runtime.env import Env
from corps.settings import Settings
from corps.testing.network import MemoryNetwork
from corps.transport.link import Transport
from corps.wire.frames import Hello
from corps.workers.factory import Options
from corps.workers.names import Name
from corps.workers.placement import Where

T = TypeVar("T")
P = ParamSpec("P")


class Network(Protocol):
    """What joins the Envs."""

    def join(self, hello: Hello) -> tuple[Transport, Member]:
        """Return an Env's end of all its links, and the record by which the others reach it."""
        ...

    def heal_all(self) -> None:
        """Let everything through again."""
        ...


class MemoryEnv:
    """One Env of a `memory_corps`. Thread-safe.

    Attributes:
        id: Its id in the Corps.
        env: The Env itself, for tests that look inside.
        member: Its record in the membership.
    """

    def __init__(self, env_id: int, make: "Callable[[int], tuple[Env, Member]]") -> None:
        """Make one Env; `memory_corps` calls this."""
        self.id = env_id
        self._make = make
        self.env, self.member = make(0)
        self.former: list[Env] = []
        """What it was before it came back."""
        self._others: list[MemoryEnv] = []
        self.is_dead = False
        self.returns = False
        """It is dead, and will come back."""

    @property
    def peers(self) -> Peers:
        """The other Envs, as seen from this one."""
        peers = self.env.peers
        assert peers is not None
        return peers

    def create(self, cls: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Name[T]:
        """Create a worker, by default in all Envs of the Corps in turn; see `corps.create`."""
        return self.options().create(cls, *args, **kwargs)

    def options(
        self, *, tag: str = "", env: Where = None, mailbox: int | None = None, deadline: float | None = None
    ) -> Options:
        """Say how workers are to be created; see `corps.options`. This Env's own id is ``id``."""
        chosen = options(tag=tag, env=env, mailbox=mailbox, deadline=deadline)
        return replace(chosen, _of=self.env)

    def name(self, of: Name[T]) -> Name[T]:
        """Return the same worker as a Name that sends from this Env."""
        return Name(of._addr, of._interface, self.env)

    def die(self, reason: str = "it was killed by the test", *, returns: bool = False) -> None:
        """Vanish without a word, as a process that is killed, and let the others know.

        A method that runs goes on, because a thread cannot be killed; what has not begun never does.

        Args:
            reason: What the others hear.
            returns: It will come back, by `revive`.
        """
        self.is_dead = True
        for cell in self.env.registry.cells():
            cell.close_mailbox(None)
            if cell.has_family:
                cell.family.close()
        self.env.disconnect()
        self.tell_lost(reason, returns=returns)

    def tell_lost(self, reason: str, *, returns: bool) -> None:
        """Let the others know once more that it is dead, as when a next process dies before they have met it.

        Args:
            reason: What the others hear.
            returns: It will come back, by `revive`.
        """
        self.returns = returns
        for other in self._others:
            if not other.is_dead:
                other.env.others.lost(self.id, Failure("killed", reason), returns=returns)

    def revive(self) -> None:
        """Come back as another process of the same Env, as `managers.membership` brings it back."""
        self.former.append(self.env)
        self.env, self.member = self._make(self.env.generation + 1)
        there = [other for other in self._others if not other.is_dead]
        self.env.registry.await_word_of(other.id for other in there)
        for other in self._others:
            if other.returns:
                self.peers.lose(other.id, "it is started again", returns=True)
        for other in there:
            self.env.others.meet(other.member)
        self.env.worker_envs = [self.id, *(other.id for other in self._others)]
        if not self._others or not self._others[0].is_dead:  # the first Env has the Dir of the Corps
            self.env.parts.tell(lambda part: part.joins_late())
        self.env.start_reading()
        self.is_dead = self.returns = False
        for other in there:
            other.env.others.joined(self.member)

    def exit_workers(self) -> None:
        """End all workers of this Env in order."""
        self.env.exit(self.env.manager_of(self.env.id)).result()
        self.env.services.end().result()


@contextmanager
def memory_corps(
    n: int, *, network: Network | None = None, settings: Settings | None = None, **build: Any
) -> Iterator[list[MemoryEnv]]:
    """Open several Envs of one Corps in this process.

    Leaving the block heals all lines, ends the workers in order, then the Envs.

    Args:
        n: How many; their ids are 1 to `n`.
        network: What joins them; None for a MemoryNetwork of their own.
        settings: Of each Env; None for the defaults.
        **build: Further arguments of `corps.managers.assembly.build_env`.

    Yields:
        The Envs.
    """
    network = MemoryNetwork() if network is None else network
    settings = settings if settings is not None else Settings()
    corps_id = secrets.token_hex(8)
    made: list[MemoryEnv] = []
    try:
        for each_id in range(1, n + 1):
            make = partial(_memory_env, corps_id, each_id, network, settings, build)
            made.append(MemoryEnv(each_id, make))
        for each in made:
            each._others = [other for other in made if other is not each]
            for other in each._others:
                each.peers.learn(other.member)
            ids = list(range(1, n + 1))
            each.env.worker_envs = ids[each.id - 1 :] + ids[: each.id - 1]
        for each in made:
            each.env.start_reading()
        yield made
    finally:
        network.heal_all()
        for each in made:
            if not each.is_dead:
                each.exit_workers()
        for each in made:
            for env in (*each.former, each.env):
                env.close(settings.grace)


def _memory_env(
    corps_id: str,
    env_id: int,
    network: Network,
    settings: Settings,
    build: dict[str, Any],
    generation: int,
) -> tuple[Env, Member]:
    hello = Hello(corps_id, env_id, secrets.token_hex(16))
    transport, member = network.join(hello)
    env = build_env(
        corps_id,
        env_id,
        env_options(settings),
        transport,
        generation=generation,
        incarnation=hello.incarnation,
        home=1,
        **build,
    )
    return env, replace(member, generation=generation)
