"""Credentials that another service has signed: JSON Web Tokens (RFC 7519), read by PyJWT.

What a token may claim about itself decides nothing here. The algorithms and keys are those that the
application names. A token has to say who it is for, until when it counts, and of whom it is.

Needs the extra ``corps[jwt]``.
"""

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, Final

from corps.errors import ConfigError, KeyRingError, NotAuthenticated
from corps.handlers import came_from_a_handler
from corps.security.authenticators import MOST
from corps.security.key_ring import check_name

_SYMMETRIC: Final = frozenset({"HS256", "HS384", "HS512"})
_LEAST: Final = 32  # bytes of a shared key


class JsonWebTokens:
    """An `Authenticator` of signed tokens. Thread-safe."""

    def __init__(
        self,
        key: str | bytes,
        *,
        algorithms: Sequence[str],
        audience: str,
        issuer: str | None = None,
        identity: str = "sub",
        leeway: float = 0.0,
    ) -> None:
        """Say which tokens count.

        Args:
            key: What checks the signature: a shared key of 32 bytes or more, or a public key as PEM.
            algorithms: The algorithms that may have signed, such as ``["ES256"]``. Either of shared keys
                (HS256, HS384, HS512) or of public ones, never of both.
            audience: Who the token has to be for: the claim ``aud``.
            issuer: Who has to have made it: the claim ``iss``; None for anybody who has the key.
            identity: The claim that names the user.
            leeway: Seconds by which the clocks of both sides may differ.

        Raises:
            ConfigError: PyJWT is not installed, or a value cannot be.
        """
        try:
            self._jwt: Any = import_module("jwt")
        except ImportError as error:
            raise ConfigError("JSON Web Tokens need the package PyJWT: pip install 'corps[jwt]'") from error
        names = [*algorithms] if not isinstance(algorithms, str) else []
        shared = [name for name in names if name in _SYMMETRIC]
        if not names or (shared and len(shared) < len(names)):
            raise ConfigError(
                f"algorithms is {algorithms!r:.80}: it wants one or more, of shared keys or of public ones"
            )
        size = len(key.encode() if isinstance(key, str) else key)
        if shared and size < _LEAST:
            raise ConfigError(f"the shared key has {size} bytes, and {_LEAST} are the least")
        if not audience:
            raise ConfigError("audience is empty: tokens for others would count here")
        self._key = self._prepared(names, key)
        self._names = names
        self._audience = audience
        self._issuer = issuer
        self._identity = identity
        self._leeway = leeway

    def _prepared(self, names: Sequence[str], key: str | bytes) -> Any:
        """Return the key as the algorithms want it, because a wrong one is to show now."""
        if "none" in (name.lower() for name in names):
            raise ConfigError('the algorithm "none" signs nothing')
        prepared: Any = None
        for name in names:
            try:
                prepared = self._jwt.get_algorithm_by_name(name).prepare_key(key)
            except NotImplementedError as error:
                raise ConfigError(f"there is no algorithm {name!r:.40} here: {error}") from error
            except Exception as error:
                if came_from_a_handler(error):
                    raise
                # Not its text: that may show the key.
                raise ConfigError(f"the key is none for {name}: {type(error).__name__}") from None
        return prepared

    def __repr__(self) -> str:
        return f"<JsonWebTokens for {self._audience!r} by {', '.join(self._names)}>"

    def check(self, credentials: str) -> str:
        """See `Authenticator.check`."""
        if type(credentials) is not str or len(credentials) > MOST:
            raise NotAuthenticated(f"the token is no text of up to {MOST} characters")
        try:
            claims = self._jwt.decode(
                credentials,
                self._key,
                algorithms=self._names,
                audience=self._audience,
                issuer=self._issuer,
                leeway=self._leeway,
                options={"require": ["exp", "aud", self._identity]},
            )
        except Exception as error:
            if came_from_a_handler(error):
                raise
            # The class says what is wrong. Its text may show what was sent.
            raise NotAuthenticated(f"the token does not count: {type(error).__name__}") from None
        user = claims[self._identity]
        try:
            check_name(user if isinstance(user, str) else "")
        except KeyRingError:
            raise NotAuthenticated(
                f"the token does not count: its {self._identity!r} cannot be a user"
            ) from None
        return str(user)


def signed_token(claims: Mapping[str, object], key: bytes, algorithm: str) -> str:
    """Return a JSON Web Token. For tests and small use: elsewhere a service of its own makes them.

    Args:
        claims: What it says.
        key: What signs: a shared key of 32 bytes or more, or a private key as PEM.
        algorithm: How, such as ``"HS256"``.

    Returns:
        The token.

    Raises:
        ConfigError: PyJWT is not installed, the key is too short, or it cannot sign by this algorithm.
    """
    try:
        jwt: Any = import_module("jwt")
    except ImportError as error:
        raise ConfigError("JSON Web Tokens need the package PyJWT: pip install 'corps[jwt]'") from error
    if algorithm in _SYMMETRIC and len(key) < _LEAST:
        raise ConfigError(f"the key has {len(key)} bytes, and a shared key needs {_LEAST} or more")
    if algorithm.lower() == "none":
        raise ConfigError("a token that nobody has signed counts nowhere: name another algorithm")
    try:
        token: str = jwt.encode(dict(claims), key, algorithm)
    except Exception as error:  # of PyJWT, or of what it calls for this algorithm
        if came_from_a_handler(error):
            raise
        raise ConfigError(f"the key cannot sign by {algorithm!r:.80}: {type(error).__name__}") from None
    return token
