"""A file with the hashes of the secret tokens of users, which is read again when it has changed.

It is TOML: ``bob = "sha256:..."``, one line for each user. It has to be this user's alone, because
a program that can write it lets users in.
"""

import os
from threading import Lock
from typing import Final

from corps.errors import ConfigError
from corps.federation.private_dir import read_private_file
from corps.security.authenticators import SharedTokens
from corps.toml_reading import MAX_BYTES, parse_toml

_Stamp = tuple[int, int, int]


class TokenFile:
    """An `Authenticator` of the tokens in a file. Thread-safe."""

    def __init__(self, path: str) -> None:
        """Read the file.

        Raises:
            ConfigError: It is not there, or is no table of users and hashes.
            UnsafeFile: Another user could have made it, or may open it.
            Damaged: It is too large.
        """
        self.path: Final = path
        self._lock = Lock()  # protects what follows; the file is read under it
        self._stamp: _Stamp | None = None
        self._tokens = SharedTokens({})
        self._current()

    def __repr__(self) -> str:
        return f"<TokenFile {self.path}>"

    def check(self, credentials: str) -> str:
        """See `Authenticator.check`. It raises as the constructor if the file cannot be used any more."""
        return self._current().check(credentials)

    def _current(self) -> SharedTokens:
        with self._lock:
            try:
                found = os.stat(self.path)
                stamp = found.st_mtime_ns, found.st_ino, found.st_size
                if stamp != self._stamp:
                    self._tokens, self._stamp = SharedTokens(self._read()), stamp
            except FileNotFoundError as error:
                raise ConfigError(f"there is no file of tokens {self.path}") from error
            return self._tokens

    def _read(self) -> dict[str, str]:
        return parse_toml(read_private_file(self.path, MAX_BYTES), self.path)
