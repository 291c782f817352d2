"""Hosts of `tests.lines.namespaces` that OpenSSH reaches, with keys of their own. Needs root and ``sshd``."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.lines.namespaces import Hosts, why_no_hosts

_SSHD: Final = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
_PORT: Final = 22


def why_no_ssh() -> str:
    """Return why no host can be reached by OpenSSH; empty if some can."""
    if _SSHD is None:
        return "this machine lacks the command sshd"
    return why_no_hosts()


@dataclass(frozen=True)
class Ssh:
    """The files of a user who may log in to all hosts."""

    key: Path
    known_hosts: Path


@contextmanager
def ssh_on(hosts: Hosts, numbers: tuple[int, ...], folder: Path) -> Iterator[Ssh]:
    """Have a server of ssh listen on some hosts, at both of their addresses, for the time of a block."""
    os.makedirs("/run/sshd", exist_ok=True)
    ssh = Ssh(folder / "id", folder / "known_hosts")
    _new_key(ssh.key)
    with ExitStack() as undo:
        lines = []
        for number in numbers:
            host_key = folder / f"host_{number}"
            kind, public = _new_key(host_key)
            addresses = hosts.address(number), hosts.address_v6(number)
            lines += [f"{address} {kind} {public}\n" for address in addresses]
            log = undo.enter_context(open(folder / f"sshd_{number}.log", "wb"))
            server = subprocess.Popen(
                hosts.command(number, str(_SSHD), "-D", "-e", "-f", os.devnull, "-h", str(host_key))
                + _options(ssh.key, folder),
                stderr=log,
            )
            undo.callback(server.wait)
            undo.callback(server.kill)
            _await_server(hosts, number)
        ssh.known_hosts.write_text("".join(lines))
        yield ssh


def _options(key: Path, folder: Path) -> tuple[str, ...]:
    wanted = (
        "PasswordAuthentication=no",
        f"AuthorizedKeysFile={key}.pub",
        "StrictModes=no",
        "UsePAM=no",
        "PidFile=none",
        f"SetEnv=XDG_CACHE_HOME={folder / 'cache'}",
    )
    return tuple(word for each in wanted for word in ("-o", each))


def _new_key(path: Path) -> tuple[str, str]:
    """Make a key without a passphrase; return the kind and the public part."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
    kind, public, *_ = path.with_name(f"{path.name}.pub").read_text().split()
    return kind, public


def _await_server(hosts: Hosts, number: int) -> None:
    """Wait until something listens at the port of ssh there."""
    tries = f"import socket, time\nwhile socket.socket().connect_ex(('127.0.0.1', {_PORT})): time.sleep(0.02)"
    subprocess.run(hosts.command(number, "python3", "-c", tries), check=True, timeout=30)
