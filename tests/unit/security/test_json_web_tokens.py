"""Claims about JSON Web Tokens: only what was signed, for us, by the right key and in time says who calls."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corps.clock import wall_time
from corps.errors import ConfigError, NotAuthenticated
from corps.security.authenticators import Authenticator
from corps.security.json_web_tokens import JsonWebTokens

jwt = pytest.importorskip("jwt", reason="the extra corps[jwt] is not installed")

KEY = "k" * 64
OTHER = "o" * 64
TOKENS: Authenticator = JsonWebTokens(
    KEY, algorithms=["HS256"], audience="index", issuer="https://login.example"
)


def claims(**changed: Any) -> dict[str, Any]:
    whole = {
        "sub": "bob",
        "aud": "index",
        "iss": "https://login.example",
        "exp": wall_time() + 600,
        **changed,
    }
    return {name: value for name, value in whole.items() if value is not None}


def token(key: str = KEY, algorithm: str = "HS256", **changed: Any) -> str:
    made: str = jwt.encode(claims(**changed), key, algorithm=algorithm)
    return made


def test_a_token_says_of_whom_it_is() -> None:
    assert TOKENS.check(token()) == "bob"
    assert TOKENS.check(token(aud=["other", "index"])) == "bob"
    by_mail = JsonWebTokens(KEY, algorithms=["HS256", "HS512"], audience="index", identity="email")
    assert by_mail.check(token(algorithm="HS512", email="bob@example.org")) == "bob@example.org"


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"key": OTHER}, "InvalidSignatureError"),
        ({"algorithm": "HS512"}, "InvalidAlgorithmError"),
        ({"exp": 1}, "ExpiredSignatureError"),
        ({"exp": None}, "MissingRequiredClaimError"),
        ({"nbf": 2**40}, "ImmatureSignatureError"),
        ({"aud": "other"}, "InvalidAudienceError"),
        ({"aud": None}, "MissingRequiredClaimError"),
        ({"iss": "https://elsewhere"}, "InvalidIssuerError"),
        ({"iss": None}, "MissingRequiredClaimError"),
        ({"sub": None}, "MissingRequiredClaimError"),
        ({"sub": "own"}, "its 'sub' cannot be a user"),
        ({"sub": "a b"}, "its 'sub' cannot be a user"),
        ({"sub": ""}, "its 'sub' cannot be a user"),
    ],
)
def test_a_token_that_does_not_count_is_refused_by_what_is_wrong(wrong: dict[str, Any], why: str) -> None:
    with pytest.raises(NotAuthenticated, match=why) as raised:
        TOKENS.check(token(**wrong))
    assert raised.value.__cause__ is None


def unsigned(header: dict[str, Any]) -> str:
    parts = [json.dumps(each).encode() for each in (header, claims())]
    return ".".join([*(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts), ""])


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "HS256", "", 5, None])
def test_a_token_without_a_signature_is_nothing_whatever_it_says(algorithm: Any) -> None:
    with pytest.raises(NotAuthenticated):
        TOKENS.check(unsigned({"alg": algorithm, "typ": "JWT"}))


@given(st.text() | st.none() | st.binary() | st.just("a.b.c") | st.just("x" * 100_000))
def test_nothing_else_is_anybody(credentials: Any) -> None:
    with pytest.raises(NotAuthenticated):
        TOKENS.check(credentials)


@given(st.integers(0, 200), st.characters())
def test_a_token_with_one_character_changed_is_nothing(place: int, character: str) -> None:
    good = token()
    place %= len(good)
    wrong = good[:place] + character + good[place + 1 :]
    try:
        assert TOKENS.check(wrong) == "bob"
    except NotAuthenticated:
        return
    assert decoded(wrong) == decoded(good)  # the last bits of base64 stand for nothing


def decoded(text: str) -> list[bytes]:
    return [base64.urlsafe_b64decode(part + "==") for part in text.split(".")]


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"algorithms": []}, "wants one or more"),
        ({"algorithms": "HS256"}, "wants one or more"),
        ({"algorithms": ["HS256", "RS256"]}, "of shared keys or of public ones"),
        ({"algorithms": ["none"]}, "signs nothing"),
        ({"algorithms": ["XX99"]}, "there is no algorithm 'XX99' here"),
        ({"key": "short"}, "the shared key has 5 bytes, and 32 are the least"),
        ({"key": "-----BEGIN PUBLIC KEY-----\nMFkw\n-----END PUBLIC KEY-----"}, "the key is none for HS256"),
        ({"audience": ""}, "audience is empty"),
    ],
)
def test_what_cannot_be_checked_is_an_error_at_once(given: dict[str, Any], why: str) -> None:
    whole: dict[str, Any] = {"key": KEY, "algorithms": ["HS256"], "audience": "index", **given}
    with pytest.raises(ConfigError, match=why) as raised:
        JsonWebTokens(whole.pop("key"), **whole)
    assert "MFkw" not in str(raised.value)


def test_no_text_shows_the_key() -> None:
    assert KEY not in repr(TOKENS)


def test_without_the_library_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr("corps.security.json_web_tokens.import_module", missing)
    with pytest.raises(ConfigError, match=r"pip install 'corps\[jwt\]'"):
        JsonWebTokens(KEY, algorithms=["HS256"], audience="index")
