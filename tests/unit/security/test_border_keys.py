"""Claims about the key ring as an Env with a border follows it."""

import logging
from dataclasses import replace

import pytest

from corps.clock import wall_time
from corps.errors import KeyRingError, NoSuchKey
from corps.security.border_keys import BorderKeys
from corps.security.key_ring import AllowedKey, KeyRing, OwnKey, new_own_key
from corps.security.keys import new_key_pair


def own(name: str, age: float) -> OwnKey:
    return new_own_key(name, new_key_pair(), wall_time() - age)


OLD, NEW, BOBS = own("work", 20.0), own("home", 10.0), own("work", 0.0)


class Ring:
    """A ring that can change, and be of no use."""

    def __init__(self, ring: KeyRing) -> None:
        self.ring = ring
        self.problem: KeyRingError | None = None
        self.reads = 0

    def read(self) -> KeyRing:
        self.reads += 1
        if self.problem is not None:
            raise self.problem
        return self.ring


@pytest.fixture
def ring() -> Ring:
    return Ring(KeyRing((OLD, NEW), (AllowedKey("bob", BOBS.public, 0.0),)))


def test_nothing_is_read_before_a_key_is_needed(ring: Ring) -> None:
    keys = BorderKeys(ring.read)
    assert keys.judge("").identity == "own"  # the kernel vouches
    assert ring.reads == 0
    assert [keys.judge(key.public).identity for key in (NEW, BOBS)] == ["own", "bob"]
    assert ring.reads == 1
    keys.begin()
    keys.begin()
    assert ring.reads == 2


def test_a_question_makes_no_key_and_hides_no_problem_from_who_needs_the_ring(ring: Ring) -> None:
    made: list[str] = []
    keys = BorderKeys(ring.read, lambda: made.append("a key"))
    ring.problem = KeyRingError("planted")
    assert keys.judge(BOBS.public).reason == "unknown"
    assert not made
    with pytest.raises(KeyRingError, match="planted"):
        keys.begin()
    ring.problem = None
    keys.begin()
    assert made
    assert keys.judge(BOBS.public).identity == "bob"


def test_a_first_key_is_made_before_the_ring_is_read() -> None:
    ring = Ring(KeyRing())
    keys = BorderKeys(ring.read, lambda: setattr(ring, "ring", KeyRing((OLD,))))
    keys.begin()
    assert keys.pair().public == OLD.public


def test_the_ring_says_whose_a_key_is(ring: Ring) -> None:
    keys = BorderKeys(ring.read)
    keys.begin()
    assert [keys.judge(each.public).identity for each in (OLD, NEW, BOBS)] == ["own", "own", "bob"]
    assert keys.of("bob") == (BOBS.public,)
    assert set(keys.of("own")) == {OLD.public, NEW.public}
    with pytest.raises(NoSuchKey, match="'carol'"):
        keys.of("carol")


def test_a_key_that_was_allowed_just_now_counts_for_who_comes_with_it(ring: Ring) -> None:
    keys = BorderKeys(ring.read)
    keys.begin()
    carols = own("work", 0.0).public
    assert keys.judge_newcomer(carols).reason == "unknown"
    ring.ring = replace(ring.ring, allowed=(*ring.ring.allowed, AllowedKey("carol", carols, 0.0)))
    assert keys.judge(carols).reason == "unknown"
    assert keys.judge_newcomer(carols).identity == "carol"
    assert keys.judge(carols).identity == "carol"
    reads = ring.reads
    assert keys.judge_newcomer(BOBS.public).identity == "bob"
    assert ring.reads == reads  # who is known costs no look


def test_the_newest_own_key_is_shown_to_others(ring: Ring) -> None:
    keys = BorderKeys(ring.read)
    keys.begin()
    assert keys.pair().secret == NEW.secret
    assert keys.successor(NEW.public) is None


def test_a_change_counts_from_the_next_look_on(ring: Ring) -> None:
    keys = BorderKeys(ring.read)
    keys.begin()
    ring.ring = ring.ring.with_revoked(BOBS.public, wall_time())
    assert keys.judge(BOBS.public).counts
    keys.refresh()
    assert keys.judge(BOBS.public).reason == "revoked"


def test_a_key_whose_time_is_over_counts_no_more_without_a_look(ring: Ring) -> None:
    past = replace(ring.ring.allowed[0], expires=wall_time() - 1)
    keys = BorderKeys(Ring(replace(ring.ring, allowed=(past,))).read)
    keys.begin()
    assert keys.judge(BOBS.public).reason == "expired"


def test_while_the_ring_cannot_be_read_no_key_counts(ring: Ring, caplog: pytest.LogCaptureFixture) -> None:
    keys = BorderKeys(ring.read)
    keys.begin()
    ring.problem = KeyRingError("others can read it")
    with caplog.at_level(logging.ERROR):
        keys.refresh()
        keys.refresh()
    assert [record.getMessage() for record in caplog.records] == [
        "no key of another Env counts now: others can read it"
    ]
    assert keys.judge(NEW.public).reason == "unknown"
    with pytest.raises(NoSuchKey):
        keys.pair()
    ring.problem = None
    keys.refresh()
    assert keys.judge(NEW.public).counts


def test_no_text_shows_a_secret(ring: Ring) -> None:
    keys = BorderKeys(ring.read)
    keys.begin()
    assert NEW.secret not in f"{keys!r} {keys.pair()!r} {keys.words_for(NEW.public)}"
    assert keys.words_for(BOBS.public).endswith("(bob)")
