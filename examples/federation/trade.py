"""A script and Corps of three users, each with a key ring of their own, over IPv4 and IPv6 on one host.

python examples/federation/trade.py

Ann's mill listens on IPv4, and Bob's bakery on IPv6. Carol's script orders at the bakery. The oven of the
bakery, a contained Corps, buys flour from the mill. On three hosts the commands are the same.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent


class User:
    """A person with a key ring, who runs programs."""

    def __init__(self, folder: Path, name: str, *host: str) -> None:
        self.name = name
        self.host = host  # the command that runs another one on the host of this user; none for this host
        self.environment = {**os.environ, "XDG_CONFIG_HOME": str(folder / name)}
        self.key = json.loads(self.run("-m", "corps", "keys", "new", "work", "--json"))["public"]

    def run(self, *words: str) -> str:
        """Run Python as this user does; return what it has printed."""
        done = subprocess.run(
            [*self.host, sys.executable, *words],
            cwd=HERE,
            env=self.environment,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        return done.stdout

    def allow(self, other: "User") -> None:
        """Let another user in, and take that user's Corps for what they are."""
        self.run("-m", "corps", "keys", "allow", other.name, other.key)

    def start(self, file: str, tag: str, listen: str) -> str:
        """Start a Corps that listens; return its address as others write it."""
        run = ["corps", "run", file, "--detach", "--tag", tag, "--envs", "1", "--listen", listen]
        said = self.run("-m", *run, "--log", os.devnull)
        (address,) = (word for word in said.split() if word.startswith("tcp://"))
        return address.replace("tcp://", f"tcp://{self.name}@")

    def stop(self, tag: str) -> None:
        """End a Corps in order."""
        self.run("-m", "corps", "stop", tag)


def trade(ann: User, bob: User, carol: User, mill_at: str, bakery_at: str) -> None:
    """Start both Corps where they are to listen, order something, and end them."""
    for one, other in ((ann, bob), (bob, carol)):
        one.allow(other)
        other.allow(one)
    carol.allow(ann)  # and not the other way round
    mill = ann.start("mill.py", "mill", mill_at)
    try:
        bakery = bob.start("bakery.py", "bakery", bakery_at)
        try:
            bob.run("-m", "corps", "call", "bakery", "buy_from", json.dumps(mill))
            print(carol.run("customer.py", bakery, mill), end="", flush=True)
        finally:
            bob.stop("bakery")
        print("the mill has sold:", ann.run("-m", "corps", "call", "mill", "books").strip())
    finally:
        ann.stop("mill")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        ann, bob, carol = (User(Path(place), name) for name in ("ann", "bob", "carol"))
        trade(ann, bob, carol, "tcp://127.0.0.1", "tcp://[::1]")
