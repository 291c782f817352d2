"""What an Env, and a worker, may be told when it is made. Values only."""

from dataclasses import dataclass
from typing import NamedTuple

from corps.supervision.restarts import Restart


@dataclass(frozen=True, slots=True)
class EnvOptions:
    """What an Env needs to know of the settings. Plain data, for it crosses to its process.

    Durations are in seconds.

    Attributes:
        threads_min: Worker threads that are kept when idle.
        threads_max: Worker threads that may run at once, without those that wait inside corps.
        threads_idle: After so long an idle thread ends.
        mailbox: Requests that may wait for one worker, unless its options say otherwise.
        send_timeout: A sender waits so long for room; None for as long as it takes.
        exit_timeout: A worker that ends has so long for what it runs, and again for its cleanup.
        deadlock_probe: After so long a wait, other Envs are asked whether they wait for us.
        shutdown_timeout: The workers that a worker has created have so long for their end.
        grace: The Env itself has so long for its end.
        window_requests: Unanswered requests that may be on their way to one peer.
        window_bytes: Bytes of unanswered requests that may be on their way to one peer.
        codec: What packs values for other Envs.
        out_of_band: Bytes from which a buffer travels as a frame of its own.
        transport: The kind of its links.
        shared_bytes: Bytes of shared memory that it may fill for others.
        shared_kept: Bytes of it that are kept when free.
        tcp_host: Where it listens over TCP.
        tcp_ports: The first and the last port that it may listen on; 0 and 0 for any.
        max_message: Bytes of a frame at most, over TCP.
        handshake_timeout: A peer has so long to prove who it is.
        spin: Whoever reads looks for a message for so long before it sleeps.
        dead_letters: So many of the last dead letters are kept.
        switch_interval: A worker may keep the interpreter from all others for so long.
        beat_every: It shows that it lives once in so many seconds; None: it does not.
        beat_dead: It is given up after so many seconds without that; None: never.
        log_level: What its process logs at least.
    """

    threads_min: int
    threads_max: int
    threads_idle: float
    mailbox: int
    send_timeout: float | None
    exit_timeout: float
    shutdown_timeout: float
    deadlock_probe: float
    grace: float
    window_requests: int
    window_bytes: int
    codec: str
    out_of_band: int
    transport: str
    shared_bytes: int
    shared_kept: int
    tcp_host: str
    tcp_ports: tuple[int, int]
    max_message: int
    handshake_timeout: float
    spin: float
    dead_letters: int
    switch_interval: float
    beat_every: float | None
    beat_dead: float | None
    log_level: str


class WorkerOptions(NamedTuple):
    """How a worker is to be created.

    Attributes:
        tag: The author's own mark.
        mailbox: Requests that may wait for it; None for the Env's default.
        restart: What is declared about its failures; None for nothing: it is not restarted.
    """

    tag: str = ""
    mailbox: int | None = None
    restart: Restart | None = None
