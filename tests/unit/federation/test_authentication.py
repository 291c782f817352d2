"""Claims about the check of credentials: in threads of its own, within its time, and once more later."""

import logging
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue
from threading import Event
from types import SimpleNamespace
from typing import Any

import pytest

from corps.errors import ConfigError, NotAuthenticated, Overloaded, UnsafeFile
from corps.federation.authentication import Authentication, authenticator_of
from corps.federation.token_file import TokenFile
from corps.launch.launch_settings import launch_settings
from corps.messages.callers import Caller
from corps.peers.proving import Proving
from corps.security.authenticators import new_token, token_hash
from corps.security.credentials import Credentials, Verdict
from corps.security.json_web_tokens import JsonWebTokens
from tests.unit.transport.sides import HandAlarms

LIMIT = 60.0
BOBS = Credentials("the secret of bob, which is long enough")
BOB = Caller("bob", "bob's", "fingerprint", False)


class Directory:
    """An authenticator that asks another service, which a test controls."""

    def __init__(self) -> None:
        self.answers: SimpleQueue[Any] = SimpleQueue()
        self.asked: SimpleQueue[str] = SimpleQueue()

    def check(self, credentials: str) -> str:
        self.asked.put(credentials)
        answer = self.answers.get(timeout=LIMIT)
        if isinstance(answer, BaseException):
            raise answer
        return str(answer)


class Door:
    """The check of one Env."""

    def __init__(self) -> None:
        self.directory = Directory()
        self.alarms = HandAlarms()
        self.checking = Authentication(
            "env1", self.directory, self.alarms, wants_owner=False, timeout=5.0, recheck=1.0
        )
        self.verdicts: SimpleQueue[Verdict] = SimpleQueue()
        self.proving = Proving(self.checking, "env2", lambda caller: None)
        self.proving.know(BOB)

    def check(self) -> None:
        self.checking.check(BOBS, self.verdicts.put)

    def verdict(self) -> Verdict:
        return self.verdicts.get(timeout=LIMIT)

    def counts(self) -> int:
        return self.checking.audit.counts["credentials"]


@pytest.fixture
def door() -> Iterator[Door]:
    found = Door()
    yield found
    for _ in range(40):  # checks that are stuck end
        found.directory.answers.put("nobody")


def wait(condition: Callable[[], bool]) -> None:
    pause = Event()
    for _ in range(6000):
        if condition():
            return
        pause.wait(0.01)
    raise AssertionError("it did not come to that")


def test_a_check_runs_in_a_thread_of_its_own(door: Door) -> None:
    door.check()
    assert door.directory.asked.get(timeout=LIMIT) == BOBS.reveal()
    assert door.verdicts.empty()
    door.directory.answers.put("bob")
    assert door.verdict() == Verdict("bob")


def test_one_that_takes_too_long_counts_as_refused_and_a_late_answer_makes_no_difference(door: Door) -> None:
    door.check()
    door.directory.asked.get(timeout=LIMIT)
    door.alarms.ring_all()
    assert door.verdict() == Verdict(reason="they could not be checked in time", is_final=False)
    door.directory.answers.put("bob")
    wait(lambda: door.checking._running == 0)
    assert door.verdicts.empty()


def test_there_are_not_more_than_a_few_checks(door: Door) -> None:
    for _ in range(16):
        door.check()
    with pytest.raises(Overloaded) as raised:
        door.check()
    assert raised.value.retry_after == 1.0
    door.alarms.ring_all()  # those that are stuck still count
    with pytest.raises(Overloaded):
        door.check()
    door.directory.answers.put("bob")
    wait(lambda: door.checking._running < 16)
    door.check()


