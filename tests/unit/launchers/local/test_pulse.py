"""Claims about Pulse: what one process counts another one sees, and nothing can take the memory away."""

import os
from collections.abc import Iterator

import pytest

from corps.launchers.launcher import MAIN, READING
from corps.launchers.local.pulse import Pulse, open_pulse


@pytest.fixture
def fd() -> Iterator[int]:
    fd = open_pulse()
    yield fd
    os.close(fd)


def test_what_one_side_counts_the_other_sees(fd: int) -> None:
    ours, theirs = Pulse(fd), Pulse(fd)
    assert ours.counts() == (0, 0)
    theirs.beat(MAIN)
    theirs.beat(READING)
    theirs.beat(READING)
    assert ours.counts() == (1, 2)
    ours.close()
    theirs.close()


def test_another_process_can_count(fd: int) -> None:
    ours = Pulse(fd)
    pid = os.fork()
    if pid == 0:
        Pulse(fd).beat(MAIN)
        os._exit(0)
    os.waitpid(pid, 0)
    assert ours.counts() == (1, 0)
    ours.close()


def test_after_the_end_there_is_what_was_seen_last(fd: int) -> None:
    pulse = Pulse(fd)
    pulse.beat(READING)
    assert pulse.counts() == (0, 1)
    pulse.close()
    pulse.close()
    assert pulse.counts() == (0, 1)


@pytest.mark.parametrize("size", [0, 100, 8192])
def test_nobody_can_change_its_size(fd: int, size: int) -> None:
    with pytest.raises(PermissionError):
        os.ftruncate(fd, size)
