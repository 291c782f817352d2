"""Claims about key rings as values: which key counts, what a change does, and what a file may hold."""

import json
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corps.errors import Damaged, KeyRingError, NewerFormat, NoSuchKey
from corps.messages.callers import OWN
from corps.security.key_ring import (
    AllowedKey,
    KeyRing,
    OwnKey,
    RevokedKey,
    check_public,
    fingerprint,
    key_as_json,
    key_from_json,
    new_own_key,
)
from corps.security.keys import new_key_pair

PAIRS: Final = [new_key_pair() for _ in range(4)]
MINE, NEXT, THEIRS, OTHER = (pair.public for pair in PAIRS)


def own(number: int, name: str = "work", made: float = 100.0, expires: float | None = None) -> OwnKey:
    return new_own_key(name, PAIRS[number], made, expires)


def ring() -> KeyRing:
    return KeyRing().with_own(own(0)).with_allowed(AllowedKey("bob", THEIRS, 100.0, 500.0))


def test_a_key_counts_as_its_user_until_it_expires() -> None:
    assert ring().judge(THEIRS, 499.9) == ("bob", "")
    assert ring().judge(THEIRS, 500.0) == ("", "expired")
    assert ring().judge(MINE, 1e9) == (OWN, "")
    assert ring().judge(OTHER, 0.0) == ("", "unknown")
    assert not ring().judge(OTHER, 0.0).counts


def test_all_keys_that_count_are_known_with_their_users() -> None:
    assert ring().accepted(200.0) == {MINE: OWN, THEIRS: "bob"}
    assert ring().accepted(500.0) == {MINE: OWN}
    assert ring().with_revoked(MINE, 200.0).accepted(200.0) == {THEIRS: "bob"}


def test_a_revoked_key_never_counts_again() -> None:
    for public, name in [(MINE, "work"), (THEIRS, "bob"), (OTHER, "")]:
        after = ring().with_revoked(public, 200.0)
        assert after.judge(public, 200.0) == ("", "revoked")
        assert after.revoked == (RevokedKey(name, public, 200.0),)
        assert after.with_revoked(public, 300.0) is after
        with pytest.raises(KeyRingError, match="was revoked, which is for good"):
            after.with_allowed(AllowedKey("bob", public, 300.0))
    planted = KeyRing(allowed=(AllowedKey("bob", THEIRS, 1.0),), revoked=(RevokedKey("", THEIRS, 2.0),))
    assert planted.judge(THEIRS, 3.0) == ("", "revoked")


def test_after_a_rotation_both_pairs_count_until_the_overlap_is_over() -> None:
    after = ring().rotated("work", own(1, made=200.0), 60.0)
    assert after.current(200.0).public == NEXT
    assert [after.judge(public, 259.9).counts for public in (MINE, NEXT)] == [True, True]
    assert after.judge(MINE, 260.0) == ("", "expired")
    assert after.without_expired(500.0, 300.0).own == after.own
    assert [key.public for key in after.without_expired(560.0, 300.0).own] == [NEXT]


def test_a_rotation_never_makes_a_key_count_longer() -> None:
    before = KeyRing().with_own(own(0, expires=210.0))
    assert before.rotated("work", own(1, made=200.0), 60.0).own[0].expires == 210.0


def test_the_own_key_to_show_is_the_last_one_that_counts() -> None:
    both = KeyRing((own(0, made=1.0), own(1, "home", made=2.0, expires=50.0)))
    assert both.current(10.0).public == NEXT
    assert both.current(10.0, "work").public == MINE
    assert both.current(50.0).public == MINE
    with pytest.raises(NoSuchKey, match="no own key called 'home' that counts; `corps keys new`"):
        both.current(50.0, "home")
    with pytest.raises(NoSuchKey, match="no own key that counts"):
        KeyRing().current(0.0)


def test_a_text_means_the_keys_of_a_name_one_key_or_the_beginning_of_one_fingerprint() -> None:
    keys = ring().with_allowed(AllowedKey("bob", OTHER, 1.0))
    assert keys.meant("bob") == (THEIRS, OTHER)
    assert keys.meant("work") == keys.meant(MINE) == keys.meant(fingerprint(MINE)[:8].upper()) == (MINE,)
    for text in ("alice", fingerprint(MINE)[:7], "", NEXT):
        with pytest.raises(NoSuchKey, match="has no key"):
            keys.meant(text)


