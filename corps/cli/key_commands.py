"""What `corps keys` does: results to stdout, errors in one line to stderr, and then the exit status 1.

No secret half is ever printed.
"""

import contextlib
import datetime
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from corps.clock import wall_time
from corps.errors import CorpsError, KeyRingError, NoSuchKey
from corps.federation.keyring import KeyRingFiles, read_secret, write_secret
from corps.security.authenticators import new_token, token_hash
from corps.security.json_web_tokens import signed_token
from corps.security.key_ring import (
    AllowedKey,
    KeyRing,
    OwnKey,
    RevokedKey,
    check_name,
    check_public,
    fingerprint,
    key_as_json,
    key_from_json,
    new_own_key,
)
from corps.security.keys import new_key_pair

if TYPE_CHECKING:
    from corps.cli.keys import Place

REFUSED: Final = 1

_KEPT: Final = 30 * 86_400.0  # seconds that an own key stays in the ring after its end
_SHORT: Final = 12  # digits of a fingerprint in a text


@contextlib.contextmanager
def _ring(place: "Place") -> Iterator[KeyRingFiles]:
    """Give the ring of a directory. An error of the user ends the command with one line."""
    with _refusing():
        yield KeyRingFiles(place.directory)


@contextlib.contextmanager
def _refusing() -> Iterator[None]:
    """Have an error of the user end the command with one line."""
    try:
        yield
    except CorpsError as error:
        print(f"corps: {error}", file=sys.stderr)
        raise SystemExit(REFUSED) from None


def new_key(place: "Place", name: str, expires: float | None, source: Path | None) -> None:
    """Make a pair, or take that of a file; print its public half."""
    with _ring(place) as ring:
        at = wall_time()
        end = None if expires is None else at + expires
        if source is None:
            key = new_own_key(name, new_key_pair(), at, end)
        else:
            found = key_from_json(read_secret(source), str(source))
            key = OwnKey(name, found.public, found.secret, at, found.expires if end is None else end)
        ring.change(lambda before: before.without_expired(at, _KEPT).with_own(key))
        _show(key, place, f"{key.public}\nfingerprint {fingerprint(key.public)}")


def list_keys(place: "Place") -> None:
    """Print all keys of a ring."""
    with _ring(place) as ring:
        found = ring.read()
        at = wall_time()
        if place.as_json:
            kinds = (("own", found.own), ("allowed", found.allowed), ("revoked", found.revoked))
            print(json.dumps({kind: [_facts(key) for key in keys] for kind, keys in kinds}, indent=2))
            return
        for line in _lines(found, at):
            print(line)
        sys.stdout.flush()


def allow_key(place: "Place", user: str, public: str, expires: float | None) -> None:
    """Allow a public key of a user."""
    with _ring(place) as ring:
        at = wall_time()
        key = AllowedKey(user, public, at, None if expires is None else at + expires)
        ring.change(lambda before: before.with_allowed(key))
        _show(key, place, f"allowed {user} with the key {fingerprint(public)}")


def revoke_keys(place: "Place", what: str) -> None:
    """Revoke the keys that a text means."""
    with _ring(place) as ring:
        at = wall_time()
        revoked: list[RevokedKey] = []

        def change(before: KeyRing) -> KeyRing:
            after = before
            for public in _to_revoke(before, what):
                after = after.with_revoked(public, at)
            revoked[:] = [key for key in after.revoked if key not in before.revoked]
            return after

        ring.change(change)
        if place.as_json:
            print(json.dumps({"revoked": [_facts(key) for key in revoked]}, indent=2))
        else:
            for key in revoked:
                print(f"revoked {key.name or 'an unknown key'} with the key {fingerprint(key.public)}")


def _to_revoke(ring: KeyRing, what: str) -> Iterable[str]:
    try:
        return ring.meant(what)
    except NoSuchKey:
        with contextlib.suppress(KeyRingError):
            check_public(what)
            return [what]  # one that the ring does not know yet
        raise


