"""The one place that declares each setting, with its meaning, unit, limits and default.

All else is derived: `config` finds the values, the page of the reference and the words of errors are
generated, and `runtime.options.EnvOptions` has the same names. The values are frozen, and validated when they
are made. They stay in the process that made them; an Env gets EnvOptions instead, and so needs no pydantic.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator

from corps.endpoints import is_wildcard, read_host, read_listening, read_ports
from corps.exporting import exported
from corps.machine import MIB, MOST_ENVS, cores, quarter_of_memory

LOG_LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")

WEIGHT: Final = (
    r"^[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}=([1-9][0-9]?|100)$"  # of a client, as `weights_of` reads it
)

ENV_ID: Final = re.compile(r"[1-9][0-9]{0,2}|10[01][0-9]|102[0-4]")  # of an Env with workers, as a key


def _number_as_text(value: Any) -> Any:
    """Let ``ports = 5000`` in a file mean the same as ``ports = "5000"``."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _none_word(value: Any) -> Any:
    """Let files and variables, which know no None, write "none"."""
    return None if isinstance(value, str) and value.strip().lower() == "none" else value


def _setting(default: Any, doc: str, *, allowed: str | None = None, **limits: Any) -> Any:
    """Declare a field with its meaning and, where its limits do not say it already, what it takes."""
    source: dict[str, Any] = {"default_factory": default} if callable(default) else {"default": default}
    return Field(
        **source, description=doc, json_schema_extra={"allowed": allowed} if allowed else None, **limits
    )


