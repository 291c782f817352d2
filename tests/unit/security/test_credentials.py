"""Claims about credentials: what can be some, what an authenticator says of them, and who sees them."""

import copy
import logging
import pickle
from typing import Any

import pytest

from corps.errors import NotAuthenticated
from corps.security.authenticators import MOST, SharedTokens, new_token, token_hash
from corps.security.credentials import Credentials, Verdict, judge

TOKEN = new_token()


class Saying:
    """An authenticator that does what a test says."""

    def __init__(self, says: Any) -> None:
        self.says = says

    def check(self, credentials: str) -> str:
        if isinstance(self.says, BaseException):
            raise self.says
        return self.says  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ("", "empty"),
        ("x" * (MOST + 1), f"have {MOST + 1} characters, and {MOST} are the most"),
        (f"{TOKEN}\n", "newline"),
        ("\udc00" * 40, "cannot be printed"),
        (TOKEN.encode(), "of the type bytes"),
        (None, "of the type NoneType"),
    ],
    ids=["empty", "long", "newline", "unprintable", "bytes", "none"],
)
def test_what_nobody_could_have_is_refused_and_not_shown(wrong: Any, why: str) -> None:
    with pytest.raises(NotAuthenticated, match=why) as raised:
        Credentials(wrong)
    assert TOKEN not in str(raised.value)
    assert raised.value.executed == "no"


def test_nothing_shows_or_packs_them() -> None:
    credentials = Credentials(TOKEN)
    assert TOKEN not in f"{credentials} {credentials!r} {[credentials]}"
    for packing in (pickle.dumps, copy.copy):
        with pytest.raises(TypeError, match="not packed") as raised:
            packing(credentials)
        assert TOKEN not in str(raised.value)


def test_a_verdict_names_the_user_or_says_why_not() -> None:
    tokens = SharedTokens({"bob": token_hash(TOKEN)})
    assert judge(tokens, Credentials(TOKEN)) == Verdict("bob")
    assert judge(tokens, Credentials("x" * 40)) == Verdict(reason="the token is not that of any user")


def test_an_authenticator_that_fails_lets_nobody_in(caplog: pytest.LogCaptureFixture) -> None:
    for failure in (ValueError(f"bad {TOKEN}"), SystemExit(TOKEN), MemoryError()):
        verdict = judge(Saying(failure), Credentials(TOKEN))
        assert (verdict.identity, verdict.is_final) == ("", False)
        assert type(failure).__name__ in caplog.text
        assert TOKEN not in verdict.reason + caplog.text


@pytest.mark.parametrize("named", ["", "own", None, 7, "no such name!", "x" * 65])
def test_what_cannot_be_a_user_is_none(named: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    verdict = judge(Saying(named), Credentials(TOKEN))
    assert verdict == Verdict(reason="they could not be checked: the authenticator named no user")


@pytest.mark.parametrize("text", [f"who is {TOKEN}?", "", "x" * 1000], ids=["token", "empty", "long"])
def test_the_reason_of_an_authenticator_shows_nothing_of_them(text: str) -> None:
    verdict = judge(Saying(NotAuthenticated(text)), Credentials(TOKEN))
    assert verdict.is_final
    assert 0 < len(verdict.reason) <= 200
    assert TOKEN not in verdict.reason
