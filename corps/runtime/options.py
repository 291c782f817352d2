"""What an Env, and a worker, may be told when it is made. Values only."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EnvOptions:
    """What an Env needs to know of the settings; durations in seconds.

    Attributes:
        threads_min: Worker threads that are kept when idle.
        threads_max: Worker threads that may run at once, without those that wait inside corps.
        threads_idle: After so long an idle thread ends.
        mailbox: Requests that may wait for one worker, unless its options say otherwise.
        send_timeout: A sender waits so long for room; None for as long as it takes.
        exit_timeout: A worker that ends has so long for what it runs, and again for its cleanup.
        deadlock_probe: After so long a wait, other Envs are asked whether they wait for us.
    """

    threads_min: int = 1
    threads_max: int = 32
    threads_idle: float = 10.0
    mailbox: int = 10_000
    send_timeout: float | None = 30.0
    exit_timeout: float = 5.0
    deadlock_probe: float = 0.02


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """How a worker is to be created.

    Attributes:
        tag: The author's own mark.
        mailbox: Requests that may wait for it; None for the Env's default.
    """

    tag: str = ""
    mailbox: int | None = None
