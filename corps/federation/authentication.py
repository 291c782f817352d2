"""The check of credentials at the border of one Env, by the authenticator that the settings name.

An authenticator is an application's, and may ask another service. So each check has a thread of its own, a
time limit, and there are not more than a few. What takes longer counts as refused; its thread is left to end.

Credentials that count are checked again now and then: a token may be revoked, or its time may be over.
"""

import logging
from collections.abc import Callable
from functools import partial
from importlib import import_module
from threading import Lock, Thread
from types import ModuleType
from typing import Any, Final, cast

from corps.clock import now
from corps.errors import ConfigError, Overloaded
from corps.federation.private_dir import read_private_file
from corps.federation.token_file import TokenFile
from corps.messages.callers import Caller
from corps.peers.local_side import AlarmClock
from corps.peers.proving import Guard, Proving
from corps.runtime.options import EnvOptions
from corps.security.audit import Audit, Details
from corps.security.authenticators import Authenticator
from corps.security.credentials import Credentials, Verdict, judge
from corps.security.json_web_tokens import JsonWebTokens

_log = logging.getLogger("corps.security")

_MOST_CHECKS: Final = 16  # that are under way, those that are stuck among them
_RETRY: Final = 1.0  # seconds until another try, if there are as many
_MOST_FAILURES: Final = 3  # checks in a row that fail, after which credentials count no more
_MOST_KEY: Final = 64 * 1024  # bytes of a file with a key
_SLOW: Final = Verdict(reason="they could not be checked in time", is_final=False)


class _Check:
    """One check: the thread that makes it and the alarm that ends it settle it, the first of them."""

    def __init__(self, then: Callable[[Verdict], object]) -> None:
        self._then = then
        self._open = [True]  # emptied by the first to settle: list.pop is atomic

    def settle(self, verdict: Verdict) -> None:
        """Hand a verdict on, if it is the first one."""
        try:
            self._open.pop()
        except IndexError:
            return
        self._then(verdict)


class Authentication(Guard):
    """See `Guard`, and the text of this file. Thread-safe."""

    def __init__(
        self,
        label: str,
        authenticator: Authenticator,
        alarms: AlarmClock,
        *,
        wants_owner: bool,
        timeout: float,
        recheck: float,
    ) -> None:
        """Check for the Env with a label.

        A check may take `timeout` seconds, and `recheck` are those between two checks of what counts.
        """
        self._label = label
        self._authenticator = authenticator
        self._alarms = alarms
        self._wants_owner = wants_owner
        self._timeout = timeout
        self._recheck = recheck
        self._lock = Lock()  # protects what follows. Nothing is checked under it
        self.audit: Final = Audit(label)
        """What was refused. The lock protects it, but for copies of its counts."""
        self._running = 0
        self._kept: dict[Proving, Credentials] = {}
        self._failures: dict[Proving, int] = {}  # of those whose last check has failed
        self._is_rechecking = False

    @property
    def wants_owner(self) -> bool:
        """See `Guard.wants_owner`."""
        return self._wants_owner

    def check(self, credentials: Credentials, then: Callable[[Verdict], object]) -> None:
        """See `Guard.check`."""
        with self._lock:
            if self._running >= _MOST_CHECKS:
                raise Overloaded("too many credentials are being checked", retry_after=_RETRY)
            self._running += 1
        check = _Check(then)
        name = f"{self._label}-authenticates"
        try:
            Thread(target=self._run, args=(check, credentials), name=name, daemon=True).start()
        except RuntimeError as error:
            with self._lock:
                self._running -= 1
            raise Overloaded(f"no thread could check credentials: {error}", retry_after=_RETRY) from error
        self._alarms.at(now() + self._timeout, partial(check.settle, _SLOW))

    def _run(self, check: _Check, credentials: Credentials) -> None:
        try:
            verdict = judge(self._authenticator, credentials)
        finally:
            with self._lock:
                self._running -= 1
        check.settle(verdict)

    def refused(self, label: str, reason: str, caller: Caller) -> None:
        """See `Guard.refused`."""
        text = f"the credentials of {label} do not count: {reason}"
        with self._lock:
            self.audit.refused("credentials", text, Details.of(caller))

    # --- once more, now and then ---

    def keep(self, proving: Proving, credentials: Credentials) -> None:
        """See `Guard.keep`."""
        with self._lock:
            self._kept[proving] = credentials
            self._failures.pop(proving, None)
            begins, self._is_rechecking = not self._is_rechecking, True
        if begins:
            self._alarms.at(now() + self._recheck, self._begin_round)

    def forget(self, proving: Proving) -> None:
        """See `Guard.forget`."""
        with self._lock:
            self._kept.pop(proving, None)
            self._failures.pop(proving, None)

    def _begin_round(self) -> None:
        with self._lock:
            left = list(self._kept.items())
            self._is_rechecking = bool(left)
        if left:
            self._check_next(left)

    def _check_next(self, left: list[tuple[Proving, Credentials]]) -> None:
        """Check one after the other; then wait for the next round."""
        while left:
            proving, credentials = left.pop()
            with self._lock:
                is_kept = self._kept.get(proving) is credentials
            if not is_kept:  # it has gone, or has presented others
                continue
            try:
                self.check(credentials, partial(self._checked, left, proving, credentials))
                return
            except Overloaded as error:
                self._judge_again(proving, credentials, Verdict(reason=str(error), is_final=False))
        self._alarms.at(now() + self._recheck, self._begin_round)

    def _checked(
        self,
        left: list[tuple[Proving, Credentials]],
        proving: Proving,
        credentials: Credentials,
        verdict: Verdict,
    ) -> None:
        self._judge_again(proving, credentials, verdict)
        self._check_next(left)

    def _judge_again(self, proving: Proving, credentials: Credentials, verdict: Verdict) -> None:
        with self._lock:
            if self._kept.get(proving) is not credentials:
                return
            failures = 0 if verdict.identity or verdict.is_final else self._failures.get(proving, 0) + 1
            if failures:
                self._failures[proving] = failures
            else:
                self._failures.pop(proving, None)
        if verdict.identity == proving.user or 0 < failures < _MOST_FAILURES:
            return
        reason = verdict.reason or "they are those of another user now"
        proving.judged(Verdict(reason=reason))


