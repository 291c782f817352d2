"""Strangers at the sockets of a real Corps, who say anything, and an honest caller beside them."""

import os
import random
import socket
import struct
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import corps
from corps.endpoints import TcpEndpoint, UnixEndpoint, read_endpoint
from corps.federation import border
from corps.federation.records import ConnectionRecord
from corps.testing.chaos.census import environment
from tests.fuzz.mutating import Mutator
from tests.fuzz.readers import stream_seeds
from tests.integration.other_corps import OtherCorps, other_corps

ECHO = """
import corps

class Echo(corps.Corps):
    def echo(self, value):
        return value
"""

EVERY = 500  # handshakes between two looks at the Corps
KEPT = 100  # connections that stay open and say nothing more
GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x01" + b"CURVE".ljust(20, b"\0") + bytes(32)
"""How a client begins by ZMTP 3.1 (https://rfc.zeromq.org/spec/37/) with CURVE."""

CURVE_HELLO = b"\x04\xc8\x05HELLO\x01\x00" + bytes(72) + bytes(32) + bytes(8) + bytes(80)
"""The first command behind it (https://rfc.zeromq.org/spec/26/), whose box no key opens."""


@dataclass
class Findings:
    """What a run has seen.

    Attributes:
        handshakes: Connections that were made.
        refused: Of these, those that could not be made.
        answers: Calls of the honest caller that were answered meanwhile.
        slowest: Seconds that the slowest of them took.
        grown: By how many bytes the processes of the Corps have grown, at most.
        descriptors: How many descriptors more they have in the end, at most.
    """

    handshakes: int = 0
    refused: int = 0
    answers: int = 0
    slowest: float = 0.0
    grown: int = 0
    descriptors: int = 0
    _before: dict[int, tuple[int, int]] = field(default_factory=dict)

    def begin(self, pids: list[int]) -> None:
        """Note how large the processes are."""
        self._before = {pid: (resident(pid), descriptors(pid)) for pid in pids}

    def look(self) -> None:
        """Note how much larger they have become."""
        for pid, (size, open_) in self._before.items():
            self.grown = max(self.grown, resident(pid) - size)
            self.descriptors = max(0, descriptors(pid) - open_)


def resident(pid: int) -> int:
    """Return the bytes of memory that a process has."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def descriptors(pid: int) -> int:
    """Return how many descriptors a process has open."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def attack(number: int, seed: int, *, over_tcp: bool) -> Findings:
    """Make so many connections to a Corps that does nothing else, each with bytes that are nearly right.

    They go to its port if they are `over_tcp`, and else to the sockets of its host.

    Raises:
        corps.CorpsError: The honest caller got no answer.
        ProcessLookupError, FileNotFoundError: A process of the Corps is gone.
    """
    with tempfile.TemporaryDirectory() as directory, ExitStack() as opened:
        settings: dict[str, Any] = {}
        if over_tcp:
            opened.enter_context(environment("XDG_CONFIG_HOME", directory))  # where the key ring lies
            # The honest caller does not take the short way to a Corps of its own host.
            opened.enter_context(patch.object(border, "is_far", lambda member, judge: bool(member.outside)))
            settings = {"listen": {"hosts": ["127.0.0.1"]}}
        target = opened.enter_context(other_corps(Path(directory), ECHO, **settings))
        return _attack(target, number, random.Random(seed), over_tcp=over_tcp)


def _attack(target: OtherCorps, number: int, chance: random.Random, *, over_tcp: bool) -> Findings:
    record = ConnectionRecord.from_json(target.record.read_bytes())
    streams = Mutator([seed[1:] for seed in stream_seeds()], chance)
    greetings = Mutator([GREETING + CURVE_HELLO, GREETING], chance)
    kind = TcpEndpoint if over_tcp else UnixEndpoint
    places = [place for place in map(read_endpoint, record.addresses) if isinstance(place, kind)]
    findings = Findings()
    open_: list[socket.socket] = []
    with corps.connect(str(places[0]) if over_tcp else target.record) as honest:
        honest.echo(0).result()
        findings.begin(list(target.pids.values()))
        for at in range(number):
            place = chance.choice(places)
            data = (greetings if isinstance(place, TcpEndpoint) else streams).next()
            try:
                connection = _connected(place)
                findings.handshakes += 1
                _say(connection, data)
                open_.append(connection)
            except OSError:
                findings.refused += 1
            while len(open_) > KEPT:
                open_.pop(chance.randrange(len(open_))).close()
            if at % EVERY == 0:
                began = time.monotonic()
                honest.echo(at).result(10.0)
                findings.slowest = max(findings.slowest, time.monotonic() - began)
                findings.answers += 1
                findings.look()
        for each in open_:
            each.close()
        honest.echo("last").result(10.0)
        for _ in range(10):  # a busy machine takes its time to see that they are closed
            time.sleep(1.0)
            findings.look()
            if not findings.descriptors:
                break
    return findings


def _connected(place: TcpEndpoint | UnixEndpoint) -> socket.socket:
    if isinstance(place, TcpEndpoint):
        return socket.create_connection((place.host, place.port), 5.0)
    connection = socket.socket(socket.AF_UNIX)
    # With a limit of Python's own, `connect` would not wait until the one that listens has room.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", 5, 0))
    connection.connect(place.path)
    return connection


def _say(connection: socket.socket, data: bytes) -> None:
    connection.setblocking(False)
    try:
        connection.send(data)
    except OSError:  # it has closed the connection already, or reads no more
        pass
