"""Claims about what the start reads of the settings: what the model says, and mostly without the model."""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corps.config import load_settings
from corps.errors import ConfigError
from corps.launch import default_options, launch_settings
from corps.launch.launch_settings import LaunchSettings
from corps.launch.sources import Source
from corps.managers.assembly import env_options

PAGE = Path(default_options.__file__)
HEAD = '''"""The options of an Env where nothing is set. Written by WRITE_TABLES=1 pytest tests/unit/launch.

They are those of `corps.settings`, but for what depends on the machine.
"""

from typing import Any, Final

DEFAULTS: Final[dict[str, Any]] = {
'''

SOME_VALUE = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 20_000), st.floats(), st.text(max_size=70), st.just(())
)
ARGUMENTS = st.dictionaries(st.sampled_from(["envs", "tag", "external", "threads.max"]), SOME_VALUE)


@pytest.fixture(autouse=True)
def _no_settings_around(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("CORPS_") and name != "CORPS_PURE"]:
        monkeypatch.delenv(name)


def as_written() -> str:
    options = asdict(env_options(load_settings(environ={}).settings))
    del options["shared_memory_bytes"]
    lines = [f'    "{name}": {value!r},\n'.replace("'", '"') for name, value in options.items()]
    return HEAD + "".join(lines) + "}\n"


def by_the_model(arguments: Mapping[str, Any]) -> LaunchSettings | str:
    """What the settings are by the model, or what it complains of."""
    wanted = {name: value for name, value in arguments.items() if value is not None}
    try:
        return launch_settings._from_model(load_settings(environ={}, overrides=wanted).settings)
    except ConfigError as error:
        return str(error)


def found(arguments: Mapping[str, Any]) -> LaunchSettings | str:
    try:
        return launch_settings.launch_settings(None, arguments)
    except ConfigError as error:
        return str(error)


def test_the_table_of_defaults_is_that_of_the_settings() -> None:
    if os.environ.get("WRITE_TABLES"):
        PAGE.write_text(as_written())
    assert PAGE.read_text() == as_written()


def test_without_a_setting_the_defaults_hold() -> None:
    assert found({}) == by_the_model({})


@given(ARGUMENTS)
def test_arguments_mean_and_are_refused_as_by_the_model(arguments: dict[str, Any]) -> None:
    assert found(arguments) == by_the_model(arguments)


@pytest.mark.parametrize(
    "arguments", [{"envs": 1}, {"envs": 1024}, {"tag": "a-b_c.1"}, {"external": True}, {"threads.max": 1}]
)
def test_simple_arguments_need_no_model(arguments: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    expected = by_the_model(arguments)
    monkeypatch.setattr(launch_settings, "find_settings", None)
    assert found(arguments) == expected


def test_a_setting_of_the_environment_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CORPS_MAILBOX", "7")
    assert launch_settings.launch_settings().options.mailbox == 7
    monkeypatch.setenv("CORPS_MAILBOX", "none at all")
    with pytest.raises(ConfigError, match="CORPS_MAILBOX"):
        launch_settings.launch_settings()


def test_a_file_and_a_mapping_count(tmp_path: Path) -> None:
    (tmp_path / "corps.toml").write_text("mailbox = 8\n")
    source = Source("x", file=str(tmp_path / "app.py"))
    assert launch_settings.launch_settings(None, {"envs": 1}, source=source).options.mailbox == 8
    assert launch_settings.launch_settings({"mailbox": 9}, source=source).options.mailbox == 9
    assert launch_settings.launch_settings({}, {"envs": 3}).envs == 3


@pytest.mark.parametrize(
    "lines",
    [
        "from corps.launch.connecting import start_client\nstart_client().close()",
        "import corps\nwith corps.env(): pass",
    ],
    ids=["connect", "env"],
)
def test_what_needs_no_setting_imports_no_model_of_settings(lines: str) -> None:
    script = f'import sys\n{lines}\nassert "pydantic" not in sys.modules, "pydantic was imported"\n'
    environ = {name: value for name, value in os.environ.items() if not name.startswith("CORPS_")}
    subprocess.run([sys.executable, "-c", script], check=True, env=environ, cwd="/")