def test_what_was_refused_is_one_line_with_the_key_and_without_the_credentials(
    door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[Any] = []
    door.checking.audit.watch = lambda *facts: heard.append(facts)
    door.proving.judged(Verdict(reason="the token is not that of any user"))
    ((kind, reason, details),) = heard
    assert kind == "credentials"
    assert reason == "the credentials of env2 do not count: the token is not that of any user"
    assert (details.identity, details.key) == ("bob", "fingerprint")
    assert len(caplog.records) == 1
    assert door.counts() == 1


def kept(door: Door) -> None:
    door.proving.judged(Verdict("bob"))
    door.checking.keep(door.proving, BOBS)


def again(door: Door, answer: object) -> None:
    """Have the credentials checked once more."""
    door.alarms.ring_all()
    door.directory.asked.get(timeout=LIMIT)
    door.directory.answers.put(answer)
    # The alarm of the check, and that of the next round, if there is one.
    wait(lambda: len(door.alarms.rings) == 2 or door.proving.refusal is not None)


def test_credentials_are_checked_again_until_they_count_no_more(door: Door) -> None:
    kept(door)
    for _ in range(3):
        again(door, "bob")
        assert door.proving.refusal is None
    again(door, NotAuthenticated("the token was revoked"))
    assert door.proving.refusal == "the token was revoked"
    assert door.counts() == 1
    assert door.checking._kept == {}


def test_credentials_that_are_those_of_another_user_now_count_no_more(door: Door) -> None:
    kept(door)
    again(door, "carol")
    assert door.proving.refusal == "they are those of another user now"


def test_an_authenticator_may_fail_twice_in_a_row(door: Door, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    kept(door)
    for answer in (OSError(), OSError(), "bob", OSError(), OSError()):
        again(door, answer)
        assert door.proving.refusal is None
    again(door, OSError())
    assert door.proving.refusal == "they could not be checked: the authenticator has failed"


def test_a_check_that_hangs_does_not_keep_credentials_for_ever(door: Door) -> None:
    kept(door)
    for _ in range(3):
        assert door.proving.refusal is None
        door.alarms.ring_all()  # the round begins
        door.directory.asked.get(timeout=LIMIT)
        door.alarms.ring_all()  # its time is over
    wait(lambda: door.proving.refusal is not None)
    assert door.proving.refusal == "they could not be checked in time"


def test_a_peer_that_has_gone_is_not_checked_again(door: Door) -> None:
    kept(door)
    door.proving.lose()
    door.alarms.ring_all()
    assert door.alarms.rings == []
    assert door.directory.asked.empty()


# --- which authenticator ---


def options(**said: Any) -> Any:
    return replace(
        launch_settings().options, **{f"authentication_{name}": value for name, value in said.items()}
    )


def private(path: Path, text: str) -> str:
    with open(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600), "w") as file:
        file.write(text)
    return str(path)


def test_without_a_setting_there_is_none() -> None:
    assert authenticator_of(options()) is None


def test_a_file_of_tokens_and_a_key_for_json_web_tokens_are_read_at_once(tmp_path: Path) -> None:
    tokens = private(tmp_path / "tokens", f'bob = "{token_hash(new_token())}"\n')
    assert isinstance(authenticator_of(options(tokens=tokens)), TokenFile)
    key = private(tmp_path / "key", "k" * 32 + "\n")
    jwt = {"jwt_key": key, "jwt_algorithms": ("HS256",), "jwt_audience": "index"}
    assert isinstance(authenticator_of(options(**jwt)), JsonWebTokens)
    with pytest.raises(ConfigError, match=r"authentication\.tokens and authentication\.jwt_key are set"):
        authenticator_of(options(tokens=tokens, **jwt))
    with pytest.raises(ConfigError, match="there is no file"):
        authenticator_of(options(**{**jwt, "jwt_key": f"{key}s"}))
    os.chmod(key, 0o644)
    with pytest.raises(UnsafeFile):
        authenticator_of(options(**jwt))


def test_one_of_the_application_is_found_by_its_name() -> None:
    module: Any = SimpleNamespace(Directory=Directory, ready=Directory(), nothing=7)
    for name in ("app:Directory", "app:ready"):
        found = authenticator_of(options(authenticator=name), lambda _: module)
        assert isinstance(found, Directory)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("app", "has to be like package.module:name"),
        (":name", "has to be like package.module:name"),
        ("app:", "has to be like package.module:name"),
        ("app:missing", "AttributeError"),
        ("app:nothing", "which has no method check"),
        ("app:Fails", "ZeroDivisionError"),
    ],
)
def test_one_that_cannot_be_had_is_said_when_the_env_starts(name: str, why: str) -> None:
    class Fails:
        def __init__(self) -> None:
            raise ZeroDivisionError

    module: Any = SimpleNamespace(nothing=7, Fails=Fails)
    with pytest.raises(ConfigError, match=why):
        authenticator_of(options(authenticator=name), lambda _: module)
    with pytest.raises(ConfigError, match="ModuleNotFoundError"):
        authenticator_of(options(authenticator="no.such.module:name"))
