"""Claims about capabilities: each worker has its own, and nothing else is taken for it."""

from typing import Any

import pytest

from corps.security.capabilities import (
    CAPABILITY_SIZE,
    Capabilities,
    capability_of,
    is_capability,
    new_secret,
)

SECRET = bytes(range(32))


def test_a_capability_is_that_of_its_worker_and_of_no_other() -> None:
    made = {capability_of(SECRET, env, conc) for env in range(-1, 12) for conc in range(120)}
    assert len(made) == 13 * 120
    assert {len(each) for each in made} == {CAPABILITY_SIZE}
    assert is_capability(SECRET, 1, 12, capability_of(SECRET, 1, 12))
    assert not is_capability(SECRET, 11, 2, capability_of(SECRET, 1, 12))


def test_the_bytes_are_those_of_the_specification() -> None:
    assert capability_of(SECRET, -1, 1).hex() == "d68b375b5ad1320db9ce3d2a4ff60121"


def test_another_corps_has_other_capabilities() -> None:
    assert new_secret() != new_secret()
    assert not is_capability(new_secret(), 1, 1, capability_of(SECRET, 1, 1))


@pytest.mark.parametrize("shown", [None, "", b"", bytes(15), bytes(16), bytes(17), "é" * 16, 7])
def test_what_is_no_capability_is_none(shown: Any) -> None:
    assert not is_capability(SECRET, 1, 1, shown)


def test_what_was_right_once_is_judged_by_its_bytes_again() -> None:
    capabilities = Capabilities(SECRET, 1)
    right = capability_of(SECRET, 1, 12)
    assert [capabilities.are_right(12, right) for _ in range(3)] == [True] * 3
    for wrong in (None, "", b"", bytes(16), right[:-1], capability_of(SECRET, 1, 13)):
        assert not capabilities.are_right(12, wrong)
        assert not capabilities.are_right(13, right)


def test_as_many_are_remembered_as_there_may_be_workers_in_use() -> None:
    capabilities = Capabilities(SECRET, 1)
    for conc in range(5000):
        assert capabilities.are_right(conc, capability_of(SECRET, 1, conc))
    assert len(capabilities._right) <= 1024
    assert capabilities.are_right(7, capability_of(SECRET, 1, 7))
