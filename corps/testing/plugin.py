"""A pytest plugin: every test fails that leaves something behind.

Load it with ``pytest_plugins = ["corps.testing.plugin"]`` in a ``conftest.py``, or with ``-p`` on the command
line. What fixtures with a wider scope hold is no leak of a test, because they are set up before the check
begins. The check cleans nothing up: a leak stays, so that it can be examined.
"""

from collections.abc import Iterator

import pytest

from corps.runtime.threads.loop_thread import new_event_loop
from corps.testing.leaks import Snapshot

_MARK = "leaks_allowed"


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark known.

    Args:
        config: Of this run.
    """
    config.addinivalue_line("markers", f"{_MARK}: this test may leave processes, threads or files behind")


@pytest.fixture(scope="session", autouse=True)
def what_happens_once() -> None:
    """Do, before the first test, what the process does once and keeps.

    The first event loop of uvloop makes a pipe for signals, which serves all later ones.
    """
    new_event_loop().close()


@pytest.fixture(autouse=True)
def no_leaks(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail the test if it leaves a process, a thread, a descriptor, shared memory or a directory behind.

    Opt out with ``@pytest.mark.leaks_allowed``.

    Args:
        request: Of the test.

    Yields:
        While the test runs.
    """
    if request.node.get_closest_marker(_MARK) is not None:
        yield
        return
    before = Snapshot.take()
    yield
    leaks = before.leaks()
    if leaks:
        pytest.fail("the test left behind:\n  " + "\n  ".join(leaks), pytrace=False)
