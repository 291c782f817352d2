from pathlib import Path

import pytest

from corps.config_files import find_file, read_file, searched
from corps.errors import ConfigError


def made(path: Path, text: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_only_the_own_folder_is_searched_where_there_is_no_project(tmp_path: Path) -> None:
    made(tmp_path / "corps.toml")
    inner = tmp_path / "a" / "b"
    assert searched(inner) == [inner]
    assert find_file(inner) is None
    assert find_file(tmp_path) == tmp_path / "corps.toml"
    assert find_file(None) is None


@pytest.mark.parametrize("mark", ["pyproject.toml", "setup.cfg", ".git"])
def test_the_folders_above_are_searched_up_to_the_root_of_the_project(tmp_path: Path, mark: str) -> None:
    made(tmp_path / "corps.toml")
    root = tmp_path / "project"
    made(root / mark)
    inner = root / "src" / "app"
    assert searched(inner) == [inner, root / "src", root]
    assert find_file(inner) is None
    made(root / "corps.toml")
    assert find_file(inner) == root / "corps.toml"
    made(inner / "corps.toml")
    assert find_file(inner) == inner / "corps.toml"


def test_a_pyproject_counts_if_it_has_the_table(tmp_path: Path) -> None:
    made(tmp_path / "pyproject.toml", "[tool.other]\n")
    inner = tmp_path / "inner"
    assert find_file(inner) is None
    path = made(tmp_path / "pyproject.toml", "[tool.corps]\nenvs = 3\n")
    assert find_file(inner) == path
    assert read_file(path) == {"envs": 3}


def test_a_package_is_searched_up_to_the_folder_where_it_lies_also_without_a_project(tmp_path: Path) -> None:
    made(tmp_path / "package" / "__init__.py")
    made(tmp_path / "package" / "inner" / "__init__.py")
    inner = tmp_path / "package" / "inner"
    assert searched(inner) == [inner, inner.parent, tmp_path]


def test_what_is_installed_belongs_to_no_project(tmp_path: Path) -> None:
    made(tmp_path / "pyproject.toml", "[tool.corps]\n")
    package = made(tmp_path / ".venv" / "site-packages" / "package" / "__init__.py").parent
    assert searched(package) == [package, package.parent]


def test_a_file_that_is_named_must_be_there_and_have_settings(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no configuration file"):
        read_file(tmp_path / "corps.toml")
    with pytest.raises(ConfigError, match=r"no table \[tool\.corps\]"):
        read_file(made(tmp_path / "pyproject.toml"))
