"""Claims about `corps doctor`, on this host and at real addresses."""

import json
import os
import resource
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest
import zmq

import corps
from corps.endpoints import Endpoint, Listening, TcpEndpoint, read_endpoint
from corps.launch.doctor.address import examine_address, examine_tag
from corps.launch.doctor.findings import Finding
from corps.launch.doctor.host import examine
from corps.launchers.local.runtime_dir import make_runtime_dir, remove_runtime_dir
from corps.security.keys import new_key_pair
from corps.transport.unix.transport import UnixTransport
from corps.transport.zeromq.transport import ZmqTransport
from corps.wire.frames import Hello
from tests.integration.test_links import has_ipv6
from tests.quiet import said_by

LIMIT = 60.0
HELLO = Hello("c" * 16, 1, "1" * 32)
HOSTS = ["127.0.0.1", pytest.param("::1", marks=pytest.mark.skipif(not has_ipv6(), reason="there is no ::1"))]


def run(*words: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "corps.cli.main", "doctor", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )


def found(**settings: object) -> dict[str, Finding]:
    findings = list(examine(corps.Settings.model_validate(settings), "1.0", []))
    assert len({each.check for each in findings}) == len(findings)
    return {each.check: each for each in findings}


def found_at(endpoint: Endpoint) -> dict[str, Finding]:
    return {each.check: each for each in examine_address(endpoint, corps.Settings())}


def states(findings: dict[str, Finding]) -> dict[str, str]:
    return {check: each.state for check, each in findings.items()}


def test_a_host_that_is_well_is_said_to_be(tmp_path: Path) -> None:
    ended = run(folder=tmp_path)
    assert (ended.returncode, said_by(ended.stderr)) == (0, "")
    lines = ended.stdout.splitlines()
    assert {line.split()[0] for line in lines} <= {"ok", "note"}
    assert [line[7:20].strip() for line in lines] == [
        "versions", "descriptors", "shared memory", "directory", "clock", "own name", "IPv6", "ports", "keys",
        "tags",
    ]  # fmt: skip


def test_what_is_wrong_is_in_the_exit_status_and_in_json(tmp_path: Path) -> None:
    ended = run("--json", "--set", "threads.max=0", folder=tmp_path)
    assert ended.returncode == 1
    first, *others = json.loads(ended.stdout)
    assert first["check"] == "settings"
    assert first["state"] == "wrong"
    assert "threads.max = 0" in first["says"]
    assert {each["state"] for each in others} <= {"ok", "note"}


def test_what_is_no_address_is_an_error_of_usage(tmp_path: Path) -> None:
    ended = run("tcp://::1:7000", folder=tmp_path)
    assert ended.returncode == 2
    assert "write tcp://[::1]:7000" in ended.stderr


def test_too_few_descriptors_are_found() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    finding = found(envs=1024)["descriptors"]
    assert finding.state == ("ok" if soft >= 8308 else "wrong")
    resource.setrlimit(resource.RLIMIT_NOFILE, (500, hard))
    try:
        assert found(envs=1)["descriptors"].state == "ok"
        finding = found(envs=100)["descriptors"]
        assert finding.state == "wrong"
        assert finding.do.startswith("raise the limit: ulimit -n ")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_directory_that_others_may_rename_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    os.chmod(tmp_path, 0o700)
    finding = found()["directory"]
    assert (finding.state, f"{tmp_path}/corps-{os.getuid()}" in finding.says) == ("ok", True)
    assert os.listdir(tmp_path / f"corps-{os.getuid()}") == []  # nothing is left


