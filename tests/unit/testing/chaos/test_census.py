import os
from collections.abc import Iterator
from subprocess import PIPE, Popen
from typing import Final

import psutil
import pytest

from corps.testing.chaos.census import MARK, Household, environment, orphans

OURS: Final = f"of {os.getpid()}"  # other processes run the same tests


@pytest.fixture
def marked() -> Iterator[psutil.Process]:
    """A process that has begun, for before that the kernel does not show its environment."""
    command = ["/bin/sh", "-c", "echo; read end"]
    with environment(MARK, OURS), Popen(command, stdin=PIPE, stdout=PIPE, start_new_session=True) as child:
        assert child.stdout is not None
        child.stdout.readline()
        yield psutil.Process(child.pid)
        child.communicate(b"end")


def test_who_has_booted_nothing_has_no_envs_and_leaves_nothing() -> None:
    household = Household()
    assert household.envs() == {}
    with environment(MARK, f"other {OURS}"):
        assert household.left(f"other {OURS}") == []


def test_what_was_started_under_a_mark_is_found_by_it(marked: psutil.Process) -> None:
    assert Household().left(OURS) == [marked]
    assert Household().left(f"{OURS}x") == []


def test_a_variable_is_set_for_a_while_only() -> None:
    before = dict(os.environ)
    with environment(MARK, "outer"):
        with environment(MARK, "inner"):
            assert os.environ[MARK] == "inner"
        assert os.environ[MARK] == "outer"
    assert dict(os.environ) == before


def test_each_process_that_is_left_is_a_violation(marked: psutil.Process) -> None:
    (violation,) = orphans([marked])
    assert violation.text == f"process {marked.pid} (sh, state {marked.status()}) is left"
