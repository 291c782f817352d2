import os

import pytest

from corps.testing.chaos.storm import LIMIT, unlimited


def test_the_limit_of_restarts_is_raised_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(LIMIT, raising=False)
    with unlimited():
        assert int(os.environ[LIMIT]) >= 1_000_000
    assert LIMIT not in os.environ


def test_a_limit_that_is_set_already_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LIMIT, "3")
    with unlimited():
        assert os.environ[LIMIT] == "3"
    assert os.environ[LIMIT] == "3"
