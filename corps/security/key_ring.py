"""The key ring of an owner as a value: own key pairs, the keys of others that are allowed, revoked ones.

Every Corps whose keys are in the `own` part of one ring has that owner. A key in `allowed` belongs to another
user. A revoked key is refused for good, even where it is allowed as well. Times are seconds since 1970,
because keys outlive processes.

Pure: each change gives another ring. The files are in `federation/keyring`.
"""

import hashlib
import json
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple, NoReturn, TypeVar

from corps.errors import Damaged, KeyRingError, NewerFormat, NoSuchKey
from corps.messages.callers import OWN
from corps.security.keys import KeyPair

T = TypeVar("T")

FORMAT: Final = 1  # of both files. A reader refuses what a newer release wrote

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}")  # of keys and users
_KEY_SIZE: Final = 40  # characters of a CURVE key in Z85
_LONGEST_MARGIN: Final = 60.0  # seconds before the end of a key in which its successor takes over
_LEAST: Final = 8  # characters by which a key may be called


def fingerprint(public: str) -> str:
    """Return 32 hexadecimal digits that stand for a public key, for people and logs."""
    return hashlib.sha256(public.encode("ascii")).hexdigest()[:32]


def check_public(public: str) -> None:
    """Check that a text is a CURVE public key in Z85.

    Raises:
        KeyRingError: It is not.
    """
    from zmq.utils import z85  # late, as in `security/keys`

    try:
        is_one = len(public) == _KEY_SIZE and len(z85.decode(public)) == 32
    except (ValueError, KeyError, struct.error):
        is_one = False
    if not is_one:
        raise KeyRingError(
            f"{public!r:.60} is no public key: it wants {_KEY_SIZE} characters of Z85; see `corps keys`"
        )


def check_name(name: str) -> None:
    """Check that a text can be the name of a key or of a user.

    Raises:
        KeyRingError: It cannot.
    """
    if not _NAME.fullmatch(name) or name == OWN:
        raise KeyRingError(
            f"{name!r:.80} cannot be a name: it takes 1 to 64 letters, digits and the characters . _ @ + -, "
            f"begins with a letter or digit, and is not {OWN!r}"
        )


@dataclass(frozen=True, slots=True)
class OwnKey:
    """A key pair of the owner of the ring.

    Attributes:
        name: What the owner calls it. Keys that followed each other by rotation have one name.
        public: The public half, in Z85.
        secret: The secret half. No text shows it.
        made: When it was made.
        expires: From when on it counts no more; None for never.
    """

    name: str
    public: str
    secret: str = field(repr=False)
    made: float
    expires: float | None = None


@dataclass(frozen=True, slots=True)
class AllowedKey:
    """A public key of another user, which may connect.

    Attributes:
        user: The identity of a caller that has proved this key.
        public: The key, in Z85.
        since: When it was allowed.
        expires: From when on it counts no more; None for never.
    """

    user: str
    public: str
    since: float
    expires: float | None = None


@dataclass(frozen=True, slots=True)
class RevokedKey:
    """A key that counts no more, whatever else says of it.

    Attributes:
        name: The name of the key or user that it was known by; empty if it was not known.
        public: The key, in Z85.
        since: When it was revoked.
    """

    name: str
    public: str
    since: float


class KeyVerdict(NamedTuple):
    """Whether a key that a peer has proved counts.

    Attributes:
        identity: Whose it is: `OWN`, or the name of a user; empty if it does not count.
        reason: Why it does not, in one word: ``"revoked"``, ``"expired"`` or ``"unknown"``; else empty.
    """

    identity: str
    reason: str = ""

    @property
    def counts(self) -> bool:
        """Whether it counts."""
        return not self.reason


