"""How long strangers at the port of a Corps hold up an honest client.

``python -m benchmarks.strangers`` boots an external Corps that listens on the loopback. Another process, with
the same key ring, calls it over tcp, one call after the other, while this one has many connections open that
say nothing, or garbage. Those that are cut off are opened again at once. A table in Markdown says what the
client has seen.
"""

import argparse
import json
import math
import os
import secrets
import select
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from threading import Event, Thread
from typing import Final

import psutil

import corps
from corps.federation import border
from corps.federation.describing import record_of

CASES: Final = ((0, 0, 0), (200, 0, 0), (0, 200, 0), (200, 200, 0))
"""Connections that say nothing, such with garbage, and further ones each second that go at once."""
FULL: Final = ((0, 0, 0), (2000, 0, 0), (0, 0, 10_000), (2000, 0, 10_000))
"""The same at the size at which one machine attacks another one."""
_TICK: Final = 0.01  # seconds between two bursts of connections that go at once
_AT_ONCE: Final = struct.pack("ii", 1, 0)  # of SO_LINGER: closed without a port that waits afterwards
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
        connected: Seconds from nothing to the first answer; infinite if there was none.
        calls: Seconds of each call.
        opened: Connections of strangers that were made meanwhile.
        busy: Of a processor, what the busiest process of the Corps has used.
        after: Seconds from nothing to the first answer, when the strangers have just gone.
    """

    connected: float
    calls: list[float]
    opened: int
    busy: float
    after: float


class Strangers:
    """So many connections that say nothing, or garbage, in a thread."""

    def __init__(self, place: tuple[str, int], idle: int, garbage: int, brief: int) -> None:
        self.opened = 0
        self._brief = brief
        self._place = place
        self._wanted = {False: idle, True: garbage}
        self._is_over = Event()
        self._threads = [Thread(target=self._run, daemon=True)]
        if brief:
            self._threads.append(Thread(target=self._come_and_go, daemon=True))

    def __enter__(self) -> "Strangers":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        for thread in self._threads:
            thread.join()

    def _come_and_go(self) -> None:
        """Connect so many times a second, as far as this machine can, and go at once."""
        due = time.monotonic()
        while not self._is_over.wait(max(0.0, due - time.monotonic())):
            due = max(due + _TICK, time.monotonic())
            for _ in range(int(self._brief * _TICK)):
                with socket.socket() as sock, suppress(OSError):
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
                    sock.connect(self._place)
                    self.opened += 1

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
def _corps(environment: dict[str, str]) -> Iterator[tuple[str, int]]:
    """Have the Corps in processes of its own; gives its address, and the id of the first process."""
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
            yield address, process.pid
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


def _processor_times(process: psutil.Process) -> dict[int, float]:
    """Return the seconds of processor time of a process and those below it, by their ids."""
    found = {}
    for each in (process, *process.children(recursive=True)):
        with suppress(psutil.Error):
            times = each.cpu_times()
            found[each.pid] = times.user + times.system
    return found


def run(seconds: float, cases: Sequence[tuple[int, int, int]]) -> list[tuple[tuple[int, int, int], Seen]]:
    """Run all cases, each for so many seconds."""
    seen = []
    with ExitStack() as opened:
        ring = opened.enter_context(tempfile.TemporaryDirectory())
        environment = {**os.environ, "XDG_CONFIG_HOME": ring}
        address, pid = opened.enter_context(_corps(environment))
        serving = psutil.Process(pid)

        def ask(seconds: float) -> tuple[float, list[float]]:
            command = [sys.executable, "-m", "benchmarks.strangers", "--ask", address, str(seconds)]
            done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=False)
            connected, calls = json.loads(done.stdout) if done.returncode == 0 else (math.inf, [])
            return connected, calls

        host, _, port = address.removeprefix("tcp://").rpartition(":")
        for case in cases:
            with Strangers((host, int(port)), *case) as strangers:
                began, before = time.monotonic(), _processor_times(serving)
                connected, calls = ask(seconds)
                took, times = time.monotonic() - began, _processor_times(serving)
                busy = max(times[pid] - before.get(pid, 0.0) for pid in times) / took
            after, _ = ask(0.0)
            seen.append((case, Seen(connected, calls, strangers.opened, busy, after)))
    return seen


def table(seen: list[tuple[tuple[int, int, int], Seen]]) -> str:
    """Return what was seen as a table."""
    lines = [
        "| idle | garbage | brief ones a second | connections of strangers | busiest process | connect and "
        "first answer | call p50 | p99 | slowest | first answer after it |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for (idle, garbage, brief), each in seen:
        calls = each.calls if len(each.calls) > 1 else [math.inf, math.inf]  # it was not let in
        cuts = sorted(calls)[len(calls) // 2], sorted(calls)[len(calls) * 99 // 100]
        times = (each.connected, *cuts, max(calls), each.after)
        shown = " | ".join(f"{1000 * time:.2f} ms" for time in times)
        lines.append(
            f"| {idle} | {garbage} | {brief:,} | {each.opened:,} | {100 * each.busy:.0f} % | {shown} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Run the cases, or be one side of one."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--ask", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each case")
    parser.add_argument("--full", action="store_true", help="2 000 idle ones, and 10 000 more each second")
    given = parser.parse_args()
    if given.serve:
        _serve()
    elif given.ask is not None:
        _ask(given.ask[0], float(given.ask[1]))
    else:
        print(table(run(given.seconds, FULL if given.full else CASES)))


if __name__ == "__main__":
    main()
