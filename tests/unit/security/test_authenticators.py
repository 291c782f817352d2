"""Claims about secret tokens: who has one is known, nobody else is, and no text shows one."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corps.errors import ConfigError, NotAuthenticated
from corps.security.authenticators import Authenticator, SharedTokens, new_token, token_hash

BOB, EVE = new_token(), new_token()
TOKENS: Authenticator = SharedTokens({"bob": token_hash(BOB), "eve": token_hash(EVE)})


def test_a_token_says_who_has_it() -> None:
    assert (TOKENS.check(BOB), TOKENS.check(EVE)) == ("bob", "eve")


@given(st.text() | st.none() | st.binary() | st.just(BOB[:-1]) | st.just("x" * 100_000) | st.just("\ud800"))
def test_nothing_else_is_anybody(credentials: Any) -> None:
    with pytest.raises(NotAuthenticated, match=r"^the token is not that of any user$"):
        TOKENS.check(credentials)


def test_what_is_kept_is_no_token() -> None:
    with pytest.raises(NotAuthenticated):
        TOKENS.check(token_hash(BOB))
    assert BOB not in token_hash(BOB)
    assert BOB not in f"{TOKENS!r} {vars(TOKENS)}"
    assert new_token() != new_token()


def test_every_user_is_compared_whichever_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[bytes] = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append(one)
        return one == other

    monkeypatch.setattr("corps.security.authenticators.hmac.compare_digest", compare)
    for token in (BOB, EVE, "wrong"):
        compared.clear()
        try:
            TOKENS.check(token)
        except NotAuthenticated:
            pass
        assert len(compared) == 2


def test_a_token_that_could_be_guessed_is_refused() -> None:
    for token in ("", "secret", "x" * 31, "x" * 8193, None):
        with pytest.raises(ConfigError, match="32 to 8192 characters"):
            token_hash(token)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("hashes", "why"),
    [
        ({"bob": BOB}, "no hash of one"),
        ({"bob": token_hash(BOB)[:-2]}, "no hash of one"),
        ({"bob": token_hash(BOB).replace("a", "g").replace("b", "h")}, "no hash of one"),
        ({"bob": "sha256:" + " " * 64}, "no hash of one"),
        ({"bob": 5}, "no hash of one"),
        ({"own": token_hash(BOB)}, "cannot be a name"),
        ({"bob": token_hash(BOB), "eve": token_hash(BOB)}, "'eve' and 'bob' have one token"),
    ],
)
def test_what_cannot_be_kept_is_an_error_that_shows_no_token(hashes: Any, why: str) -> None:
    with pytest.raises(ConfigError, match=why) as raised:
        SharedTokens(hashes)
    assert BOB not in str(raised.value)
