import os

import pytest

from corps.testing.chaos import healing


def test_what_is_to_last_is_permanent_and_what_is_not_is_temporary() -> None:
    lasting, fleeting = healing.lasting(2), healing.fleeting(2, 1.5)
    assert lasting.restart is not None
    assert fleeting.restart is not None
    assert (lasting.env, lasting.restart.policy) == (2, "permanent")
    assert lasting.restart.max >= 1_000_000
    assert (fleeting.env, fleeting.deadline, fleeting.restart.policy) == (2, 1.5, "temporary")


def test_the_limit_of_restarts_is_raised_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(healing._LIMIT, raising=False)
    with healing.unlimited():
        assert int(os.environ[healing._LIMIT]) >= 1_000_000
    assert healing._LIMIT not in os.environ


def test_a_limit_that_is_set_already_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(healing._LIMIT, "3")
    with healing.unlimited():
        assert os.environ[healing._LIMIT] == "3"
    assert os.environ[healing._LIMIT] == "3"
