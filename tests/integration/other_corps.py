"""An external Corps in a process of its own, for tests that reach it from outside."""

import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]

_HOST = """
import json, os, sys
import corps
from corps.addresses import FRONT
from corps.federation.describing import record_of

if __name__ == "__main__":
    path, record, settings = sys.argv[1:]
    with corps.boot(path, config=json.loads(settings)) as app:
        env = app._running.env
        with open(os.open(record + ".part", os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
            file.write(record_of(env, app, "other").to_json())
        os.rename(record + ".part", record)
        pids = {place.process.env_id: place.process.pid for place in app._running._parts.membership.places()}
        print(json.dumps(pids), flush=True)
        sys.stdin.read()
"""


@dataclass
class OtherCorps:
    """A Corps that runs in processes that are no children of this one's Corps."""

    record: Path  # its connection file
    booting: "subprocess.Popen[str]"
    pids: Mapping[int, int]  # of its Envs when it had started

    def kill_env(self, env_id: int) -> None:
        """Kill the first process of an Env."""
        os.kill(self.pids[env_id], signal.SIGKILL)

    def kill(self) -> None:
        """Kill all of it."""
        self.booting.kill()
        for pid in self.pids.values():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.booting.wait()


@contextmanager
def other_corps(
    folder: Path, source: str, *, envs: int = 1, name: str = "other", **settings: Any
) -> Iterator[OtherCorps]:
    """Boot an external Corps in a process of its own; end it in order at the end."""
    place = folder / name
    place.mkdir()
    (place / "host.py").write_text(_HOST)
    app = place / f"{name}_app.py"
    app.write_text(textwrap.dedent(source))
    record = place / "record.json"
    known = json.dumps({"envs": envs, "external": True, "tag": name, **settings})
    with subprocess.Popen(
        [sys.executable, str(place / "host.py"), str(app), str(record), known],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=place,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as booting:
        assert booting.stdout is not None
        assert booting.stdin is not None
        pids = {int(env): pid for env, pid in json.loads(booting.stdout.readline()).items()}
        other = OtherCorps(record, booting, pids)
        try:
            yield other
        except BaseException:
            other.kill()
            raise
        finally:
            if booting.poll() is None:
                booting.stdin.close()
                booting.wait(60)