@pytest.mark.parametrize("host", ["127.0.0.1", "*"])
def test_ports_that_are_taken_are_counted(host: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        tcp = {"host": host, "ports": str(port), "allow_wildcard": True}
        finding = found(transport="tcp", envs=1, tcp=tcp)["ports"]
        assert finding.state == "wrong"
        assert finding.says.startswith("0 of 1 ports")
    assert found(transport="tcp")["ports"].state == "ok"


@pytest.fixture
def homes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The folder of the keys and that of the tags are in a folder of this test."""
    os.chmod(tmp_path, 0o700)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path


def test_a_key_ring_that_others_can_open_is_wrong(homes: Path) -> None:
    assert found()["keys"].state == "ok"
    folder = homes / "corps" / "keys"
    folder.mkdir(parents=True)
    os.chmod(folder, 0o755)
    finding = found()["keys"]
    assert (finding.state, str(folder) in finding.says) == ("wrong", True)


def test_the_file_of_a_tag_that_is_none_is_wrong(homes: Path) -> None:
    assert found()["tags"].says == "no Corps of this user has one"
    folder = homes / "corps"
    folder.mkdir(mode=0o700, exist_ok=True)
    os.chmod(folder, 0o700)
    with open(os.open(folder / "index.claim", os.O_CREAT | os.O_WRONLY, 0o600), "w") as file:
        file.write("no JSON")
    finding = found()["tags"]
    assert (finding.state, finding.says.startswith("index: ")) == ("wrong", True)
    assert finding.do == f"remove these files from {folder}"
    assert states({each.check: each for each in examine_tag("index", corps.Settings())}) == {"tag": "wrong"}


def test_a_tag_that_no_corps_has_is_wrong(homes: Path) -> None:
    (finding,) = examine_tag("nobody", corps.Settings())
    assert (finding.check, finding.state) == ("tag", "wrong")


def test_a_host_without_a_name_is_only_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "nowhere.invalid")
    assert found()["own name"].state == "note"


def test_what_cannot_be_looked_at_is_one_finding_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> object:
        raise OSError("planted")

    monkeypatch.setattr(resource, "getrlimit", fail)
    findings = found()
    assert states(findings)["descriptors"] == states(findings)["shared memory"] == "wrong"
    assert "planted" in findings["descriptors"].says
    assert findings["clock"].state == "ok"


def test_a_time_server_that_says_nothing_is_wrong() -> None:
    findings = list(examine(corps.Settings(), "1.0", ["[::1"]))
    assert findings[-1].check == "clock offset"
    assert findings[-1].state == "wrong"


@pytest.mark.parametrize("host", HOSTS)
def test_an_env_over_tcp_is_found(host: str) -> None:
    transport = ZmqTransport(HELLO, runtime_dir=None, listening=Listening(host), keys=new_key_pair())
    try:
        endpoint = read_endpoint(transport.endpoint)
        findings = found_at(endpoint)
        assert states(findings) == dict.fromkeys(("name", "way there", "protocol", "way back"), "ok")
        assert findings["protocol"].says == f"{endpoint} speaks ZMTP 3.1 with CURVE"
    finally:
        transport.close()


def test_zeromq_without_encryption_is_no_corps() -> None:
    with zmq.Context() as context, context.socket(zmq.ROUTER) as other:
        port = other.bind_to_random_port("tcp://127.0.0.1")
        finding = found_at(TcpEndpoint("127.0.0.1", port))["protocol"]
        assert (finding.state, "with NULL" in finding.says) == ("wrong", True)


@pytest.fixture
def web_server() -> Iterator[TcpEndpoint]:
    """It takes one connection, answers in HTTP, and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            for _ in range(2):  # the first one only looks whether it listens
                with listener.accept()[0] as sock:
                    if sock.recv(100):
                        sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = Thread(target=serve)
        thread.start()
        yield TcpEndpoint("127.0.0.1", listener.getsockname()[1])
        thread.join()


def test_another_program_at_the_port_is_found(web_server: TcpEndpoint) -> None:
    finding = found_at(web_server)["protocol"]
    assert (finding.state, finding.do) == ("wrong", "check the port: another program listens there")


def test_an_address_at_which_nothing_listens_is_wrong() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    findings = found_at(TcpEndpoint("127.0.0.1", port))
    assert states(findings) == {"name": "ok", "way there": "wrong"}
    assert states(found_at(TcpEndpoint("nowhere.invalid", 1))) == {"way there": "wrong"}


def test_a_socket_file_is_looked_at() -> None:
    directory = make_runtime_dir()
    transport = UnixTransport(HELLO, runtime_dir=directory)
    try:
        finding = found_at(read_endpoint(transport.endpoint))["way there"]
        assert (finding.state, f"process {os.getpid()} of user {os.getuid()}" in finding.says) == ("ok", True)
    finally:
        transport.close()
        remove_runtime_dir(directory)
    assert found_at(read_endpoint(transport.endpoint))["way there"].state == "wrong"
