"""The options of an Env, and of a worker. Values only."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple, get_args

from corps.supervision.restarts import Restart


@dataclass(frozen=True, slots=True)
class EnvOptions:
    """What an Env needs to know of the settings. Plain data, because it crosses to its process.

    Each is the setting of that name, which `corps.settings` explains: `threads_min` is `threads.min`. Four
    differ: `tcp_ports` is the first and the last port, 0 and 0 for any; `beat_every` is None where
    `beat_dead` is; `log_now` is what was chosen while the Corps ran, for a process that comes late.
    `border_secret` never stands in a setting: each boot makes a new one.
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
    window_foreign_requests: int
    window_foreign_bytes: int
    window_weights: Sequence[str]
    working_every: float
    codec: str
    out_of_band: int
    transport: str
    shared_memory_bytes: int
    shared_memory_kept: int
    tcp_host: str
    tcp_ports: tuple[int, int]
    listen_hosts: Sequence[str]
    listen_port: str
    listen_ports: str
    listen_advertise: str | None
    listen_allow_wildcard: bool
    listen_silence: float
    max_message: int
    handshake_timeout: float
    spin: float
    dead_letters: int
    switch_interval: float
    timers_path: str | None
    beat_every: float | None
    beat_dead: float | None
    log_level: str
    log_now: Sequence[Any]
    log_console: bool
    log_file: str | None
    log_json_lines: str | None
    log_rotate_bytes: int
    log_rotate_kept: int
    log_publish: str | None
    log_queue: int
    log_last_bytes: int
    log_warnings: bool
    log_uncaught: bool
    log_output: bool
    audit_file: str | None
    audit_rotate_bytes: int
    audit_rotate_kept: int
    permissions_rules: tuple[dict[str, Any], ...]  # of callers of other owners; `env_options` has judged them
    authentication_authenticator: str | None
    authentication_tokens: str | None
    authentication_jwt_key: str | None  # the path of a file
    authentication_jwt_algorithms: Sequence[str]
    authentication_jwt_audience: str
    authentication_jwt_issuer: str | None
    authentication_jwt_identity: str
    authentication_jwt_leeway: float
    authentication_owner: bool
    authentication_timeout: float
    authentication_recheck: float
    border_secret: bytes = field(repr=False)  # of an external Corps; empty for every other one


WhenFull = Literal["wait", "raise", "drop_oldest"]
"""What becomes of a request for which its worker has no room: see `corps.options`."""
WHEN_FULL: Final = get_args(WhenFull)


class WorkerOptions(NamedTuple):
    """How a worker is to be created."""

    tag: str = ""  # the author's own mark
    mailbox: int | None = None  # requests that may wait for it; None for the Env's default
    restart: Restart | None = None  # what is declared about its failures; None: it is not restarted
    at_once: int | None = None  # how many functions of a Funcs may run; None for what its class says
    when_full: WhenFull | None = None  # None for what its class says