def judge_by_kernel(public: str) -> KeyVerdict:
    """Judge a peer where no key counts: it is the owner's if the kernel vouches for it, with an empty key."""
    return KeyVerdict("", "unknown") if public else KeyVerdict(OWN)


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The keys that an owner has and knows. Immutable."""

    own: tuple[OwnKey, ...] = ()
    allowed: tuple[AllowedKey, ...] = ()
    revoked: tuple[RevokedKey, ...] = ()

    # --- questions ---

    def judge(self, public: str, at: float) -> KeyVerdict:
        """Say whose a key is that a peer has proved, or why it does not count."""
        if any(key.public == public for key in self.revoked):
            return KeyVerdict("", "revoked")
        known: list[tuple[str, float | None]] = [
            (OWN, key.expires) for key in self.own if key.public == public
        ]
        known += [(key.user, key.expires) for key in self.allowed if key.public == public]
        for identity, expires in known:
            if expires is None or at < expires:
                return KeyVerdict(identity)
        return KeyVerdict("", "expired" if known else "unknown")

    def accepted(self, at: float) -> Mapping[str, str]:
        """Return all public keys that count, each with its identity."""
        keys = [*(key.public for key in self.own), *(key.public for key in self.allowed)]
        verdicts = {public: self.judge(public, at) for public in keys}
        return {public: verdict.identity for public, verdict in verdicts.items() if verdict.counts}

    def current(self, at: float, name: str | None = None) -> OwnKey:
        """Return the own key to show to others: the last one made that counts, of this name or of any.

        Raises:
            NoSuchKey: There is none.
        """
        usable = [
            key
            for key in self.own
            if (name is None or key.name == name) and self.judge(key.public, at).counts
        ]
        if not usable:
            called = "" if name is None else f" called {name!r}"
            raise NoSuchKey(f"the key ring has no own key{called} that counts; `corps keys new` makes one")
        return max(usable, key=lambda key: key.made)

    def successor(self, public: str, at: float) -> OwnKey | None:
        """Return the own key that has to take over now from another one; None if that may go on.

        It takes over when a quarter of the overlap is left, and a minute at most before the end.
        """
        former = next((key for key in self.own if key.public == public), None)
        revoked = any(key.public == public for key in self.revoked)
        if former is None and not revoked:
            return None
        try:
            newest = self.current(at, None if former is None else former.name)
        except NoSuchKey:
            return None
        if former is None:
            return newest
        if newest.public == public or former.expires is None:
            return None
        margin = min(_LONGEST_MARGIN, max(0.0, former.expires - newest.made) / 4)
        return newest if at >= former.expires - margin else None

    def meant(self, what: str) -> tuple[str, ...]:
        """Return the public keys that a text means: of a name or user, one key, or a fingerprint's beginning.

        Raises:
            NoSuchKey: None is meant, or it is not clear which.
        """
        known = {key.public: key.name for key in self.own} | {key.public: key.user for key in self.allowed}
        named = tuple(public for public, name in known.items() if name == what or public == what)
        if named:
            return named
        begins = what.lower()
        marked = tuple(
            public for public in known if len(begins) >= _LEAST and fingerprint(public).startswith(begins)
        )
        if len(marked) > 1:
            raise NoSuchKey(f"{what!r:.80} begins the fingerprints of {len(marked)} keys: give more of it")
        if not marked:
            raise NoSuchKey(f"the key ring has no key {what!r:.80}; `corps keys list` shows all")
        return marked

    # --- changes ---

    def with_own(self, key: OwnKey) -> "KeyRing":
        """Add a key pair of the owner.

        Raises:
            KeyRingError: The name cannot be, or a key of this name counts already, or the key is in the ring.
        """
        check_name(key.name)
        if any(each.name == key.name and each.expires is None for each in self.own):
            raise KeyRingError(
                f"there is an own key {key.name!r} already: `corps keys rotate {key.name}` puts another one "
                "in its place"
            )
        return self._with_pair(key)

    def rotated(self, name: str, key: OwnKey, overlap: float) -> "KeyRing":
        """Put another pair in the place of the own key of a name; the old one counts for `overlap` seconds.

        Raises:
            NoSuchKey: There is no such key that counts.
            KeyRingError: The overlap is negative, or the key is in the ring.
        """
        if not overlap >= 0:
            raise KeyRingError(f"the overlap is {overlap} s: it must be 0 or more")
        self.current(key.made, name)
        end = key.made + overlap
        own = tuple(
            replace(each, expires=end)
            if each.name == name and (each.expires is None or each.expires > end)
            else each
            for each in self.own
        )
        return replace(self, own=own)._with_pair(key)

    def with_allowed(self, key: AllowedKey) -> "KeyRing":
        """Let the key of another user connect. One that is allowed already gets this user and this end.

        Raises:
            KeyRingError: The name or the key cannot be, or the key is an own one, or was revoked.
        """
        check_name(key.user)
        check_public(key.public)
        if any(each.public == key.public for each in self.revoked):
            raise KeyRingError(
                f"the key {fingerprint(key.public)} was revoked, which is for good; {key.user} needs another"
            )
        if any(each.public == key.public for each in self.own):
            raise KeyRingError(f"the key {fingerprint(key.public)} is one of your own")
        others = tuple(each for each in self.allowed if each.public != key.public)
        return replace(self, allowed=(*others, key))

    def with_revoked(self, public: str, at: float) -> "KeyRing":
        """Let a key count no more, for good. One that is not in the ring may be meant, too.

        Raises:
            KeyRingError: It is no public key.
        """
        check_public(public)
        if any(each.public == public for each in self.revoked):
            return self
        names = [key.name for key in self.own if key.public == public]
        names += [key.user for key in self.allowed if key.public == public]
        revoked = RevokedKey(names[0] if names else "", public, at)
        return KeyRing(
            tuple(key for key in self.own if key.public != public),
            tuple(key for key in self.allowed if key.public != public),
            (*self.revoked, revoked),
        )

    def without_expired(self, at: float, kept: float) -> "KeyRing":
        """Leave out own keys that ended more than `kept` seconds ago. Keys of others stay to be seen."""
        return replace(
            self, own=tuple(key for key in self.own if key.expires is None or at < key.expires + kept)
        )

    def _with_pair(self, key: OwnKey) -> "KeyRing":
        _check_pair(key)
        others = [*(each.public for each in self.allowed), *(each.public for each in self.revoked)]
        if key.public in others or any(each.public == key.public for each in self.own):
            raise KeyRingError(f"the key {fingerprint(key.public)} is in the key ring already")
        return replace(self, own=(*self.own, key))

    # --- as texts: what is secret and what is not lie in two files ---

    def own_as_json(self) -> str:
        """Return the own keys as the text of a file. It is secret."""
        return _text([_own_facts(key) for key in self.own])

    def others_as_json(self) -> str:
        """Return the keys of others as the text of a file."""
        allowed: list[dict[str, object]] = [
            {"user": key.user, "public": key.public, "since": key.since, "expires": key.expires}
            for key in self.allowed
        ]
        revoked: list[dict[str, object]] = [
            {"name": key.name, "public": key.public, "since": key.since} for key in self.revoked
        ]
        return _text(allowed, revoked)

    @classmethod
    def from_json(cls, own: bytes | None, others: bytes | None, where: str = "the key ring") -> "KeyRing":
        """Read both texts; None for one that is not there.

        Raises:
            Damaged: One is no such text, or a field is missing, or is not what it has to be.
            NewerFormat: A newer release of corps wrote it.
        """
        own_keys: tuple[OwnKey, ...] = ()
        allowed: tuple[AllowedKey, ...] = ()
        revoked: tuple[RevokedKey, ...] = ()
        if own is not None:
            own_keys = tuple(_own_key(each) for each in _listed(own, "keys", f"{where} (own keys)"))
        if others is not None:
            place = f"{where} (keys of others)"
            allowed = tuple(
                AllowedKey(
                    each.text("user"), each.key("public"), each.time("since"), each.time_or_none("expires")
                )
                for each in _listed(others, "keys", place)
            )
            revoked = tuple(
                RevokedKey(each.text("name"), each.key("public"), each.time("since"))
                for each in _listed(others, "revoked", place)
            )
        return cls(own_keys, allowed, revoked)


def key_as_json(key: OwnKey) -> str:
    """Return one own key as the text of a file, with its secret half, to be taken to another machine."""
    return _text([_own_facts(key)])


def key_from_json(text: bytes, where: str) -> OwnKey:
    """Read what `key_as_json` has returned.

    Raises:
        Damaged: It is no such text.
        NewerFormat: A newer release of corps wrote it.
        KeyRingError: The halves of the pair do not belong together.
    """
    keys = [_own_key(each) for each in _listed(text, "keys", where)]
    if len(keys) != 1:
        raise Damaged(f"{where} holds {len(keys)} keys, and one is wanted")
    _check_pair(keys[0])
    return keys[0]


def _check_pair(key: OwnKey) -> None:
    import zmq

    check_public(key.public)
    try:
        belongs = zmq.curve_public(key.secret.encode("ascii")).decode() == key.public
    except (ValueError, UnicodeError, zmq.ZMQError):
        belongs = False
    if not belongs:
        raise KeyRingError(f"the secret half of the key {fingerprint(key.public)} does not belong to it")


def new_own_key(name: str, pair: KeyPair, at: float, expires: float | None = None) -> OwnKey:
    """Return a pair that was just made as an own key."""
    return OwnKey(name, pair.public, pair.secret, at, expires)


def _text(keys: list[dict[str, object]], revoked: list[dict[str, object]] | None = None) -> str:
    facts: dict[str, object] = {"format": FORMAT, "keys": keys}
    if revoked is not None:
        facts["revoked"] = revoked
    return json.dumps(facts, indent=1) + "\n"


def _own_facts(key: OwnKey) -> dict[str, object]:
    return {
        "name": key.name,
        "public": key.public,
        "secret": key.secret,
        "made": key.made,
        "expires": key.expires,
    }


def _own_key(each: "_Fields") -> OwnKey:
    return OwnKey(
        each.text("name"),
        each.key("public"),
        each.key("secret"),
        each.time("made"),
        each.time_or_none("expires"),
    )


def _listed(text: bytes, name: str, where: str) -> list["_Fields"]:
    try:
        facts = json.loads(text)
    except (ValueError, RecursionError):  # the text of the error may show a secret
        raise Damaged(f"{where}: the file is no JSON") from None
    if type(facts) is not dict or type(facts.get("format")) is not int or facts["format"] < 1:
        raise Damaged(f"{where}: the file has no number of its format")
    if facts["format"] > FORMAT:
        raise NewerFormat(
            f"{where}: the file has the format {facts['format']}, and this release reads up to {FORMAT}"
        )
    entries = facts.get(name)
    if type(entries) is not list or any(type(entry) is not dict for entry in entries):
        raise Damaged(f"{where}: {name!r} is no list of entries")
    return [_Fields(entry, f"{where}: {name}[{number}]") for number, entry in enumerate(entries)]


class _Fields:
    """The fields of one entry, each of which has to be of its type. No error shows a value."""

    def __init__(self, facts: Mapping[str, Any], where: str) -> None:
        self._facts = facts
        self._where = where

    def text(self, name: str) -> str:
        return self._of(name, str)

    def key(self, name: str) -> str:
        value = self._of(name, str)
        try:
            check_public(value)  # the secret half has the same form
        except KeyRingError:
            self._refuse(name)
        return value

    def time(self, name: str) -> float:
        value: Any = self._facts.get(name)
        if type(value) not in (int, float) or not abs(value) < 1e12:
            self._refuse(name)
        return float(value)

    def time_or_none(self, name: str) -> float | None:
        return None if name in self._facts and self._facts[name] is None else self.time(name)

    def _of(self, name: str, kind: type[T]) -> T:
        value = self._facts.get(name)
        if type(value) is not kind:
            self._refuse(name)
        return value

    def _refuse(self, name: str) -> NoReturn:
        raise Damaged(f"{self._where}: the field {name!r} is missing, or not what it has to be")
