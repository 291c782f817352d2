"""A guard in each Env: it looks at what is refused there, and bans a key that asks for too much.

python examples/guard.py
"""

import asyncio
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import corps

MOST = 3  # refusals, after which a key is banned
SUSPECT = {"permission", "rate", "codec", "capability", "protocol", "credentials"}


class Guard(corps.Conc):
    """Bans keys of other users for good: the key ring of this user lets them in no more."""

    def __init__(self) -> None:
        self._refusals = corps.watch_refusals()
        self._counts: Counter[str] = Counter()

    async def start(self) -> None:
        self._looking = asyncio.create_task(self._look())

    async def _look(self) -> None:
        async for refusal in self._refusals:
            if refusal.kind not in SUSPECT or not refusal.key or refusal.identity == "own":
                continue
            self._counts[refusal.key] += 1
            if self._counts[refusal.key] == MOST:
                print(f"the guard bans {refusal.identity}: {refusal.kind}", flush=True)
                await asyncio.to_thread(keys, "revoke", refusal.key)


class Library(corps.Corps):
    """What others use."""

    def __init__(self) -> None:
        self.guards = corps.options().replicate(1, Guard)
        self.guard = corps.options(env="here").create(Guard)  # the front is what others reach first

    @corps.public
    def title(self, number: int) -> str:
        return f"volume {number}"


corps.allow(Library, identity="bob", rate=2)


def keys(*words: str) -> str:
    """Run ``corps keys``."""
    command = [sys.executable, "-m", "corps", "keys", *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def ask_for_too_much(address: str) -> None:
    """Be Bob, who does not know when to stop."""
    seen: Counter[str] = Counter()
    with corps.connect(address, Library) as library:
        print("bob reads", library.title(1).ret, flush=True)
        try:
            for _ in range(10_000):
                try:
                    library.title(2).result(60)
                except corps.Overloaded as error:
                    seen["try again later"] += error.retry_after is not None
                time.sleep(0.02)
        except corps.EnvLost:  # the key was revoked: the connection was cut
            print("bob heard 'try again later', and was cut off:", seen["try again later"] >= MOST)
    try:
        corps.connect(address)
    except corps.Unreachable:
        print("bob does not get in any more")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        ann, bob = Path(folder, "ann"), Path(folder, "bob")
        rings = ["--dir", str(ann / "corps" / "keys")], ["--dir", str(bob / "corps" / "keys")]
        of_ann, of_bob = (keys("new", "work", *mine).splitlines()[0] for mine in rings)
        keys("allow", "bob", of_bob, *rings[0])
        keys("allow", "ann", of_ann, *rings[1])
        os.environ["XDG_CONFIG_HOME"] = str(ann)
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        listen = {"hosts": ["127.0.0.1"], "port": port}
        how = {"external": True, "tag": "library", "listen": listen, "log_level": "ERROR"}
        with corps.boot(Library, envs=1, config=how):
            command = [sys.executable, __file__, f"tcp://ann@127.0.0.1:{port}"]
            of_bobs = {"XDG_CONFIG_HOME": str(bob), "CORPS_LISTEN__SILENCE": "2"}
            subprocess.run(command, env={**os.environ, **of_bobs}, check=True)


if __name__ == "__main__":
    if sys.argv[1:]:
        ask_for_too_much(sys.argv[1])
    else:
        main()