class _Group(BaseModel):
    """Frozen values without unknown keys. Strict: a text is no number, and a number no truth value."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Threads(_Group):
    """The threads that run workers, per Env."""

    min: int = _setting(1, "Worker threads that are kept even when idle.", ge=1, le=10_000)
    max: int = _setting(32, "Worker threads at most.", ge=1, le=10_000, validate_default=True)
    idle: float = _setting(10.0, "Seconds after which an idle thread above the minimum ends.", ge=0)

    @field_validator("max")
    @classmethod
    def _not_below_min(cls, value: int, info: ValidationInfo) -> int:
        least = info.data.get("min", value)
        if value < least:
            raise ValueError(f"must not be less than threads.min, which is {least}")
        return value


def _words(value: Any) -> Any:
    """Let a text of words with commas between them, or a list, be a tuple."""
    if isinstance(value, str):
        value = [each.strip() for each in value.split(",") if each.strip()]
    return tuple(value) if isinstance(value, list) else value


class Window(_Group):
    """Flow control: what may be on its way to one peer until senders must wait."""

    requests: int = _setting(1000, "Unanswered requests per peer at most.", ge=1)
    bytes: int = _setting(64 * MIB, "Bytes of unanswered requests per peer at most.", ge=1)
    foreign_requests: int = _setting(
        10_000, "Unanswered requests of all Envs of other Corps together, per Env. They share them.", ge=1
    )
    foreign_bytes: int = _setting(
        64 * MIB, "Bytes of unanswered requests of all Envs of other Corps together, per Env.", ge=1
    )
    weights: Annotated[tuple[Annotated[str, Field(pattern=WEIGHT)], ...], BeforeValidator(_words)] = _setting(
        (),
        "How large the shares of clients of other Corps are beside each other, by users: weight 3 gets three "
        "times as much as 1, if all want more. `own` is this user; the others have 1.",
        allowed='a list of users with numbers from 1 to 100, such as "bob=3"',
    )


class SharedMemory(_Group):
    """Large buffers between the Envs of a host go through memory that both see, if `transport` is `unix`."""

    bytes: int = _setting(
        quarter_of_memory,
        "Bytes that one Env may fill for others. More goes through the sockets.",
        ge=MIB,
    )
    kept: int = _setting(256 * MIB, "Bytes of it that are kept when free, to be used again.", ge=0)


class EnvRestart(_Group):
    """An Env whose process dies gets another one, but not without end."""

    max: int = _setting(5, "Processes that one Env gets for dead ones, within the time.", ge=0)
    within: float = _setting(60.0, "Seconds within which they are counted.", gt=0)


class Beat(_Group):
    """An Env that gives no sign of life any more hangs: it is killed, and gets another process."""

    every: float = _setting(1.0, "Seconds between two signs of life of an Env.", ge=0.01)
    suspect: float = _setting(
        3.0,
        "Seconds without a sign after which it may hang, which is logged. At least three times `beat.every`.",
        gt=0,
        validate_default=True,
    )
    dead: Annotated[float | None, BeforeValidator(_none_word)] = _setting(
        10.0,
        "Seconds without a sign after which it is killed; `None`: never. More than `beat.suspect`, and more "
        "than any call into C takes that does not give the GIL back.",
        gt=0,
        validate_default=True,
    )

    @field_validator("suspect")
    @classmethod
    def _not_at_once(cls, value: float, info: ValidationInfo) -> float:
        every = info.data.get("every", 0.0)
        if value < 3 * every:
            raise ValueError(f"must not be less than three times beat.every, which is {every}")
        return value

    @field_validator("dead")
    @classmethod
    def _after_suspect(cls, value: float | None, info: ValidationInfo) -> float | None:
        suspect = info.data.get("suspect", 0.0)
        if value is not None and value <= suspect:
            raise ValueError(f"must be more than beat.suspect, which is {suspect}")
        return value


class Tcp(_Group):
    """Where an Env listens, if `transport` is `tcp`."""

    allow_wildcard: bool = _setting(False, "Allow a `tcp.host` that means every interface of the machine.")
    host: str = _setting(
        "127.0.0.1",
        "Where to listen. `*`, `0.0.0.0` and `::` are refused unless `tcp.allow_wildcard` is true.",
        allowed="a host name, an address, or the name of an interface",
        pattern=r"^[^\s/@]{1,255}$",
    )
    ports: Annotated[str, BeforeValidator(_number_as_text)] = _setting(
        "0",
        'The ports to listen on: one for each Env, the front, and this process; `"0"` takes any free one.',
        allowed='"0", a port such as "5000", or a range such as "5000-5010"',
        pattern=r"^(0|[1-9][0-9]{0,4}(-[1-9][0-9]{0,4})?)$",
    )

    @field_validator("host")
    @classmethod
    def _no_wildcard(cls, host: str, info: ValidationInfo) -> str:
        if is_wildcard(host) and not info.data.get("allow_wildcard", True):
            raise ValueError(
                "would listen on every interface of the machine; name one address, "
                "or set tcp.allow_wildcard to true"
            )
        read_host(host)
        return host

    @field_validator("ports")
    @classmethod
    def _is_range(cls, text: str) -> str:
        read_ports(text)
        return text

    def port_range(self) -> range:
        """Return the ports that may be used, in the order in which to try them; ``range(0, 1)``: any port."""
        return read_ports(self.ports)


class Listen(_Group):
    """Where the Envs of an external Corps listen over tcp for Corps and scripts of other hosts and users."""

    allow_wildcard: bool = _setting(
        False, "Allow a host that means every interface of the machine. It needs `listen.advertise`."
    )
    hosts: Annotated[tuple[str, ...], BeforeValidator(_words)] = _setting(
        (),
        "The hosts on which to listen, best first. None: no port is open, and only this user on this host "
        "reaches the Corps.",
        allowed='a list of names and addresses, such as "127.0.0.1" and "::1"',
    )
    port: Annotated[str, BeforeValidator(_number_as_text)] = _setting(
        "0",
        'The port of the front, to which others connect; `"0"` takes any free one.',
        allowed='"0", a port such as "7000", or a range such as "7000-7010"',
        pattern=r"^(0|[1-9][0-9]{0,4}(-[1-9][0-9]{0,4})?)$",
    )
    ports: Annotated[str, BeforeValidator(_number_as_text)] = _setting(
        "0",
        'The ports of all other Envs, and of the process that boots; `"0"` takes any free ones.',
        allowed='"0", a port such as "7001", or a range such as "7001-7010"',
        pattern=r"^(0|[1-9][0-9]{0,4}(-[1-9][0-9]{0,4})?)$",
    )
    advertise: Annotated[str | None, BeforeValidator(_none_word)] = _setting(
        None,
        "The host that others connect to, where that is not the one that is bound, as behind a router; with "
        "a port, that of the front. `None`: what is bound.",
        allowed="a name or an address, perhaps with a port",
        min_length=1,
        validate_default=True,
    )
    silence: float = _setting(
        10.0,
        "Seconds after which an Env behind a network counts as gone, if nothing comes of it. A network that "
        "fails for less loses nothing.",
        ge=0.1,
        le=3600,
    )

    @field_validator("hosts")
    @classmethod
    def _no_wildcards(cls, hosts: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        for host in hosts:
            read_host(host)
            if is_wildcard(host) and not info.data.get("allow_wildcard", True):
                raise ValueError(
                    f"would listen on every interface of the machine at {host!r:.60}; name one address, "
                    "or set listen.allow_wildcard to true"
                )
        return hosts

    @field_validator("port", "ports")
    @classmethod
    def _are_ranges(cls, text: str) -> str:
        read_ports(text)
        return text

    @field_validator("advertise")
    @classmethod
    def _can_listen(cls, value: str | None, info: ValidationInfo) -> str | None:
        known = info.data
        if {"hosts", "port"} <= known.keys():
            for host in known["hosts"]:
                read_listening(host, known["port"], value, allow_wildcard=True, where="listen")
        return value


def _listed(value: Any) -> Any:
    """Let a text of names with commas between them, or a list, be a tuple; a name alone be a component."""
    if isinstance(value, str):
        value = [each.strip() for each in value.split(",") if each.strip()]
    if not isinstance(value, list | tuple):
        return value
    return tuple({"use": each} if isinstance(each, str) else each for each in value)


def _names(value: Any) -> Any:
    """Let a list be a tuple."""
    return tuple(value) if isinstance(value, list) else value


class Timers(_Group):
    """Timers that are kept while the Corps does not run."""

    path: str | None = _setting(
        None,
        "The file in which durable timers are kept (SQLite), which is made if it is not there. Each Corps "
        "needs its own. `None`: there can be none.",
        allowed="a path",
        min_length=1,
    )


class Component(_Group):
    """A worker that a Corps starts with itself."""

    use: str = Field(min_length=1, max_length=1000)  # "package.module:Class", or the name of an entry point
    name: str | None = Field(default=None, min_length=1)  # its tag in the Dir; None for that of the class
    needs: Annotated[tuple[str, ...], BeforeValidator(_names)] = ()
    required: bool = True
    where: Literal["env", "corps"] = "env"
    arguments: dict[str, Any] = Field(default_factory=dict)  # for its constructor, by name


class Autoload(_Group):
    """Workers that a Corps starts with itself, before the Corps object: see the guide on components."""

    components: Annotated[tuple[Component, ...], BeforeValidator(_listed)] = _setting(
        (),
        "What to start, as `package.module:Class`, or as tables with `use`, `name`, `needs`, `required`, "
        "`where` and `arguments`.",
        allowed='a list of texts such as "package.module:Class", and of tables with the keys use, name, '
        'needs, required, where ("env" or "corps") and arguments',
    )
    entry_points: bool = _setting(
        False, "Start what installed packages offer in the entry point group `corps.autoload`, too."
    )


def _variables(value: Any) -> Any:
    """Let a variable be a number."""
    if not isinstance(value, Mapping):
        return value
    return {
        name: str(each) if isinstance(each, int | float) and not isinstance(each, bool) else each
        for name, each in value.items()
    }


class EnvSettings(_Group):
    """What one Env has, and the others have not."""

    env: Annotated[dict[str, str], BeforeValidator(_variables)] = Field(default_factory=dict)
    nice: int | None = Field(default=None, ge=-20, le=19)
    cpus: Annotated[tuple[Annotated[int, Field(ge=0)], ...], BeforeValidator(_names)] = ()
    labels: Annotated[tuple[Annotated[str, Field(min_length=1)], ...], BeforeValidator(_names)] = ()

    @field_validator("env")
    @classmethod
    def _are_variables(cls, value: dict[str, str]) -> dict[str, str]:
        for name, text in value.items():
            if not name or "=" in name or "\0" in name or "\0" in text:
                raise ValueError(f"has an environment variable that cannot be: {name!r:.80} = {text!r:.80}")
        return value


class Log(_Group):
    """Where the log records of all Envs go together. Without a sink here, each Env logs for itself."""

    console: bool = _setting(
        False, "Show the records of all Envs on the stderr of the process that boots, with their workers."
    )
    file: Annotated[str | None, BeforeValidator(_none_word)] = _setting(
        None, "A file to which the records are appended as lines for people.", allowed="a path", min_length=1
    )
    json_lines: Annotated[str | None, BeforeValidator(_none_word)] = _setting(
        None, "A file to which the records are appended as lines of JSON.", allowed="a path", min_length=1
    )
    publish: Annotated[str | None, BeforeValidator(_none_word)] = _setting(
        None,
        "Where a ZeroMQ PUB socket publishes the records, as PyZMQ's own handler of `logging` does.",
        allowed='an address to bind to, such as "tcp://127.0.0.1:5557"',
        min_length=1,
    )
    rotate_bytes: int = _setting(
        16 * MIB, "Bytes at which such a file is renamed, and another one begun; 0: never.", ge=0
    )
    rotate_kept: int = _setting(5, "Renamed files that are kept.", ge=0, le=10_000)
    queue: int = _setting(
        10_000,
        "Records that may wait in an Env, and at a sink. What comes on top is dropped, and counted.",
        ge=1,
        le=10_000_000,
    )
    last_bytes: int = _setting(
        262_144,
        "Bytes of a file in which each Env has its last records, so that its sudden end loses none; 0: none.",
        ge=0,
        le=2**30,
    )
    warnings: bool = _setting(False, "Make log records of what `warnings` shows, in the Envs.")
    uncaught: bool = _setting(
        True, "Make log records of exceptions that end a thread of the application, in the Envs."
    )
    output: bool = _setting(
        False, "Make log records of the lines that Envs print, which then are shown by the sinks alone."
    )


class Audit(_Group):
    """Where what Envs have refused is written down."""

    file: Annotated[str | None, BeforeValidator(_none_word)] = _setting(
        None,
        "A file to which each Env appends what it refuses, as lines of JSON. The Env stands in its name: "
        "`refusals.jsonl` becomes `refusals.env1.jsonl`.",
        allowed="a path",
        min_length=1,
    )
    rotate_bytes: int = _setting(
        16 * MIB, "Bytes at which such a file is renamed, and another one begun; 0: never.", ge=0
    )
    rotate_kept: int = _setting(5, "Renamed files that are kept.", ge=0, le=10_000)


class Permissions(_Group):
    """What callers of other owners may ask for."""

    rules: Annotated[tuple[dict[str, Any], ...], BeforeValidator(_names)] = _setting(
        (),
        "Who of other owners may call what, as tables: `class` is the name of a class of workers, `identity` "
        "a user or `*`, `key` a fingerprint; `methods`, `verbs`, `rate` and `bytes` are as in `corps.allow`.",
        allowed="a list of tables with some of the keys class, identity, key, methods, verbs, rate and bytes",
    )


class Authentication(_Group):
    """What says for which user a caller asks, beside its key: one of the first three, or none."""

    authenticator: Annotated[str | None, BeforeValidator(_none_word)] = _setting(
        None,
        "An object with a method `check(credentials)`, or a class of such, as `package.module:name`.",
        allowed="a name such as package.module:name",
        min_length=1,
    )
    tokens: Annotated[str | None, BeforeValidator(_none_word)] = _setting(
        None,
        'A file with the hashes of the secret tokens of users, as TOML: `bob = "sha256:..."`. It is read '
        "again when it changes.",
        allowed="a path",
        min_length=1,
    )
    jwt_key: Annotated[str | None, BeforeValidator(_none_word)] = _setting(
        None,
        "A file with the key that checks JSON Web Tokens: a shared key, or a public one as PEM. It needs "
        "`pip install 'corps[jwt]'`.",
        allowed="a path",
        min_length=1,
    )
    jwt_algorithms: Annotated[tuple[str, ...], BeforeValidator(_words)] = _setting(
        (), "The algorithms that may have signed such tokens.", allowed='a list of names such as "ES256"'
    )
    jwt_audience: str = _setting("", "Whom such tokens have to be for: their claim `aud`.", allowed="a text")
    jwt_issuer: Annotated[str | None, BeforeValidator(_none_word)] = _setting(
        None,
        "Who has to have made them: their claim `iss`. `None`: anybody who has the key.",
        allowed="a text",
        min_length=1,
    )
    jwt_identity: str = _setting("sub", "The claim that names the user.", allowed="a text", min_length=1)
    jwt_leeway: float = _setting(
        0.0, "Seconds by which the clock of the one who made them may differ.", ge=0, le=3600
    )
    owner: bool = _setting(
        False, "Whether Corps and scripts of the owner have to present credentials too, not only others."
    )
    timeout: float = _setting(
        10.0, "Seconds that a check of credentials may take; then they are refused.", ge=0.1, le=600
    )
    recheck: float = _setting(
        5.0,
        "Seconds between two checks of credentials that count: one that was revoked, or whose time is over, "
        "counts no more then.",
        ge=0.1,
        le=86_400,
    )


@exported
class Settings(_Group):
    """All settings of a Corps. Immutable.

    Raises:
        pydantic.ValidationError: A value is not allowed.
    """

    envs: int = _setting(
        cores, "Env processes to start for workers; one more is the front.", ge=1, le=MOST_ENVS
    )
    tag: str = _setting(
        "",
        "A label of this run, to tell its processes and log lines from those of others.",
        allowed="at most 64 letters, digits, dots, underscores and hyphens",
        pattern=r"^[A-Za-z0-9._-]{0,64}$",
    )
    external: bool = _setting(
        False,
        "Whether other Corps and scripts of this user can reach the Corps, by its `tag`. It needs one then, "
        "which no other external Corps of the user has on this host.",
    )
    per_env: dict[str, EnvSettings] = _setting(
        dict,
        "What single Envs have: tables by the id of the Env or `front`. `env` are environment variables, "
        "`nice` is the priority, `cpus` are the cores that it may use, `labels` say what it is for. A file "
        "writes `[envs.2]`, too, and then the number of Envs as `count` in `[envs]`.",
        allowed='tables for ids from "1" to "1024" or "front", each with some of the keys env, nice, cpus '
        "and labels",
    )
    threads: Threads = Threads()
    env_restart: EnvRestart = EnvRestart()
    beat: Beat = Beat()
    mailbox: int = _setting(10_000, "Requests that may wait at one worker.", ge=1)
    window: Window = Window()
    send_timeout: Annotated[float | None, BeforeValidator(_none_word)] = _setting(
        30.0, "Seconds that a sender waits for room in a mailbox or window, until it is `Overloaded`.", ge=0
    )
    working_every: float = _setting(
        5.0,
        "Seconds between two signs of life of an Env to one of another Corps that waits for its answer: see "
        "`Future.alive`.",
        ge=0.05,
        le=86_400,
    )
    codec: Literal["pickle", "dill"] = _setting(
        "pickle", "What packs code and values. `pickle` is faster, `dill` packs more kinds of objects."
    )
    out_of_band: int = _setting(
        65_536, "Bytes from which a buffer travels as a frame of its own, without a copy.", ge=0
    )
    transport: Literal["unix", "ipc", "tcp"] = _setting(
        "unix",
        "How Envs reach each other. `unix` (UNIX sockets, the fastest) and `ipc` (ZeroMQ) use files that "
        "only this user can open; `tcp` (ZeroMQ, encrypted) uses ports.",
    )
    shared_memory: SharedMemory = SharedMemory()
    tcp: Tcp = Tcp()
    listen: Listen = Listen()
    autoload: Autoload = Autoload()
    timers: Timers = Timers()
    max_message: int = _setting(
        64 * MIB, "Bytes of a frame at most. What is larger is refused.", ge=1024, le=2**40
    )
    handshake_timeout: float = _setting(3.0, "Seconds that a peer may take to prove who it is.", gt=0)
    boot_timeout: float = _setting(30.0, "Seconds that all Envs together may take to start.", gt=0)
    exit_timeout: float = _setting(5.0, "Seconds that a worker may take to end, until it is given up.", ge=0)
    grace: float = _setting(5.0, "Seconds that a process may take to end, until it is killed.", ge=0)
    finish_timeout: float = _setting(
        0.0,
        "Seconds for what was asked before the end of the Corps to be begun and answered still; 0: what has "
        "not begun is refused.",
        ge=0,
    )
    shutdown_timeout: float = _setting(
        10.0, "Seconds that the end of a Corps may take; then its processes are killed.", gt=0
    )
    deadlock_probe: float = _setting(
        0.02, "Seconds that a wait lasts until a cycle of waiting workers is looked for.", gt=0
    )
    spin: float = _setting(
        0.0002,
        "Seconds that a thread which reads from links, or natively one that waits for another thread, looks "
        "before it sleeps, while that pays; 0 saves power.",
        ge=0,
        le=0.01,
    )
    dead_letters: int = _setting(
        1000, "Dead letters that each Env keeps, without what was in them: the last ones.", ge=0, le=1_000_000
    )
    switch_interval: float = _setting(
        0.001,
        "Seconds that a worker which computes may keep the interpreter of its Env from all others (`sys."
        "setswitchinterval`); not in the process that boots.",
        ge=0.00001,
        le=1,
    )
    executable: str | None = _setting(
        None,
        "The Python interpreter to start processes with; `None`: that of the process that boots. For "
        "programs that have no interpreter of their own, because they are frozen or embed Python.",
        allowed="a path, or a name that is found",
        min_length=1,
    )
    log_level: str = _setting(
        "WARNING",
        "What is logged at least, in Envs whose application has not set up logging when it was loaded.",
        allowed=f"one of {', '.join(LOG_LEVELS)}",
    )

    @field_validator("per_env")
    @classmethod
    def _are_ids(cls, value: dict[str, EnvSettings]) -> dict[str, EnvSettings]:
        for each in value:
            if each != "front" and not ENV_ID.fullmatch(each):
                raise ValueError(f'has a table for {each!r:.80}: wants ids from "1" to "1024", or "front"')
        return value

    log: Log = Log()
    audit: Audit = Audit()
    permissions: Permissions = Permissions()
    authentication: Authentication = Authentication()

    @field_validator("log_level")
    @classmethod
    def _is_level(cls, value: str) -> str:
        if value.upper() not in LOG_LEVELS:
            raise ValueError(f"must be one of {', '.join(LOG_LEVELS)}")
        return value.upper()