def authenticator_of(
    options: EnvOptions, module_named: Callable[[str], ModuleType] = import_module
) -> Authenticator | None:
    """Return the authenticator that the settings name; None if they name none.

    Args:
        options: Those of the Env.
        module_named: Finds a module by the name that it has in all Envs.

    Raises:
        ConfigError: There are several, or one that cannot be used.
        UnsafeFile: Another user could have made a file that it needs, or may open it.
        Damaged: Such a file is too large.
    """
    chosen = {
        "authenticator": options.authentication_authenticator,
        "tokens": options.authentication_tokens,
        "jwt_key": options.authentication_jwt_key,
    }
    named = [name for name, value in chosen.items() if value]
    if len(named) > 1:
        raise ConfigError(
            f"authentication.{named[0]} and authentication.{named[1]} are set: one says who asks"
        )
    if options.authentication_tokens:
        return TokenFile(options.authentication_tokens)
    if options.authentication_jwt_key:
        return _json_web_tokens(options, options.authentication_jwt_key)
    return _named(options.authentication_authenticator or "", module_named) if named else None


def _json_web_tokens(options: EnvOptions, path: str) -> JsonWebTokens:
    try:
        key = read_private_file(path, _MOST_KEY)
    except FileNotFoundError as error:
        raise ConfigError(f"authentication.jwt_key: there is no file {path}") from error
    return JsonWebTokens(
        key.strip(),
        algorithms=options.authentication_jwt_algorithms,
        audience=options.authentication_jwt_audience,
        issuer=options.authentication_jwt_issuer,
        identity=options.authentication_jwt_identity,
        leeway=options.authentication_jwt_leeway,
    )


def _named(name: str, module_named: Callable[[str], ModuleType]) -> Authenticator:
    """Return what stands under ``module:name``: an authenticator, or a class that makes one."""
    module, colon, path = name.partition(":")
    where = f"authentication.authenticator is {name!r:.120}"
    if not module or not colon or not path:
        raise ConfigError(f"{where}, and has to be like package.module:name")
    try:
        found: Any = module_named(module)
        for part in path.split("."):
            found = getattr(found, part)
        if isinstance(found, type):
            found = found()
    except Exception as error:
        raise ConfigError(f"{where}, which cannot be had: {type(error).__name__}: {error}") from error
    if not callable(getattr(found, "check", None)):
        raise ConfigError(f"{where}, which has no method check(credentials)")
    return cast(Authenticator, found)
