"""How long strangers at the port of a Corps hold up an honest client.

``python -m benchmarks.strangers`` boots an external Corps that listens on the loopback. Another process, with
the same key ring, calls it over tcp, one call after the other, while this one has many connections open that
say nothing, or garbage. Those that are cut off are opened again at once. A table in Markdown says what the
client has seen.
"""

import argparse
import json
import os
import secrets
import select
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from threading import Event, Thread
from typing import Final

import corps
from corps.federation import border
from corps.federation.describing import record_of

CASES: Final = ((0, 0), (200, 0), (0, 200), (200, 200))
_PACE: Final = 0.02  # seconds between two looks at what was cut off
_GARBAGE: Final = 4096  # bytes


class Echo(corps.Corps):
    """What everybody wants to reach."""

    def echo(self, value: int) -> int:
        """Return it."""
        return value


@dataclass(frozen=True, slots=True)
class Seen:
    """What a client has seen.

    Attributes:
        connected: Seconds from nothing to the first answer.
        calls: Seconds of each call.
        opened: Connections of strangers that were made meanwhile.
    """

    connected: float
    calls: list[float]
    opened: int


class Strangers:
    """So many connections that say nothing, or garbage, in a thread."""

    def __init__(self, place: tuple[str, int], idle: int, garbage: int) -> None:
        self.opened = 0
        self._place = place
        self._wanted = {False: idle, True: garbage}
        self._is_over = Event()
        self._thread = Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Strangers":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _run(self) -> None:
        left: dict[int, tuple[socket.socket, bool]] = {}
        cut = select.poll()
        while not self._is_over.is_set():
            for fd, _ in cut.poll(_PACE * 1000) if left else ():
                cut.unregister(fd)
                left.pop(fd)[0].close()
            for speaks, wanted in self._wanted.items():
                for _ in range(wanted - sum(each is speaks for _, each in left.values())):
                    sock = socket.create_connection(self._place)
                    self.opened += 1
                    left[sock.fileno()] = sock, speaks
                    cut.register(sock, select.POLLRDHUP)
                    if speaks:
                        with suppress(OSError):
                            sock.sendall(secrets.token_bytes(_GARBAGE))
        for sock, _ in left.values():
            sock.close()


@contextmanager
def _corps(environment: dict[str, str]) -> Iterator[str]:
    """Have the Corps in processes of its own; gives its address."""
    command = [sys.executable, "-m", "benchmarks.strangers", "--serve"]
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        if not address:
            raise RuntimeError("the Corps did not start")
        try:
            yield address
        finally:
            process.stdin.close()


def _serve() -> None:
    """Be the Corps, until the input ends."""
    config = {"listen": {"hosts": ["127.0.0.1"]}}
    tag = f"strangers-{os.getpid()}"
    with corps.boot(Echo, envs=1, external=True, tag=tag, config=config) as app:
        addresses = record_of(app._running.env, app, tag).addresses
        print(next(each for each in addresses if each.startswith("tcp:")), flush=True)
        sys.stdin.read()


def _ask(address: str, seconds: float) -> None:
    """Be the client, and print what it has seen."""
    border.is_far = lambda member, judge: bool(member.outside)  # as if the Corps were on another host
    began = time.monotonic()
    calls = []
    with corps.connect(address) as app:
        app.echo(0).result()
        connected = time.monotonic() - began
        while time.monotonic() - began < seconds:
            before = time.perf_counter()
            app.echo(1).result()
            calls.append(time.perf_counter() - before)
    print(json.dumps([connected, calls]))


def run(seconds: float) -> list[tuple[tuple[int, int], Seen]]:
    """Run all cases, each for so many seconds."""
    seen = []
    with ExitStack() as opened:
        ring = opened.enter_context(tempfile.TemporaryDirectory())
        environment = {**os.environ, "XDG_CONFIG_HOME": ring}
        address = opened.enter_context(_corps(environment))
        host, _, port = address.removeprefix("tcp://").rpartition(":")
        for idle, garbage in CASES:
            with Strangers((host, int(port)), idle, garbage) as strangers:
                command = [sys.executable, "-m", "benchmarks.strangers", "--ask", address, str(seconds)]
                done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
            connected, calls = json.loads(done.stdout)
            seen.append(((idle, garbage), Seen(connected, calls, strangers.opened)))
    return seen


def table(seen: list[tuple[tuple[int, int], Seen]]) -> str:
    """Return what was seen as a table."""
    lines = [
        "| idle | garbage | connections of strangers | connect and first answer | call p50 | p99 | slowest |",
        "|---|---|---|---|---|---|---|",
    ]
    for (idle, garbage), each in seen:
        cuts = statistics.quantiles(each.calls, n=100)
        times = (each.connected, cuts[49], cuts[98], max(each.calls))
        shown = " | ".join(f"{1000 * time:.2f} ms" for time in times)
        lines.append(f"| {idle} | {garbage} | {each.opened:,} | {shown} |")
    return "\n".join(lines)


def main() -> None:
    """Run the cases, or be one side of one."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--ask", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each case")
    given = parser.parse_args()
    if given.serve:
        _serve()
    elif given.ask is not None:
        _ask(given.ask[0], float(given.ask[1]))
    else:
        print(table(run(given.seconds)))


if __name__ == "__main__":
    main()
