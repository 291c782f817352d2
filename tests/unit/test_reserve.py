"""Claims about the reserve: what must not fail gets descriptors when the application has taken the others."""

import errno
import os
import resource
from collections.abc import Iterator
from contextlib import suppress

import pytest

from corps.reserve import Reserve, may_pass


@pytest.fixture
def reserve() -> Iterator[Reserve]:
    reserve = Reserve(3)
    yield reserve
    reserve.close()
    reserve.close()


@pytest.fixture
def nothing_left(reserve: Reserve) -> Iterator[list[int]]:
    """The application has opened all there are."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(map(int, os.listdir("/proc/self/fd")))
    held: list[int] = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 3, hard))
    try:
        with suppress(OSError):
            while True:
                held.append(os.open(os.devnull, os.O_RDONLY))
        yield held
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for fd in held:
            os.close(fd)


def test_what_must_not_fail_has_descriptors(reserve: Reserve, nothing_left: list[int]) -> None:
    one, other = reserve.use(os.pipe, 2)
    assert len(reserve._spare) == 1
    nothing_left += [one, other]
    with pytest.raises(OSError, match="Too many"):
        reserve.use(os.pipe, 2)
    reserve.refill()
    assert len(reserve._spare) == 1
    os.close(nothing_left.pop())
    os.close(nothing_left.pop())
    reserve.refill()
    assert len(reserve._spare) == 3


def test_where_there_are_descriptors_none_of_the_reserve_is_taken(reserve: Reserve) -> None:
    assert reserve.use(lambda: 7, 5) == 7
    assert len(reserve._spare) == 3


def test_what_may_pass_is_a_want_of_something() -> None:
    assert all(
        may_pass(OSError(each, "")) for each in (errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM)
    )
    assert not any(may_pass(each) for each in (OSError(errno.EACCES, ""), BrokenPipeError(), ValueError()))
