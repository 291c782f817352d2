import os
from collections.abc import Iterator
from subprocess import Popen

import psutil
import pytest

from corps.testing.chaos.census import MARK, Household, environment, orphans


@pytest.fixture
def marked() -> Iterator[psutil.Process]:
    with environment(MARK, "abc"), Popen(["/bin/sleep", "600"], start_new_session=True) as child:
        yield psutil.Process(child.pid)
        child.kill()


def test_who_has_booted_nothing_has_no_envs_and_leaves_nothing() -> None:
    household = Household()
    assert household.envs() == {}
    with environment(MARK, "another"):
        assert household.left("another") == []


def test_what_was_started_under_a_mark_is_found_by_it(marked: psutil.Process) -> None:
    assert Household().left("abc") == [marked]
    assert Household().left("ab") == []


def test_a_variable_is_set_for_a_while_only() -> None:
    before = dict(os.environ)
    with environment(MARK, "outer"):
        with environment(MARK, "inner"):
            assert os.environ[MARK] == "inner"
        assert os.environ[MARK] == "outer"
    assert dict(os.environ) == before


def test_each_process_that_is_left_is_a_violation(marked: psutil.Process) -> None:
    (violation,) = orphans([marked])
    assert violation.text == f"process {marked.pid} (sleep, state {marked.status()}) is left"
