"""The file of the hosts of a Corps, `hosts.toml`: how each is reached, and how many Envs it gets.

A host is a table ``[[host]]``; what many have in common stands once in ``[defaults]``. No secret belongs in
the file: keys are named by their paths, or come from an agent. The values are frozen, and validated when they
are made.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from corps.endpoints import is_wildcard, read_host, read_ports
from corps.errors import ConfigError
from corps.toml_reading import read_toml

_T = TypeVar("_T", bound=BaseModel)

COMMAND: Final = "{command}"
"""What stands for the program in the words of a command, as the launcher `by_command` knows it."""

MOST: Final = 1024  # Envs of a Corps
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_PORTS: Final = r"^(0|[1-9][0-9]{0,4}(-[1-9][0-9]{0,4})?)$"
_OF_DEFAULTS: Final = (
    "launcher",
    "user",
    "python",
    "envs",
    "ports",
    "port",
    "ssh_config",
    "known_hosts",
    "key",
)


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _text(value: Any) -> Any:
    """Let a number be a text, but no truth value."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


_Path = Annotated[str, Field(min_length=1)]


class HostConfig(BaseModel):
    """One host. Immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: str
    launcher: Literal["ssh", "subprocess", "local"] = "ssh"
    address: str | None = None  # where OpenSSH listens, or a name of the file of ssh; None: the name
    port: int | None = Field(default=None, ge=1, le=65535)  # of OpenSSH; None: that of the file of ssh
    user: str | None = Field(default=None, min_length=1)
    python: str | None = Field(default=None, min_length=1)  # the interpreter there
    envs: int = Field(default=1, ge=0, le=MOST)
    advertise: Annotated[
        tuple[str, ...], BeforeValidator(_tuple)
    ] = ()  # addresses for other hosts, best first
    ports: Annotated[str, BeforeValidator(_text), Field(pattern=_PORTS)] = "0"  # on which its Envs listen
    labels: dict[str, Annotated[str, BeforeValidator(_text), Field(min_length=1)]] = Field(
        default_factory=dict
    )
    command: Annotated[tuple[str, ...], BeforeValidator(_tuple)] = ()  # words, for the launcher `subprocess`
    ssh_config: _Path | None = None  # None: ~/.ssh/config
    known_hosts: _Path | None = None  # None: ~/.ssh/known_hosts
    key: _Path | None = None  # of a private key; None: the agent, and the usual files

    @field_validator("name")
    @classmethod
    def _is_name(cls, value: str) -> str:
        if not _NAME.fullmatch(value):
            raise ValueError("wants at most 64 letters, digits, dots, underscores and hyphens")
        return value

    @field_validator("advertise")
    @classmethod
    def _are_addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        found = tuple(map(read_host, value))
        for each in found:
            if is_wildcard(each):
                raise ValueError(f"has {each!r:.60}, which is no address that others could connect to")
        return found

    @field_validator("ports")
    @classmethod
    def _are_ports(cls, value: str) -> str:
        read_ports(value)
        return value

    @field_validator("command")
    @classmethod
    def _has_place(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if info.data.get("launcher") != "subprocess":
            raise ValueError('is for the launcher "subprocess"')
        if not any(COMMAND in each for each in value):
            raise ValueError(f"has no {COMMAND}, in the place of which comes what is to be started")
        return value

    @property
    def all_labels(self) -> list[str]:
        """Return the labels that its Envs have: `host=NAME`, and `KEY=VALUE` for each of its own."""
        return [f"host={self.name}", *(f"{key}={value}" for key, value in self.labels.items())]


class HostFile(BaseModel):
    """All of the file. Immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    hosts: tuple[HostConfig, ...]
    beat: float = Field(default=1.0, ge=0.05, le=60)  # seconds between two signs of a host
    suspect_after: float = Field(default=3.0, gt=0, le=3600)  # seconds of silence until a host is suspect
    lost_after: float = Field(default=10.0, ge=1, le=3600)  # seconds of silence until a host is lost

    @field_validator("lost_after")
    @classmethod
    def _after_suspect(cls, value: float, info: ValidationInfo) -> float:
        least = max(info.data.get("suspect_after", 0.0), 4 * info.data.get("beat", 0.0))
        if value <= least:
            raise ValueError(f"must be more than suspect_after and four times beat, which is {least:g}")
        return value

    @property
    def local(self) -> HostConfig:
        """Return the host of the booting process: the one with the launcher `local`, or a plain one."""
        found = [host for host in self.hosts if host.launcher == "local"]
        return found[0] if found else HostConfig(name="local", launcher="local", envs=0)

    @property
    def homes(self) -> dict[int, str]:
        """Return the host of each Env: they are numbered from 1, in the order of the file."""
        names = [host.name for host in self.hosts for _ in range(host.envs)]
        return dict(enumerate(names, 1))


