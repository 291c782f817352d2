"""Claims about credentials for a command: where they come from, and that they are not shown."""

import os
from pathlib import Path

import pytest

from corps.cli.shown_credentials import credentials_from
from corps.errors import ConfigError, Damaged, NotFound, UnsafeFile


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.touch(0o600)
    path.write_text("s3cret\n")
    return path


def test_they_come_from_a_file_or_a_variable(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "s3cret")
    assert credentials_from(str(file), None) == "s3cret"
    assert credentials_from(None, "TOKEN") == "s3cret"
    assert credentials_from(None, None) is None


def test_what_cannot_be_read_is_refused_without_showing_it(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TOKEN", raising=False)
    with pytest.raises(ConfigError, match="no environment variable TOKEN"):
        credentials_from(None, "TOKEN")
    with pytest.raises(ConfigError, match="one of them is enough"):
        credentials_from(str(file), "TOKEN")
    with pytest.raises(NotFound, match="there is no file"):
        credentials_from(f"{file}s", None)
    file.write_bytes(b"s3cret\xff")
    with pytest.raises(ConfigError, match="no text in UTF-8") as raised:
        credentials_from(str(file), None)
    assert "s3cret" not in repr(raised.value)
    file.write_bytes(b"s" * 100_000)
    with pytest.raises(Damaged):
        credentials_from(str(file), None)
    os.chmod(file, 0o644)
    with pytest.raises(UnsafeFile):
        credentials_from(str(file), None)
