"""Claims about the options of a script that connects: those of the settings, and without their model."""

import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from corps.config import load_settings
from corps.errors import ConfigError
from corps.launch import default_options
from corps.launch.client_options import client_options
from corps.managers.assembly import env_options

PAGE = Path(default_options.__file__)
HEAD = '''"""The options of an Env where nothing is set. Written by WRITE_TABLES=1 pytest tests/unit/launch.

They are those of `corps.settings`, but for what depends on the machine.
"""

from typing import Any, Final

DEFAULTS: Final[dict[str, Any]] = {
'''


def as_written() -> str:
    options = asdict(env_options(load_settings(environ={}).settings))
    del options["shared_memory_bytes"]
    lines = [f'    "{name}": {value!r},\n'.replace("'", '"') for name, value in options.items()]
    return HEAD + "".join(lines) + "}\n"


def test_the_table_of_defaults_is_that_of_the_settings() -> None:
    if os.environ.get("WRITE_TABLES"):
        PAGE.write_text(as_written())
    assert PAGE.read_text() == as_written()


def test_without_a_setting_the_defaults_hold() -> None:
    assert client_options({"HOME": "/root"}) == env_options(load_settings(environ={}).settings)


def test_a_setting_of_the_environment_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CORPS_MAILBOX", "7")
    assert client_options(os.environ).mailbox == 7
    monkeypatch.setenv("CORPS_MAILBOX", "none at all")
    with pytest.raises(ConfigError, match="CORPS_MAILBOX"):
        client_options(os.environ)


def test_to_connect_imports_no_model_of_settings() -> None:
    script = """
    import sys
    import corps
    from corps.launch.connecting import start_client
    start_client().close()
    assert "pydantic" not in sys.modules, "pydantic was imported"
    """
    environ = {name: value for name, value in os.environ.items() if not name.startswith("CORPS_")}
    lines = "\n".join(line.strip() for line in script.splitlines())
    subprocess.run([sys.executable, "-c", lines], check=True, env=environ)