def read_hosts(given: "str | Path | Mapping[str, Any]") -> HostFile:
    """Read the hosts from a file, or from a mapping that stands for one.

    Raises:
        ConfigError: It cannot be read, or a value cannot be. The text names the file, the host and the value.
    """
    if isinstance(given, str | Path):
        path = Path(given)
        return _checked(read_toml(path), f"file {path.absolute()}")
    return _checked(dict(given), "hosts")


def _checked(table: dict[str, Any], where: str) -> HostFile:
    if "hosts" in table:
        raise ConfigError(f"{where}: has 'hosts'; each host is a table [[host]]")
    defaults, rows = table.pop("defaults", {}), table.pop("host", None)
    if not isinstance(defaults, dict) or not isinstance(rows, list) or not rows:
        raise ConfigError(f"{where}: wants one table [[host]] for each host, and perhaps a table [defaults]")
    if strange := sorted(set(defaults) - set(_OF_DEFAULTS)):
        raise ConfigError(
            f"{where}: [defaults] has {strange[0]!r:.80}, which is no default of hosts; those are "
            f"{', '.join(_OF_DEFAULTS)}"
        )
    hosts: list[HostConfig] = []
    for number, row in enumerate(rows, 1):
        entry = f"[[host]] number {number}"
        if not isinstance(row, dict):
            raise ConfigError(f"{where}: {entry} is {row!r:.80}, and no table")
        if isinstance(row.get("name"), str):
            entry += f" ({row['name']:.80})"
        hosts.append(_valid(HostConfig, {**defaults, **row}, f"{where}: {entry}"))
    _check_together(hosts, where)
    return _valid(HostFile, {**table, "hosts": tuple(hosts)}, where)


def _check_together(hosts: list[HostConfig], where: str) -> None:
    names = [host.name for host in hosts]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"{where}: {names.count(name)} hosts have the name {name!r}")
    local = [host.name for host in hosts if host.launcher == "local"]
    if len(local) > 1:
        raise ConfigError(f"{where}: the hosts {', '.join(local)} are local, and only one can be")
    if "local" in names and not local:
        raise ConfigError(f"{where}: the name 'local' is for a host with the launcher 'local'")
    total = sum(host.envs for host in hosts)
    if not 1 <= total <= MOST:
        raise ConfigError(f"{where}: all hosts have {total} Envs together, and from 1 to {MOST} can be")
    for host in hosts:
        if host.launcher == "subprocess" and not host.command:
            raise ConfigError(f"{where}: host {host.name!r} has the launcher 'subprocess', and no `command`")


def _valid(kind: type[_T], values: dict[str, Any], where: str) -> _T:
    try:
        return kind(**values)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"])) or "it"
        shown = "" if first["type"] == "missing" else f" = {first['input']!r:.120}"
        message = first["msg"].removeprefix("Value error, ")
        raise ConfigError(f"{where}: {key}{shown}: {message}") from None
