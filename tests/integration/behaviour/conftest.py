"""The paths as a parameter: one Corps serves all the tests of a path, an Env in this process only one."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.integration.behaviour.paths import Way, booted, local

FOLDER: Final = Path(__file__).parent
OVER_HOSTS: Final = {"test_calls", "test_code", "test_errors", "test_generators", "test_names"}
"""What runs over two hosts, too. The rest passes there as well, and takes a minute."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    left_out = [
        item
        for item in items
        if "[hosts" in item.name and item.path.stem not in OVER_HOSTS and item.path.parent == FOLDER
    ]
    config.hook.pytest_deselected(items=left_out)
    dropped = set(map(id, left_out))
    items[:] = [item for item in items if id(item) not in dropped]


@pytest.fixture(scope="session", params=["env", "unix", "ipc", "tcp", "hosts"])
def corps_of_session(request: pytest.FixtureRequest) -> Iterator[Way | None]:
    # Not closed by the tests, so it is here before the leak check looks, and after.
    if request.param == "env":
        yield None
        return
    with booted(request.param) as way:
        yield way


@pytest.fixture
def way(corps_of_session: Way | None) -> Iterator[Way]:
    """What a test creates is ended after it; only that, since others will use the Corps after it."""
    if corps_of_session is None:
        with local() as way:
            yield way
        return
    with corps_of_session.entered() as way:
        yield way
        mgr = way.engine.registry.find(0)
        assert mgr is not None
        for name in reversed(mgr.family.children()):
            way.engine.exit(name._addr).exception()
