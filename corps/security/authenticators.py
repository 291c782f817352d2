"""Who a caller is, by credentials that it sends on top of its transport key.

A key proves which machine or program speaks. Credentials say for which user it does. An authenticator turns
them into an identity, or refuses. The border of a Corps asks the one that the settings `authentication` name.

The checks take the same time for every wrong secret, and no error or text shows what was sent.
"""

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from typing import Any, Final, Protocol

from corps.errors import ConfigError, KeyRingError, NotAuthenticated
from corps.exporting import exported
from corps.security.key_ring import check_name

_LEAST: Final = 32  # characters of a secret token: so many cannot be guessed
MOST: Final = 8192
"""Characters of credentials at most."""
_PREFIX: Final = "sha256:"
_DIGITS: Final = 64


@exported
class Authenticator(Protocol):
    """Turns credentials into an identity. Thread-safe."""

    def check(self, credentials: str) -> str:
        """Say who has sent credentials.

        Args:
            credentials: What the caller has sent. It may be anything.

        Returns:
            The identity: the name of a user.

        Raises:
            NotAuthenticated: They are nobody's, or do not count any more.
        """


@exported
def new_token() -> str:
    """Return a secret token that nobody can guess, for one user."""
    return secrets.token_urlsafe(32)


@exported
def token_hash(token: str) -> str:
    """Return what is kept of a token: nobody who reads it knows the token.

    Args:
        token: A token of `new_token`, or another one of 32 characters or more that nobody can guess.

    Returns:
        Its hash, as `SharedTokens` takes it.

    Raises:
        ConfigError: It is too short or too long.
    """
    if type(token) is not str or not _LEAST <= len(token) <= MOST:
        raise ConfigError(f"a secret token has {_LEAST} to {MOST} characters; new_token() makes one")
    return _PREFIX + _digest(token).hex()


class SharedTokens:
    """An `Authenticator` of secret tokens: each user has one, and its hash is kept here. Thread-safe."""

    def __init__(self, hashes: Mapping[str, str]) -> None:
        """Know the users.

        Args:
            hashes: For each user the `token_hash` of the token.

        Raises:
            ConfigError: A name cannot be that of a user, a hash is none, or two users have one.
        """
        known: dict[bytes, str] = {}
        for user, text in hashes.items():
            try:
                check_name(user)
            except KeyRingError as error:
                raise ConfigError(str(error)) from None
            digest = _digest_of(user, text)
            if digest in known:
                raise ConfigError(f"{user!r} and {known[digest]!r} have one token: each user needs its own")
            known[digest] = user
        self._known: Final = known

    def __repr__(self) -> str:
        return f"<SharedTokens of {len(self._known)} users>"

    def check(self, credentials: str) -> str:
        """See `Authenticator.check`."""
        digest = _digest(credentials if type(credentials) is str and len(credentials) <= MOST else "")
        found = ""
        for known, user in self._known.items():  # all of them, so that the time says nothing
            if hmac.compare_digest(known, digest):
                found = user
        if not found:
            raise NotAuthenticated("the token is not that of any user")
        return found


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def _digest_of(user: str, text: Any) -> bytes:
    digits = text.removeprefix(_PREFIX) if isinstance(text, str) and text.startswith(_PREFIX) else ""
    try:
        digest = bytes.fromhex(digits)
    except ValueError:
        digest = b""
    if len(digits) != _DIGITS or len(digest) != _DIGITS // 2:
        raise ConfigError(
            f"what is kept of the token of {user!r} is no hash of one; token_hash() makes it. A token itself "
            "is never kept"
        )
    return digest
