"""The keys by which one Env knows the Envs of other Corps, and is known to them: its user's key ring.

The ring may change at any time. `refresh` looks at it; between two looks every question gets the same answer,
but for keys whose time is over, and for newcomers with a key that is not known yet. It is read when it is
first asked whose a key is. Only `begin`, which an Env needs to speak to others over tcp, makes a key.
"""

import logging
from collections.abc import Callable

from corps.clock import wall_time
from corps.errors import CorpsError, NoSuchKey
from corps.messages.callers import OWN
from corps.security.key_ring import KeyRing, KeyVerdict, fingerprint, judge_by_kernel
from corps.security.keys import KeyPair

_log = logging.getLogger("corps.security")


class BorderKeys:
    """The key ring as an Env uses it. Thread-safe, but for `begin`: one thread at a time."""

    def __init__(self, read: Callable[[], KeyRing], begin: Callable[[], object] = lambda: None) -> None:
        """Read nothing yet.

        `read` gives any thread the ring as it is now, and the same object if nothing has changed. `begin`
        makes the first key of an empty ring.
        """
        self._read = read
        self._begin = begin
        self._ring: KeyRing | None = None  # replaced as a whole
        # What `judge` found before `begin`; empty, too, where it could not be read. Not the same field: a
        # thread that judges would put what it has read in the place of what another one has begun with.
        self._at_first: KeyRing | None = None
        self._problem = ""

    def begin(self) -> None:
        """Read the ring, with a key of the owner in it. Idempotent.

        Raises:
            KeyRingError: It cannot be used.
            Damaged: A file of it is no key ring.
            NewerFormat: A newer release of corps wrote a file of it.
        """
        if self._ring is None:
            self._begin()
            self._ring = self._read()

    def refresh(self) -> None:
        """Look whether the ring has changed. While it cannot be read, no key counts."""
        try:
            self._ring, problem = self._read(), ""
        except CorpsError as error:
            self._ring, problem = KeyRing(), str(error)
        if problem and problem != self._problem:
            _log.error("no key of another Env counts now: %s", problem)
        self._problem = problem

    def judge(self, public: str) -> KeyVerdict:
        """Say whose a key is that a peer has proved; an empty one stands for the word of the kernel."""
        if not public:
            return judge_by_kernel(public)
        ring = self._ring or self._at_first
        if ring is None:
            try:
                ring = self._read()
            except CorpsError:  # `begin` says so to the caller who needs it
                ring = KeyRing()
            self._at_first = ring
        return ring.judge(public, wall_time())

    def judge_newcomer(self, public: str) -> KeyVerdict:
        """Judge as `judge`, and look at the ring if the key is not known: it may be allowed since then."""
        verdict = self.judge(public)
        if verdict.reason != "unknown":
            return verdict
        self.refresh()
        return self.judge(public)

    def pair(self) -> KeyPair:
        """Return the pair to show to others.

        Raises:
            NoSuchKey: There is none that counts.
        """
        key = (self._ring or KeyRing()).current(wall_time())
        return KeyPair(key.public, key.secret)

    def successor(self, public: str) -> KeyPair | None:
        """Return the pair that has to take over now from a key of this owner; None if that may go on."""
        key = (self._ring or KeyRing()).successor(public, wall_time())
        return None if key is None else KeyPair(key.public, key.secret)

    def of(self, identity: str) -> tuple[str, ...]:
        """Return the public keys that count for a user, or for the owner.

        Raises:
            NoSuchKey: There is none. The text says how to allow one.
        """
        found = (self._ring or KeyRing()).accepted(wall_time())
        keys = tuple(public for public, whose in found.items() if whose == identity)
        if not keys and identity == OWN:
            self.pair()
        if not keys:
            raise NoSuchKey(
                f"the key ring has no key of {identity!r:.80} that counts: `corps keys allow {identity:.80} "
                "KEY` lets one connect; `corps keys list` shows all"
            )
        return keys

    def words_for(self, public: str) -> str:
        """Return what texts call a key."""
        verdict = self.judge(public)
        return f"the key {fingerprint(public)} ({verdict.identity or verdict.reason})"
