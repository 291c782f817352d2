"""Claims about the file of hosts: what it says, and that errors name the file, the entry and the value."""

from pathlib import Path
from typing import Any

import pytest

from corps.errors import ConfigError
from corps.host_file import read_hosts

FILE = """
lost_after = 20

[defaults]
user = "deploy"
python = "/opt/app/bin/python"

[[host]]
name = "a"
address = "10.77.0.11"
envs = 2
labels = { zone = "x", gpu = 1 }

[[host]]
name = "b"
advertise = ["[fd77::12]", "10.77.0.12"]
ports = "7000-7010"

[[host]]
name = "here"
launcher = "local"
envs = 1
"""


def test_a_file_says_which_hosts_there_are_and_which_envs_each_of_them_has(tmp_path: Path) -> None:
    path = tmp_path / "hosts.toml"
    path.write_text(FILE)
    hosts = read_hosts(path)
    a, b, here = hosts.hosts
    assert (a.user, a.python, a.launcher) == ("deploy", "/opt/app/bin/python", "ssh")
    assert a.all_labels == ["host=a", "zone=x", "gpu=1"]
    assert b.advertise == ("fd77::12", "10.77.0.12")
    assert hosts.homes == {1: "a", 2: "a", 3: "b", 4: "here"}
    assert hosts.local == here
    assert hosts.lost_after == 20.0


def test_without_a_local_host_the_booting_one_has_a_name_and_no_envs() -> None:
    hosts = read_hosts({"host": [{"name": "a"}]})
    assert (hosts.local.name, hosts.homes) == ("local", {1: "a"})


A = {"name": "a"}


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({}, r"hosts: wants one table \[\[host\]\] for each host"),
        ({"host": []}, r"wants one table \[\[host\]\]"),
        ({"host": [A], "defaults": {"name": "x"}}, r"\[defaults\] has 'name', which is no default"),
        ({"host": [A, 3]}, r"\[\[host\]\] number 2 is 3, and no table"),
        ({"host": [{"name": "a b"}]}, r"\[\[host\]\] number 1 \(a b\): name = 'a b': wants at most 64"),
        ({"host": [{}]}, r"number 1: name: Field required"),
        ({"host": [{**A, "password": "x"}]}, r"number 1 \(a\): password = 'x': Extra inputs"),
        ({"host": [{**A, "envs": -1}]}, r"envs = -1: "),
        ({"host": [{**A, "ports": "9-1"}]}, r"ports = '9-1': is a range that ends before"),
        ({"host": [{**A, "advertise": ["0.0.0.0"]}]}, r"advertise = \['0.0.0.0'\]: has '0.0.0.0'"),
        ({"host": [{**A, "advertise": ["fe80::1"]}]}, r"is an address of one link"),
        ({"host": [{**A, "command": ["{command}"]}]}, r'is for the launcher "subprocess"'),
        ({"host": [{**A, "launcher": "subprocess"}]}, r"has the launcher 'subprocess', and no `command`"),
        ({"host": [{**A, "launcher": "subprocess", "command": ["ssh"]}]}, r"has no \{command\}"),
        ({"host": [{**A, "launcher": "pigeon"}]}, r"launcher = 'pigeon': Input should be"),
        ({"host": [A, A]}, r"2 hosts have the name 'a'"),
        ({"host": [{**A, "envs": 0}]}, r"have 0 Envs together"),
        ({"host": [{"name": "local"}]}, r"the name 'local' is for a host with the launcher 'local'"),
        ({"host": [A], "lost_after": 2.0}, r"lost_after = 2.0: must be more than"),
        ({"host": [A], "hosts": []}, r"'hosts'"),
    ],
)
def test_an_entry_that_cannot_be_is_refused_with_its_place(table: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        read_hosts(table)


def test_an_error_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "hosts.toml"
    path.write_text('[[host]]\nname = "a"\nenvs = "two"\n')
    with pytest.raises(ConfigError, match=rf"{path}: \[\[host\]\] number 1 \(a\): envs = 'two'"):
        read_hosts(path)
