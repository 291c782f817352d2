"""For whom an Env of another Corps asks: the owner of its key, until its credentials say for which user.

Credentials come as a call of `AUTHENTICATE` of the border's service, before anything that depends on them. An
Env that has presented some asks as that user alone, also with a key of the owner.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from threading import Lock
from typing import Any, Final, Protocol

from corps.errors import CorpsError, NotAuthenticated, Overloaded, UnpackError
from corps.messages.callers import UNKNOWN, Caller
from corps.packing.codecs import DATA
from corps.packing.declared import read_plain
from corps.security.authenticators import MOST
from corps.security.credentials import Credentials, Verdict
from corps.wire.frames import Frame, RequestHeader

AUTHENTICATE: Final = "authenticate"
"""The method that takes credentials."""

_MOST_BYTES: Final = 4 * MOST + 64  # of a body with credentials
_WANTED: Final = "this Corps wants to know who asks: corps.connect(..., credentials=...) presents credentials"
_SOON: Final = 0.1  # seconds until another try, if one is under way


class Guard(Protocol):
    """Checks credentials for one Env: a `corps.federation.authentication.Authentication`. Thread-safe."""

    @property
    def wants_owner(self) -> bool:
        """Whether the owner has to present some too."""

    def check(self, credentials: Credentials, then: Callable[[Verdict], object]) -> None:
        """Check them without blocking, and call `then` once, in another thread.

        Raises:
            Overloaded: Too many checks are under way.
        """

    def refused(self, label: str, reason: str, caller: Caller) -> None:
        """Count and log that the credentials of an Env do not count. `caller` is the owner of its key."""

    def keep(self, proving: "Proving", credentials: Credentials) -> None:
        """Check credentials that count again now and then."""

    def forget(self, proving: "Proving") -> None:
        """Check those of an Env no more. Idempotent."""


class Proving:
    """What one peer has shown. Thread-safe."""

    def __init__(self, guard: Guard | None, label: str, became: Callable[[Caller], object]) -> None:
        """Know nothing of the peer, which texts call `label`. Without a guard its key decides alone.

        `became` hears for whom the peer asks from now on; under the lock, so it stores that and no more.
        """
        self._guard = guard
        self._label = label
        self._became = became
        self.refusal: str | None = None
        """Why it may ask nothing now; None if it may. Read for whom it asks after this."""
        self._by_key = UNKNOWN
        self._lock = Lock()  # protects what follows, and the changes of `refusal`
        self._is_checking = False
        self._user = ""  # whose credentials count
        self._is_lost = False

    @property
    def user(self) -> str:
        """The user whose credentials count; empty for none."""
        return self._user

    def know(self, caller: Caller) -> None:
        """Take whose key the peer has proved. Before anything of it is taken."""
        self._by_key = caller
        self._became(caller)
        wants = self._guard is not None and (self._guard.wants_owner or not caller.is_own)
        self.refusal = _WANTED if wants else None

    def take(
        self, header: RequestHeader, frames: Sequence[Frame], then: Callable[[CorpsError | None], object]
    ) -> None:
        """Take credentials, and call `then`, here or in another thread, with None if they count."""
        guard = self._guard
        if guard is None:  # nobody asks for them here
            then(None)
            return
        try:
            credentials = _credentials_in(header, frames)
        except NotAuthenticated as error:
            self.judged(Verdict(reason=str(error)))
            then(error)
            return
        with self._lock:
            is_busy, self._is_checking = self._is_checking, True
            if not is_busy and not self._user:
                self.refusal = "they are being checked still"
        if is_busy:
            then(Overloaded("other credentials of this Env are being checked", retry_after=_SOON))
            return

        def checked(verdict: Verdict) -> None:
            with self._lock:
                self._is_checking = False
            self.judged(verdict)
            if verdict.identity:
                guard.keep(self, credentials)
                if self._is_lost:  # meanwhile
                    guard.forget(self)
                then(None)
            else:
                then(_error(verdict.reason))

        try:
            guard.check(credentials, checked)
        except Overloaded as error:
            with self._lock:
                self._is_checking = False
                if not self._user:
                    self.refusal = _WANTED
            then(error)

    def judged(self, verdict: Verdict) -> None:
        """Take what came of a check, the first one or a later one."""
        with self._lock:
            self._user = verdict.identity
            if verdict.identity:
                self._became(replace(self._by_key, identity=verdict.identity, is_own=False))
                self.refusal = None
            else:
                self.refusal = verdict.reason
                self._became(self._by_key)
        if not verdict.identity and self._guard is not None:
            self._guard.forget(self)
            self._guard.refused(self._label, verdict.reason, self._by_key)

    def denial(self, target: str) -> tuple[bool, NotAuthenticated] | None:
        """Return why a request may not go on, with whether it is to be counted; None if it may.

        That credentials were refused was counted when they were.
        """
        reason = self.refusal
        return None if reason is None else (reason == _WANTED, _error(reason, target=target))

    def lose(self) -> None:
        """Forget the credentials: the peer is gone."""
        self._is_lost = True
        if self._guard is not None:
            self._guard.forget(self)


def _error(reason: str, **fields: Any) -> NotAuthenticated:
    text = reason if reason == _WANTED else f"the credentials do not count: {reason}"
    return NotAuthenticated(text, **fields)


def _credentials_in(header: RequestHeader, frames: Sequence[Frame]) -> Credentials:
    """Return what was presented; NotAuthenticated if it cannot be. Nothing of it is unpickled."""
    if header.codec != DATA or len(frames) != 2 or len(frames[1]) > _MOST_BYTES:
        raise NotAuthenticated("credentials come as plain data, and not so large")
    try:
        plain = read_plain(bytes(frames[1]))
    except UnpackError:
        raise NotAuthenticated("what came as credentials is no data") from None
    if type(plain) is not list or len(plain) != 2 or type(plain[0]) is not list or len(plain[0]) != 1:
        raise NotAuthenticated("what came as credentials is not one text")
    return Credentials(plain[0][0])
