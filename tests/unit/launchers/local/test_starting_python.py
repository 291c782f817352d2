import json
import sys

import pytest

from corps.errors import EnvStartError
from corps.launchers.local.starting_python import ROLE, advice, python_command, take_role

ARGUMENTS = {"path": ["a"], "env_id": 1}


@pytest.fixture
def frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setattr(sys, "executable", "/somewhere/program")
    monkeypatch.setattr(sys, "argv", ["program", "word"])


def test_an_interpreter_is_told_in_its_arguments() -> None:
    command, environ = python_command(ARGUMENTS, None)
    assert (command[0], json.loads(command[-1]), environ) == (sys.executable, ARGUMENTS, None)
    command, environ = python_command(ARGUMENTS, "/other/python")
    assert (command[0], environ) == ("/other/python", None)


@pytest.mark.usefixtures("frozen")
def test_a_frozen_program_is_started_as_it_was_and_told_in_its_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    command, environ = python_command(ARGUMENTS, None)
    assert command == ["/somewhere/program", "word"]
    assert environ is not None
    monkeypatch.setenv(ROLE, environ[ROLE])
    assert take_role() == ARGUMENTS
    assert take_role() is None  # what it starts itself is told nothing
    command, environ = python_command(ARGUMENTS, "/other/python")
    assert (command[0], environ) == ("/other/python", None)


@pytest.mark.parametrize("none", ["", None])
def test_a_program_without_an_interpreter_has_to_name_one(
    monkeypatch: pytest.MonkeyPatch, none: str | None
) -> None:
    monkeypatch.setattr(sys, "executable", none)
    with pytest.raises(EnvStartError, match="with the setting `executable`"):
        python_command(ARGUMENTS, None)
    assert python_command(ARGUMENTS, "python")[0][0] == "python"


def test_what_to_do_is_told_where_there_is_something_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/usr/bin/python3")
    assert advice(None) == advice("/opt/pypy") == ""
    assert "setting `executable`" in advice("/usr/bin/uwsgi")
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    assert "corps.freeze_support()" in advice(None)
