"""Claims about a Corps over hosts with a network between them, which OpenSSH reaches by IPv4 and IPv6."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.integration.elsewhere import ROOT
from tests.lines.namespaces import Hosts
from tests.lines.ssh import Ssh, ssh_on, why_no_ssh

NO_SSH = why_no_ssh()

pytestmark = pytest.mark.skipif(NO_SSH != "", reason=NO_SSH)

APP = """
import json, os, sys
import corps

class Worker(corps.Conc):
    restart = corps.Restart()

    def where(self):
        return corps.my_host(), os.getpid()

    def ask(self, others):
        return [other.where().ret[0] for other in others]

    def size(self, data):
        return len(data)

class App(corps.Corps):
    def workers(self):
        return [corps.options(env=each).create(Worker) for each in corps.envs()]

def where(worker):
    try:
        return worker.where().result(90)
    except corps.EnvLost:  # the request was there
        return worker.where().result(90)

if __name__ == "__main__":
    with corps.boot(App, hosts=sys.argv[1]) as app:
        workers = app.workers().ret
        for line in sys.stdin:
            match line.strip():
                case "where":
                    answer = [where(each) for each in workers]
                case "ask":
                    answer = [each.ask([*{*workers} - {each}]).result(90) for each in workers]
                case "size":
                    answer = [each.size(bytes(20_000_000)).result(90) for each in workers]
            print(json.dumps(answer), flush=True)
"""


class Booting:
    """A process that boots on the first host, and answers to words."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def ask(self, word: str) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{word}\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


@pytest.fixture
def hosts() -> Iterator[Hosts]:
    with Hosts(3, ipv6=True) as hosts:
        yield hosts


@pytest.fixture
def ssh(hosts: Hosts, tmp_path: Path) -> Iterator[Ssh]:
    with ssh_on(hosts, (2, 3), tmp_path) as ssh:
        yield ssh


def write_hosts(folder: Path, hosts: Hosts, ssh: Ssh) -> Path:
    path = folder / "hosts.toml"
    path.write_text(f"""
beat = 0.2
suspect_after = 1
lost_after = 3

[defaults]
python = "{sys.executable}"
key = "{ssh.key}"
known_hosts = "{ssh.known_hosts}"

[[host]]
name = "a"
launcher = "local"

[[host]]
name = "b"
address = "{hosts.address(2)}"

[[host]]
name = "c"
address = "[{hosts.address_v6(3)}]"
advertise = ["{hosts.address_v6(3)}", "{hosts.address(3)}"]
""")
    return path


@contextmanager
def booted(folder: Path, hosts: Hosts, table: Path) -> Iterator[Booting]:
    app = folder / "app.py"
    app.write_text(APP)
    process = subprocess.Popen(
        hosts.command(1, sys.executable, str(app), str(table)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    with process:
        try:
            yield Booting(process)
            assert process.stdin is not None
            process.stdin.close()
            assert process.wait(60) == 0
        finally:
            process.kill()


def test_workers_on_three_hosts_ask_each_other_over_both_versions_of_ip(
    hosts: Hosts, ssh: Ssh, tmp_path: Path
) -> None:
    with booted(tmp_path, hosts, write_hosts(tmp_path, hosts, ssh)) as booting:
        where = booting.ask("where")
        assert [host for host, _ in where] == ["a", "b", "c"]
        assert [sorted(each) for each in booting.ask("ask")] == [["b", "c"], ["a", "c"], ["a", "b"]]
        assert booting.ask("size") == [20_000_000] * 3
    for _, pid in where:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_hosts_that_a_network_parts_end_their_envs_which_come_back_where_a_host_is(
    hosts: Hosts, ssh: Ssh, tmp_path: Path
) -> None:
    with booted(tmp_path, hosts, write_hosts(tmp_path, hosts, ssh)) as booting:
        (_, first), *parted = booting.ask("where")
        hosts.part()
        after = booting.ask("where")
        assert [host for host, _ in after] == ["a", "a", "a"]
        assert after[0][1] == first
        for _, pid in parted:
            with pytest.raises(ProcessLookupError):
                os.kill(pid, 0)
        hosts.heal_all()
        assert booting.ask("ask") == [["a", "a"]] * 3


def test_a_moment_without_a_network_costs_nothing(hosts: Hosts, ssh: Ssh, tmp_path: Path) -> None:
    with booted(tmp_path, hosts, write_hosts(tmp_path, hosts, ssh)) as booting:
        before = booting.ask("where")
        for _ in range(3):
            hosts.part()
            hosts.heal_all()
            assert booting.ask("where") == before


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("known_hosts", "/dev/null"), "host 'b', by ssh to 10.77.2.2: its key is not among the known hosts"),
        (("key", "other"), "host 'b', by ssh to 10.77.2.2: it takes no key of this user"),
        (("python", "/no/such/python"), "host 'b', by ssh to 10.77.2.2: its program ended with status 127"),
        (("address", "10.77.2.9"), "host 'b', by ssh to 10.77.2.9: no connection"),
    ],
)
def test_what_is_wrong_with_a_host_is_said(
    hosts: Hosts, ssh: Ssh, tmp_path: Path, change: tuple[str, str], says: str
) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "other")], check=True)
    key, value = change
    rows = {
        "name": "b",
        "address": hosts.address(2),
        "python": sys.executable,
        "key": str(ssh.key),
        "known_hosts": str(ssh.known_hosts),
        key: str(tmp_path / value) if value == "other" else value,
    }
    table = tmp_path / "hosts.toml"
    table.write_text("[[host]]\n" + "".join(f"{name} = {json.dumps(each)}\n" for name, each in rows.items()))
    app = tmp_path / "app.py"
    app.write_text(APP)
    ended = subprocess.run(
        hosts.command(1, sys.executable, str(app), str(table)),
        input="",
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "CORPS_BOOT_TIMEOUT": "20"},
        timeout=120,
    )
    assert f"EnvStartError: {says}" in ended.stderr


def test_the_file_of_ssh_holds_with_its_names_keys_and_jump_hosts(
    hosts: Hosts, ssh: Ssh, tmp_path: Path
) -> None:
    config = tmp_path / "ssh_config"
    config.write_text(f"""
Host jump
    HostName {hosts.address(2)}

Host far
    HostName {hosts.address(3)}
    ProxyJump jump

Host *
    IdentityFile {ssh.key}
    UserKnownHostsFile {ssh.known_hosts}
""")
    table = tmp_path / "hosts.toml"
    table.write_text(f"""
[[host]]
name = "c"
address = "far"
python = "{sys.executable}"
ssh_config = "{config}"
""")
    with booted(tmp_path, hosts, table) as booting:
        ((host, _),) = booting.ask("where")
        assert host == "c"


def test_the_demonstration_searches_over_three_hosts() -> None:
    demo = ROOT / "examples" / "hosts" / "demo.py"
    command = [sys.executable, str(demo), str(ROOT / "examples"), "corps"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert "6 Concs in 3 Envs" in ended.stdout, ended.stderr
    assert "the result equals that of the sequential search" in ended.stdout