def rotate_key(place: "Place", name: str, overlap: float, expires: float | None) -> None:
    """Put another pair in the place of one; print its public half."""
    with _ring(place) as ring:
        at = wall_time()
        key = new_own_key(name, new_key_pair(), at, None if expires is None else at + expires)
        ring.change(lambda before: before.without_expired(at, _KEPT).rotated(name, key, overlap))
        until = _moment(at + overlap)
        text = f"{key.public}\nfingerprint {fingerprint(key.public)}; the key before it counts until {until}"
        _show(key, place, text)


def export_key(place: "Place", name: str, secret: Path | None) -> None:
    """Print the public half of a pair, or write the whole to a file."""
    with _ring(place) as ring:
        key = ring.read().current(wall_time(), name)
        if secret is not None:
            write_secret(secret, key_as_json(key))
            text = f"wrote the pair with the fingerprint {fingerprint(key.public)} to {secret}: it is secret"
            _show(key, place, text)
            return
        _show(key, place, key.public)


def make_shared_token(user: str, out: Path, *, as_json: bool) -> None:
    """Write a new secret token of a user to a file; print what is kept of it."""
    with _refusing():
        check_name(user)
        token = new_token()
        kept = token_hash(token)
        write_secret(out, token)
        facts: dict[str, object] = {"user": user, "hash": kept, "file": str(out)}
        _print(facts if as_json else f"{json.dumps(user)} = {json.dumps(kept)}")


def make_web_token(
    user: str,
    out: Path,
    signed_by: Path,
    audience: str,
    issuer: str | None,
    algorithm: str,
    seconds: float,
    *,
    as_json: bool,
) -> None:
    """Write a new JSON Web Token of a user to a file; print until when it counts."""
    with _refusing():
        check_name(user)
        key, end = read_secret(signed_by).strip(), wall_time() + seconds
        claims = {"sub": user, "aud": audience, "exp": int(end), **({"iss": issuer} if issuer else {})}
        write_secret(out, signed_token(claims, key, algorithm))
        facts = {"user": user, "audience": audience, "expires": int(end), "file": str(out)}
        _print(facts if as_json else f"wrote a token of {user} for {audience} until {_moment(end)} to {out}")


def _print(what: dict[str, object] | str) -> None:
    print(what if isinstance(what, str) else json.dumps(what, indent=2))
    sys.stdout.flush()


def _show(key: OwnKey | AllowedKey, place: "Place", text: str) -> None:
    print(json.dumps(_facts(key), indent=2) if place.as_json else text)
    sys.stdout.flush()  # here, where `main` can still report a full disk


def _facts(key: OwnKey | AllowedKey | RevokedKey) -> dict[str, object]:
    """Return what may be shown of a key."""
    facts: dict[str, object] = {"public": key.public, "fingerprint": fingerprint(key.public)}
    if isinstance(key, AllowedKey):
        return {"user": key.user, **facts, "since": key.since, "expires": key.expires}
    if isinstance(key, RevokedKey):
        return {"name": key.name, **facts, "since": key.since}
    return {"name": key.name, **facts, "made": key.made, "expires": key.expires}


def _lines(ring: KeyRing, at: float) -> Iterable[str]:
    if not (ring.own or ring.allowed or ring.revoked):
        yield "no keys; `corps keys new NAME` makes a pair"
    for key in ring.own:
        yield _line("own", key.name, key.public, _end(key.expires, at))
    for allowed in ring.allowed:
        yield _line("allowed", allowed.user, allowed.public, _end(allowed.expires, at))
    for revoked in ring.revoked:
        yield _line("revoked", revoked.name, revoked.public, _moment(revoked.since))


def _line(kind: str, name: str, public: str, when: str) -> str:
    return f"{kind:8} {name:16} {public} {fingerprint(public)[:_SHORT]} {when}"


def _end(expires: float | None, at: float) -> str:
    if expires is None:
        return "does not expire"
    return f"{'expired' if at >= expires else 'until'} {_moment(expires)}"


def _moment(seconds: float) -> str:
    try:
        return f"{datetime.datetime.fromtimestamp(seconds).astimezone():%Y-%m-%d %H:%M:%S}"
    except (ValueError, OverflowError, OSError):  # so far away that no calendar has it
        return f"{seconds:.0f} s after 1970"