def test_a_fingerprint_that_begins_several_keys_is_not_clear(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("corps.security.key_ring.fingerprint", lambda public: "0123456789" + public[:3])
    with pytest.raises(NoSuchKey, match="fingerprints of 2 keys"):
        ring().meant("0123456789")


@pytest.mark.parametrize("name", ["", "own", "a b", "-x", "x" * 65, "a/b", "é", "x\n"])
def test_a_name_is_short_and_plain(name: str) -> None:
    with pytest.raises(KeyRingError, match="cannot be a name"):
        KeyRing().with_allowed(AllowedKey(name, THEIRS, 0.0))
    with pytest.raises(KeyRingError, match="cannot be a name"):
        KeyRing().with_own(own(0, name))


@pytest.mark.parametrize("public", ["", "x", "x" * 41, " " * 40, "é" * 40, "\x00" * 40, "#" * 40, "a" * 39])
def test_what_is_no_public_key_is_refused(public: str) -> None:
    with pytest.raises(KeyRingError, match="is no public key"):
        KeyRing().with_allowed(AllowedKey("bob", public, 0.0))
    with pytest.raises(KeyRingError, match="is no public key"):
        KeyRing().with_revoked(public, 0.0)


@given(st.text(max_size=50) | st.text(st.characters(codec="ascii"), min_size=40, max_size=40))
def test_no_text_makes_the_check_of_a_key_fail_otherwise(text: str) -> None:
    try:
        check_public(text)
    except KeyRingError:
        pass


def test_changes_that_cannot_be_are_refused() -> None:
    with pytest.raises(KeyRingError, match="there is an own key 'work' already"):
        ring().with_own(own(1))
    with pytest.raises(KeyRingError, match="is in the key ring already"):
        ring().with_own(own(0, "home"))
    with pytest.raises(KeyRingError, match="is one of your own"):
        ring().with_allowed(AllowedKey("bob", MINE, 0.0))
    with pytest.raises(KeyRingError, match="overlap is -1"):
        ring().rotated("work", own(1), -1)
    with pytest.raises(NoSuchKey, match="'home'"):
        ring().rotated("home", own(1, "home"), 1)
    forged = OwnKey("home", NEXT, PAIRS[2].secret, 0.0)
    with pytest.raises(KeyRingError, match="does not belong to it"):
        ring().with_own(forged)


def test_a_key_that_is_allowed_again_gets_the_new_user_and_end() -> None:
    after = ring().with_allowed(AllowedKey("robert", THEIRS, 200.0))
    assert after.allowed == (AllowedKey("robert", THEIRS, 200.0),)


def test_no_text_of_a_ring_shows_a_secret() -> None:
    keys = ring()
    assert PAIRS[0].secret not in f"{keys!r} {keys} {keys.own[0]!r} {keys.others_as_json()}"
    assert PAIRS[0].secret in keys.own_as_json()


def test_a_ring_comes_back_from_its_texts() -> None:
    keys = ring().rotated("work", own(1, made=200.5), 60.0).with_revoked(OTHER, 300.0)
    own_text, others = keys.own_as_json().encode(), keys.others_as_json().encode()
    assert KeyRing.from_json(own_text, others) == keys
    assert KeyRing.from_json(None, None) == KeyRing()


def test_one_pair_comes_back_from_its_text() -> None:
    assert key_from_json(key_as_json(own(0)).encode(), "it") == own(0)
    with pytest.raises(Damaged, match="it holds 2 keys"):
        key_from_json(KeyRing((own(0), own(1))).own_as_json().encode(), "it")
    wrong = json.loads(key_as_json(own(0)))
    wrong["keys"][0]["public"] = NEXT
    with pytest.raises(KeyRingError, match="does not belong"):
        key_from_json(json.dumps(wrong).encode(), "it")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda facts: facts.update(format=2), "format 2, and this release reads up to 1"),
        (lambda facts: facts.update(format="1"), "no number of its format"),
        (lambda facts: facts.update(format=True), "no number of its format"),
        (lambda facts: facts.update(keys={}), "'keys' is no list"),
        (lambda facts: facts.update(keys=[1]), "'keys' is no list of entries"),
        (lambda facts: facts["keys"][0].pop("user"), r"keys\[0\]: the field 'user' is missing"),
        (lambda facts: facts["keys"][0].update(public="x"), "'public'"),
        (lambda facts: facts["keys"][0].update(since="x"), "'since'"),
        (lambda facts: facts["keys"][0].update(since=float("nan")), "'since'"),
        (lambda facts: facts["keys"][0].update(since=True), "'since'"),
        (lambda facts: facts["keys"][0].update(expires=1e300), "'expires'"),
        (lambda facts: facts["keys"][0].pop("expires"), "'expires'"),
        (lambda facts: facts.pop("revoked"), "'revoked' is no list"),
    ],
)
def test_a_text_that_is_no_ring_is_refused_by_what_is_wrong(change: Any, why: str) -> None:
    facts = json.loads(ring().others_as_json())
    change(facts)
    error = NewerFormat if "reads up to" in why else Damaged
    with pytest.raises(error, match=why):
        KeyRing.from_json(None, json.dumps(facts).encode(), "/keys")


@given(st.binary(max_size=60) | st.text().map(str.encode) | st.just(b"[" * 100_000))
def test_no_bytes_make_a_reader_fail_otherwise(text: bytes) -> None:
    for both in ((text, None), (None, text)):
        with pytest.raises((Damaged, NewerFormat)):
            KeyRing.from_json(*both)


def test_an_error_about_own_keys_shows_nothing_of_them() -> None:
    text = ring().own_as_json()
    for wrong in (text[:-10], text.replace('"made": 100.0', '"made": "x"'), text.replace(MINE, "x")):
        with pytest.raises(Damaged) as raised:
            KeyRing.from_json(wrong.encode(), None)
        assert raised.value.__cause__ is None
        assert PAIRS[0].secret not in str(raised.value)


def test_a_key_takes_over_when_a_quarter_of_the_overlap_is_left() -> None:
    former, later = new_own_key("work", new_key_pair(), 0.0), new_own_key("work", new_key_pair(), 100.0)
    ring = KeyRing((former,))
    assert ring.successor(former.public, 1e9) is None
    ring = ring.rotated("work", later, 40.0)
    assert ring.successor(former.public, 129.9) is None
    assert ring.successor(former.public, 130.0) == later
    assert ring.successor(later.public, 1e9) is None
    day = KeyRing((former,)).rotated("work", later, 86_400.0)
    assert day.successor(former.public, 100.0 + 86_400.0 - 61.0) is None
    assert day.successor(former.public, 100.0 + 86_400.0 - 60.0) == later
    assert ring.with_revoked(former.public, 101.0).successor(former.public, 101.0) == later
    assert KeyRing().with_revoked(former.public, 1.0).successor(former.public, 1.0) is None
    assert ring.successor(new_key_pair().public, 1e9) is None
