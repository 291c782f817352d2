"""Claims about `corps keys`: what it prints, what it never prints, and how two users come to trust."""

import json
import os
import stat
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

import pytest

from corps.cli.main import main
from corps.security.authenticators import SharedTokens
from corps.security.json_web_tokens import JsonWebTokens
from corps.toml_reading import parse_toml

ROOT: Final = Path(__file__).parents[2]
LIMIT: Final = 100.0


class User:
    """A user with a key ring of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        home.mkdir()
        self.said = ""  # all that was ever printed

    def keys(self, *words: str, status: int = 0) -> str:
        """Run `corps keys`; return what it prints, or the error where one is expected."""
        with (
            patch.dict(os.environ, {"XDG_CONFIG_HOME": str(self.home)}),
            redirect_stdout(StringIO()) as out,
            redirect_stderr(StringIO()) as err,
            pytest.raises(SystemExit) as end,
        ):
            main(["keys", *words])
        self.said += out.getvalue() + err.getvalue()
        assert end.value.code == status, err.getvalue()
        return err.getvalue() if status else out.getvalue()

    def json(self, *words: str) -> Any:
        return json.loads(self.keys(*words, "--json"))

    def secrets(self) -> list[str]:
        own = json.loads((self.home / "corps/keys/own.json").read_text())
        return [key["secret"] for key in own["keys"]]


def test_the_life_of_keys(tmp_path: Path) -> None:
    alice, bob = User(tmp_path / "alice"), User(tmp_path / "bob")
    assert "no keys; `corps keys new NAME`" in alice.keys("list")

    made = alice.json("new", "work")
    assert set(made) == {"name", "public", "fingerprint", "made", "expires"}
    exported = alice.keys("export", "work").strip()
    assert exported == made["public"]

    assert "allowed alice with the key" in bob.keys("allow", "alice", exported, "--expires", "90d")
    (allowed,) = bob.json("list")["allowed"]
    assert (allowed["user"], allowed["public"]) == ("alice", exported)
    assert allowed["expires"] - allowed["since"] == 90 * 86_400

    rotated = alice.json("rotate", "work", "--overlap", "10m")
    assert rotated["public"] != exported
    first, second = alice.json("list")["own"]
    assert (first["public"], second["public"]) == (exported, rotated["public"])
    assert first["expires"] == pytest.approx(second["made"] + 600)

    bob.keys("allow", "alice", rotated["public"])
    assert len(bob.json("revoke", "alice")["revoked"]) == 2
    assert "was revoked, which is for good" in bob.keys("allow", "alice", exported, status=1)
    listing = bob.keys("list")
    assert listing.count("revoked  alice") == 2

    assert len(alice.secrets()) == 2
    assert not any(secret in alice.said for secret in alice.secrets())


@pytest.mark.parametrize(
    "key",
    [
        "-hhp4DB!axavzWSg3cS6H5z[rcGJQ^PQXeb{nqay",
        "--dir4DB!axavzWSg3cS6H5z[rcGJQ^PQXeb{nqa",
        "-=(){}B!axavzWSg3cS6H5z[rcGJQ^PQXeb{nqay",
    ],
)
def test_a_key_that_begins_as_an_option_does_is_a_key(tmp_path: Path, key: str) -> None:
    bob = User(tmp_path / "bob")
    directory = str(tmp_path / "a-directory-whose-name-is-long")
    assert "allowed ann with the key" in bob.keys("allow", "ann", key, "--expires", "90d", "--dir", directory)
    assert "allowed ann with the key" in bob.keys("allow", "--", "ann", key)
    (allowed,) = bob.json("list", "--dir", directory)["allowed"]
    assert (allowed["user"], allowed["public"]) == ("ann", key)
    assert "revoked ann with the key" in bob.keys("revoke", key, "--dir", directory)
    assert "revoked ann with the key" in bob.keys("revoke", key)


def test_an_option_that_is_as_long_as_a_key_stays_one(tmp_path: Path) -> None:
    bob = User(tmp_path / "bob")
    option = f"--dir={'rings/'.ljust(34, 'x')}"
    assert len(option) == 40
    bob.keys("revoke", "ann", option, status=1)


def test_a_pair_moves_to_another_machine_in_a_file_and_nowhere_else(tmp_path: Path) -> None:
    here, there = User(tmp_path / "here"), User(tmp_path / "there")
    made = here.json("new", "work")
    pair = tmp_path / "pair"
    assert "it is secret" in here.keys("export", "work", "--secret", str(pair))
    assert stat.S_IMODE(pair.stat().st_mode) == 0o600
    assert "exists already" in here.keys("export", "work", "--secret", str(pair), status=1)
    assert there.json("new", "laptop", "--from", str(pair))["public"] == made["public"]
    assert here.secrets() == there.secrets()
    assert here.secrets()[0] not in here.said + there.said


def test_errors_are_one_line_that_says_what_to_do(tmp_path: Path) -> None:
    user = User(tmp_path / "user")
    for words, why in [
        (("allow", "bob", "abc"), "is no public key"),
        (("revoke", "bob"), "has no key 'bob'"),
        (("export", "work"), "no own key called 'work'"),
        (("new", "own"), "cannot be a name"),
    ]:
        said = user.keys(*words, status=1)
        assert why in said
        assert said.count("\n") == 1
    assert "is no time: write a number" in user.keys("new", "work", "--expires", "soon", status=2)
    user.keys("new", "work")
    (user.home / "corps/keys").chmod(0o755)
    assert "its mode is 0755, not 0700; chmod 700" in user.keys("list", status=1)


def test_a_key_may_expire_and_be_in_a_ring_elsewhere(tmp_path: Path) -> None:
    user = User(tmp_path / "user")
    user.keys("new", "short", "--expires", "0s", "--dir", str(tmp_path / "ring"))
    assert "expired" in user.keys("list", "--dir", str(tmp_path / "ring"))
    assert "that counts" in user.keys("export", "short", "--dir", str(tmp_path / "ring"), status=1)


def test_the_command_itself_leaves_a_ring_for_its_user_alone(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "corps.cli.main", "keys", "new", "work", "--json"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "XDG_CONFIG_HOME": str(tmp_path)}
    done = subprocess.run(words, env=environment, capture_output=True, timeout=LIMIT, check=True)
    assert json.loads(done.stdout)["name"] == "work"
    found = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "corps").rglob("*")}
    assert found == {"keys": 0o700, "own.json": 0o600}


def test_a_token_is_made_that_counts_and_is_never_printed(tmp_path: Path) -> None:
    ann = User(tmp_path / "ann")
    line = ann.keys("token", "bob", "--out", str(tmp_path / "bob.token"))
    token = (tmp_path / "bob.token").read_text()
    assert stat.S_IMODE((tmp_path / "bob.token").stat().st_mode) == 0o600
    assert token not in ann.said
    assert SharedTokens(parse_toml(line.encode(), "line")).check(token) == "bob"
    assert "exists" in ann.keys("token", "bob", "--out", str(tmp_path / "bob.token"), status=1)
    assert "cannot be a name" in ann.keys("token", "b/b", "--out", str(tmp_path / "other"), status=1)


def test_a_web_token_is_made_that_counts(tmp_path: Path) -> None:
    ann = User(tmp_path / "ann")
    key, out = tmp_path / "key", tmp_path / "bob.jwt"
    key.touch(0o600)
    key.write_text("k" * 40 + "\n")
    words = ["token", "bob", "--out", str(out), "--jwt", str(key), "--audience", "shop"]
    assert json.loads(ann.keys(*words, "--json"))["user"] == "bob"
    assert JsonWebTokens("k" * 40, algorithms=["HS256"], audience="shop").check(out.read_text()) == "bob"
    out.unlink()
    for wrong in ("none", "HS999", "ES256"):
        assert wrong in ann.keys(*words, "--algorithm", wrong, status=1) or wrong == "none"
        assert not out.exists()
    key.write_text("short")
    assert "32 or more" in ann.keys(*words, status=1)
    assert "--audience" in ann.keys("token", "bob", "--out", str(out), "--jwt", str(key), status=2)
