import os
import sys
import types
from typing import Any

import pytest

from corps.settings import Settings
from corps.testing.chaos import healing


def with_restart(*, env: int, deadline: float | None = None, restart: Any = None) -> dict[str, Any]:
    return {"env": env, "deadline": deadline, "restart": restart}


def without_restart(*, env: int, deadline: float | None = None) -> dict[str, Any]:
    return {"env": env, "deadline": deadline}


def test_a_runtime_without_restarts_is_asked_for_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(healing, "options", without_restart)
    assert not healing.heals()
    asked: list[Any] = [healing.lasting(2), healing.fleeting(2, 1.5)]
    assert asked == [{"env": 2, "deadline": None}, {"env": 2, "deadline": 1.5}]


def test_a_runtime_with_restarts_is_asked_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    restarts = types.ModuleType(healing._RESTARTS)
    vars(restarts)["Restart"] = lambda policy, **fields: (policy, fields)
    monkeypatch.setitem(sys.modules, healing._RESTARTS, restarts)
    monkeypatch.setattr(healing, "options", with_restart)
    assert healing.heals()
    lasting: Any = healing.lasting(2)
    fleeting: Any = healing.fleeting(2, 1.5)
    assert lasting["restart"][0] == "permanent"
    assert lasting["restart"][1]["max"] >= 1_000_000
    assert fleeting == {"env": 2, "deadline": 1.5, "restart": ("temporary", {})}


@pytest.mark.parametrize(("fields", "raised"), [({}, False), ({"env_restart": None}, True)])
def test_the_limit_of_restarts_is_raised_where_there_is_one(
    monkeypatch: pytest.MonkeyPatch, fields: dict[str, None], raised: bool
) -> None:
    monkeypatch.delenv(healing._LIMIT, raising=False)
    monkeypatch.setattr(Settings, "__pydantic_fields__", fields)
    with healing.unlimited():
        assert (healing._LIMIT in os.environ) is raised
    assert healing._LIMIT not in os.environ


def test_a_limit_that_is_set_already_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(healing._LIMIT, "3")
    with healing.unlimited():
        assert os.environ[healing._LIMIT] == "3"
    assert os.environ[healing._LIMIT] == "3"
