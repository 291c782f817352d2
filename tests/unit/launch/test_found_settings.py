from pathlib import Path
from typing import Any

import pytest

from corps.launch.found_settings import find_executable, find_settings
from corps.launch.sources import Source
from corps.settings import Settings


@pytest.fixture(autouse=True)
def nothing_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CORPS_ENVS", "CORPS_EXECUTABLE"):
        monkeypatch.delenv(name, raising=False)


def test_a_module_a_class_and_what_is_in_no_file_have_their_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "corps.toml").write_text("envs = 3\n")
    for source in (
        Source("app", str(tmp_path / "app.py"), file=str(tmp_path / "app.py")),
        Source("app", file=str(tmp_path / "app.py")),
    ):
        assert find_settings(None, {}, source=source).settings.envs == 3
    monkeypatch.chdir(tmp_path)
    assert find_settings(None, {}, source=Source("", by_value=b"x")).settings.envs == 3
    assert find_settings(None, {}, source=Source("sys")).settings.envs == 3
    assert find_settings(None, {}).sources["envs"] == "default"


def test_texts_of_a_command_line_are_read_as_those_of_the_environment() -> None:
    found = find_settings(None, {"tag": "x"}, texts={"threads.max": "7", "send_timeout": "none", "tag": "y"})
    assert found.settings.threads.max == 7
    assert found.settings.send_timeout is None
    assert found.settings.tag == "x"
    assert found.sources["threads.max"] == "argument threads.max"


@pytest.mark.parametrize(
    "config", [{"executable": "mine"}, Settings(executable="mine"), "named.toml", None, {}, Settings()]
)
def test_the_executable_is_found_without_the_other_settings(
    config: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "named.toml").write_text('executable = "mine"\n')
    source = Source("app", file=str(tmp_path / "app.py"))
    says_so = config == "named.toml" or config in ({"executable": "mine"}, Settings(executable="mine"))
    assert find_executable(config, source) == ("mine" if says_so else None)
    (tmp_path / "corps.toml").write_text('executable = "beside"\n')
    assert find_executable(config, source) == ("mine" if says_so else "beside")
    monkeypatch.setenv("CORPS_EXECUTABLE", "environ")
    is_argument = says_so and config != "named.toml"
    assert find_executable(config, source) == ("mine" if is_argument else "environ")
