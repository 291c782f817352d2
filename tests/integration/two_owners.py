"""Two Envs of different owners in this process, for tests of what one may ask of the other.

The transport is that of one user. Each of the two is made to judge that the
other one's key is another user's.
"""

import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import corps
from corps.addresses import BOOT_ENV
from corps.federation.border import CorpsBorder
from corps.launch.found_settings import find_settings
from corps.launch.local import LocalEnv
from corps.managers.assembly import build_env, env_options
from corps.messages.contacts import ExtAddr
from corps.messages.members import Member
from corps.runtime.env import Env
from corps.runtime.this_process import this_process
from corps.security.capabilities import new_secret
from corps.security.key_ring import KeyVerdict
from corps.transport.unix.transport import UnixTransport
from corps.wire.frames import Hello
from corps.workers.names import Name

T = TypeVar("T", bound=corps.Conc)


@dataclass
class Owner:
    """One Env of an owner, and its key."""

    env: Env
    local: LocalEnv
    key: str

    def create(self, cls: type[T], *args: Any) -> "Name[T]":
        """Create a worker in this Env."""
        return self.local.create(cls, *args)

    def hand(self, name: "Name[T]", to: "Owner", cls: type[T] | None = None) -> "Name[T]":
        """Return a Name of this Env as the other owner has it, with the class if that is loaded there."""
        addr = self.env.address_abroad(name._addr)
        assert isinstance(addr, ExtAddr)
        interface = replace(name._interface, author=cls, class_name="elsewhere:Class")
        return Name(addr.known_as(interface), interface, to.env)


def start_env(folder: Path, key: str, other: str) -> Owner:
    """Start an Env that has a key, and judges that every other one is the other owner's."""
    options = replace(env_options(find_settings(None, {}).settings), border_secret=new_secret())
    corps_id, incarnation = secrets.token_hex(8), secrets.token_hex(16)
    place = folder / key.strip("0")
    place.mkdir(mode=0o700)
    hello = Hello(corps_id, BOOT_ENV, incarnation)
    transport = UnixTransport(
        hello,
        runtime_dir=str(place),
        shared=options.shared_memory_bytes,
        kept=options.shared_memory_kept,
        handshake_timeout=60.0,
    )
    env = build_env(corps_id, BOOT_ENV, options, transport)
    border = env.border
    assert isinstance(border, CorpsBorder)

    def judge(public: str) -> KeyVerdict:
        return KeyVerdict("own" if public == key else other)

    terms = replace(border._terms, judge=judge)
    border._terms = border._foreign._terms = terms
    border.be(Member(BOOT_ENV, incarnation, transport.endpoint, key))
    env.start_reading()
    local = LocalEnv(env)
    this_process.forget(env)
    return Owner(env, local, key)


@contextmanager
def two_owners() -> Iterator[tuple[Owner, Owner]]:
    """Yield the Env of Alice, who has workers, and that of Bob, who asks them."""
    with TemporaryDirectory(prefix="corps-") as folder, ExitStack() as ends:  # a socket needs a short path
        alice = start_env(Path(folder), "alice".ljust(40, "0"), "bob")
        ends.callback(alice.local.close)
        bob = start_env(Path(folder), "bob".ljust(40, "0"), "alice")
        ends.callback(bob.local.close)
        yield alice, bob
