"""Several Envs of one Corps in one process.

network = MemoryNetwork()
with memory_corps(2, network=network) as (one, two):
counter = one.options(env=two.id).create(Counter)
network.cut(one.id, two.id)

They are joined by a MemoryNetwork, or by real connections that a test can break: a ProxiedNetwork.
"""

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, ParamSpec, Protocol, TypeVar

from corps.managers.assembly import build_env, env_options
from corps.messages.endings import Failure
from corps.messages.members import Member
from corps.runtime.env import Env
from corps.settings import Settings
from corps.testing.network import MemoryNetwork
from corps.transport.link import Transport
from corps.transport.peers import Peers
from corps.wire.frames import Hello
from corps.workers.factory import Options, Where, options
from corps.workers.names import Name

T = TypeVar("T")
P = ParamSpec("P")


class Network(Protocol):
    """What joins the Envs."""

    def join(self, hello: Hello) -> tuple[Transport, Member]:
        """An Env's end of all its links, and the record by which the others reach it."""
        ...

    def heal_all(self) -> None:
        """Let everything through again."""
        ...


class MemoryEnv:
    """One Env of a `memory_corps`. Any thread may use it.

    Attributes:
        id: Its id in the Corps.
        env: The Env itself, for tests that look inside.
        member: Its record in the membership.
    """

    def __init__(self, env: Env, member: Member) -> None:
        """For `memory_corps`."""
        self.id = env.id
        self.env = env
        self.member = member
        self._others: list[MemoryEnv] = []
        self.is_dead = False

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
        """The same worker, as a Name that sends from this Env."""
        return Name(of._addr, of._interface, self.env)

    def die(self, reason: str = "it was killed by the test") -> None:
        """Vanish without a word, as a process that is killed, and have the others told.

        Args:
            reason: What they are told.
        """
        self.is_dead = True
        self.env.disconnect()
        for other in self._others:
            if not other.is_dead:
                other.env.lives.env_lost(self.id, Failure("killed", reason), returns=False)

    def exit_workers(self) -> None:
        """End all workers of this Env in order."""
        self.env.exit(self.env.manager_of(self.env.id)).result()


@contextmanager
def memory_corps(
    n: int, *, network: Network | None = None, settings: Settings | None = None, **build: Any
) -> Iterator[list[MemoryEnv]]:
    """Several Envs of one Corps in this process.

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
        made.extend(_memory_env(corps_id, each, network, settings, build) for each in range(1, n + 1))
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
            each.env.close(settings.grace)


def _memory_env(
    corps_id: str, env_id: int, network: Network, settings: Settings, build: dict[str, Any]
) -> MemoryEnv:
    hello = Hello(corps_id, env_id, secrets.token_hex(16))
    transport, member = network.join(hello)
    return MemoryEnv(build_env(corps_id, env_id, env_options(settings), transport, **build), member)
