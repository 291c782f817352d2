"""Corps and scripts in processes of their own that reach each other over tcp, by key rings of their users."""

import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from corps.federation.keyring import KeyRingFiles, make_first_key
from corps.security.key_ring import AllowedKey, OwnKey
from tests.forks import Forks

ROOT = Path(__file__).parents[2]

# A script in another process of the same user would reach each Env by its socket file.
_ELSEWHERE = """
import corps
import corps.federation.border as border
border.is_far = lambda member, judge: bool(member.outside)
"""


class User:
    """A user with a key ring. All are the same one for the kernel."""

    def __init__(self, folder: Path, name: str, *host: str, forks: Forks | None = None) -> None:
        """Make the directories.

        `host` is the command that runs another one on the host of this user; none for this host. With `forks`
        the scripts of this user are some, otherwise each has an interpreter.
        """
        self._forks = forks
        self.name = name
        self._host = host
        self._folder = folder / name
        self._folder.mkdir()
        self.config = self._folder / "config"
        self.ring = KeyRingFiles(self.config / "corps" / "keys")

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables of this user's processes."""
        return {**os.environ, "PYTHONPATH": str(ROOT), "XDG_CONFIG_HOME": str(self.config)}

    def key(self) -> OwnKey:
        """The key of this user, made first if need be."""
        make_first_key(self.ring)
        (key,) = self.ring.read().own
        return key

    def allow(self, other: "User") -> None:
        key = AllowedKey(other.name, other.key().public, 0.0)
        self.ring.change(lambda ring: ring.with_allowed(key))

    def run(self, script: str, *words: str, timeout: float = 60.0) -> str:
        """Run a script as from another host; return what it has printed on both."""
        code = _ELSEWHERE + textwrap.dedent(script)
        with self._begin("-c", code, *words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
            try:
                return process.communicate(timeout=timeout)[0]
            except BaseException:
                process.kill()
                raise

    def _begin(
        self,
        *words: str,
        stdin: int | None = None,
        stdout: int | None = None,
        stderr: int | None = None,
    ) -> "subprocess.Popen[str]":
        if self._forks is not None:
            return self._forks.begin(
                words, self._folder, self.environment, stdin=stdin, stdout=stdout, stderr=stderr
            )
        return subprocess.Popen(
            [*self._host, sys.executable, *words],
            env=self.environment,
            cwd=self._folder,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            text=True,
        )

    @contextmanager
    def script(self, text: str, *words: str) -> Iterator["subprocess.Popen[str]"]:
        """Have a script that runs meanwhile. It ends by itself when its stdin does."""
        code = _ELSEWHERE + textwrap.dedent(text)
        with self._begin("-c", code, *words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            try:
                yield process
            finally:
                assert process.stdin is not None
                process.stdin.close()
                try:
                    process.wait(30)
                except subprocess.TimeoutExpired:
                    process.kill()
                    raise

    @contextmanager
    def corps(self, source: str, tag: str, *options: str) -> Iterator["Listening"]:
        """Run an external Corps that listens."""
        file = self._folder / f"{tag}.py"
        file.write_text(textwrap.dedent(source))
        command = ["corps", "run", file.name, "--tag", tag, "--envs", "1", *options]
        with self._begin("-m", *command, stderr=subprocess.PIPE) as process:
            try:
                yield Listening(process)
            finally:
                if process.poll() is None:
                    process.terminate()
                process.wait(60)


class Listening:
    """A Corps that listens."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.said: list[str] = []
        self.addresses: list[str] = []
        assert process.stderr is not None
        for line in process.stderr:
            self.said.append(line)
            if line.startswith("corps: listens at "):
                self.addresses = line.removeprefix("corps: listens at ").strip().split(", ")
            if line.startswith("corps: serving"):
                return
        raise AssertionError("".join(self.said))
