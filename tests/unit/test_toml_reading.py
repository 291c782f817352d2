"""Claims about configuration files that nobody would write by hand: an error that says so, in little time.

How little is told by what is not done: none of these is given to the parser, or it gives up at once.
"""

import os
from pathlib import Path

import pytest

from corps.config import load_settings
from corps.errors import ConfigError
from corps.toml_reading import MAX_BYTES, MAX_PARTS, read_toml

ROOM = MAX_BYTES - 100


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "corps.toml"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("x = " + "[" * (ROOM // 2) + "]" * (ROOM // 2), "nested too deeply"),
        ("x = " + "{a=" * (ROOM // 3), "nested too deeply"),
        (".".join("a" * (ROOM // 2)) + " = 1", "more than 16 parts"),
        ("[" + " . ".join(['"a"', "'b'", "c-1"] * (ROOM // 30)) + "]", "more than 16 parts"),
        ("x = {" + ".".join("a" * (ROOM // 2)) + " = 1}", "more than 16 parts"),
        ("envs = 1\n" + "# long\n" * MAX_BYTES, f"more than {MAX_BYTES} bytes"),
        ("x = " + "9" * ROOM, "not valid TOML"),
        ('"' * ROOM, "not valid TOML"),
        ("a" * ROOM, "not valid TOML"),
        ("\"'" * (ROOM // 2), "not valid TOML"),
    ],
)
def test_what_no_configuration_needs_is_refused(file: Path, text: str, reason: str) -> None:
    file.write_text(text)
    with pytest.raises(ConfigError, match=reason) as caught:
        load_settings(file, environ={})
    assert str(file) in str(caught.value)
    assert len(str(caught.value)) < 1000


def test_the_line_of_a_long_key_is_told(file: Path) -> None:
    file.write_text("envs = 1\n\n" + "a." * 20 + "b = 1\n")
    with pytest.raises(ConfigError, match=r"\(line 3\)"):
        read_toml(file)


@pytest.mark.parametrize(
    "text",
    [
        ".".join("a" * MAX_PARTS) + " = 1",
        "x = [" + "0.5, " * 500 + "]",
        'x = "' + "a.b, " * 500 + '"',
        "x = 1 # " + "a b.c " * 500,
        "x = '''\n" + "one. two.\n" * 500 + "'''",
        "x = " + "[" * 50 + "]" * 50,
    ],
)
def test_what_is_only_long_is_read(file: Path, text: str) -> None:
    file.write_text(text)
    assert read_toml(file)


def test_of_many_problems_the_first_are_told_and_the_rest_counted(file: Path) -> None:
    file.write_text("\n".join(f"k{number} = 1" for number in range(9_000)))
    with pytest.raises(ConfigError, match=r"and 8980 more$") as caught:
        load_settings(file, environ={})
    assert len(str(caught.value).splitlines()) == 21


def test_a_long_value_is_cut_in_the_text_of_the_error(file: Path) -> None:
    file.write_text('envs = "' + "x" * 100_000 + '"')
    with pytest.raises(ConfigError, match="envs") as caught:
        load_settings(file, environ={})
    assert len(str(caught.value)) < 1000


def test_a_file_without_an_end_is_refused() -> None:
    with pytest.raises(ConfigError, match="more than"):
        read_toml(Path("/dev/zero"))


def test_a_folder_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read file"):
        read_toml(tmp_path)
    with pytest.raises(ConfigError, match="there is no configuration file"):
        read_toml(tmp_path / "missing")


def test_a_pipe_is_read_like_a_file() -> None:
    """As a shell's ``--config <(...)``."""
    reading, writing = os.pipe()
    os.write(writing, b"envs = 3\n")
    os.close(writing)
    try:
        assert read_toml(Path(f"/dev/fd/{reading}")) == {"envs": 3}
    finally:
        os.close(reading)
