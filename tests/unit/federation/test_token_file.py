"""Claims about the file with the hashes of tokens: who may have made it, and that a change counts at once."""

import os
from pathlib import Path

import pytest

from corps.errors import ConfigError, Damaged, NotAuthenticated, UnsafeFile
from corps.federation.token_file import TokenFile
from corps.security.authenticators import new_token, token_hash

BOB, EVE = new_token(), new_token()


def write(path: Path, text: str) -> None:
    with open(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write(tmp_path / "tokens.toml", f'bob = "{token_hash(BOB)}"\n')
    return tmp_path / "tokens.toml"


def test_a_change_of_the_file_counts_at_once(path: Path) -> None:
    tokens = TokenFile(str(path))
    assert tokens.check(BOB) == "bob"
    write(path, f'bob = "{token_hash(BOB)}"\neve = "{token_hash(EVE)}"\n')
    assert tokens.check(EVE) == "eve"
    write(path, f'eve = "{token_hash(EVE)}"\n')
    with pytest.raises(NotAuthenticated):
        tokens.check(BOB)


def test_a_file_that_is_replaced_by_one_of_the_same_size_counts(path: Path) -> None:
    tokens = TokenFile(str(path))
    write(path.with_name("other"), f'eve = "{token_hash(EVE)}"\n')
    found = path.stat()
    os.utime(path.with_name("other"), ns=(found.st_atime_ns, found.st_mtime_ns))
    path.with_name("other").rename(path)
    assert tokens.check(EVE) == "eve"


def test_without_its_file_nobody_gets_in(path: Path) -> None:
    tokens = TokenFile(str(path))
    path.unlink()
    with pytest.raises(ConfigError, match="there is no file of tokens"):
        tokens.check(BOB)
    write(path, f'bob = "{token_hash(BOB)}"\n')
    assert tokens.check(BOB) == "bob"


def test_a_file_that_others_may_open_is_not_used(path: Path) -> None:
    path.chmod(0o644)
    with pytest.raises(UnsafeFile, match="other users may open it"):
        TokenFile(str(path))


@pytest.mark.parametrize(
    "text",
    ["bob = 7", 'bob = "x"', "bob", f'bob = "{BOB}"', 'own = "sha256:00"'],
    ids=["number", "word", "no table", "token", "own"],
)
def test_what_is_no_table_of_hashes_is_refused(path: Path, text: str) -> None:
    write(path, text)
    with pytest.raises(ConfigError) as raised:
        TokenFile(str(path))
    assert BOB not in str(raised.value)


def test_a_file_that_is_too_large_is_refused(path: Path) -> None:
    write(path, "#" * 1_000_000)
    with pytest.raises(Damaged, match="larger"):
        TokenFile(str(path))


def test_its_text_shows_no_hash(path: Path) -> None:
    assert repr(TokenFile(str(path))) == f"<TokenFile {path}>"
