"""Claims about Corps of several users on hosts of their own, between which a firewall parts the network."""

import importlib.util
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType

import pytest

from tests.integration.elsewhere import ROOT, User
from tests.integration.numbers_over_a_border import ASK, COUNTER, Seen, stopped
from tests.lines.namespaces import Hosts, why_no_hosts

NO_HOSTS = why_no_hosts(firewall=True)

pytestmark = pytest.mark.skipif(NO_HOSTS != "", reason=NO_HOSTS)


@pytest.fixture
def hosts() -> Iterator[Hosts]:
    with Hosts(3, ipv6=True) as hosts:
        yield hosts


def example(name: str) -> ModuleType:
    path = ROOT / "examples" / "federation" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_example_runs_between_three_hosts_over_both_versions_of_ip(
    hosts: Hosts, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("XDG_RUNTIME_DIR", "")  # another registry: the example runs on this host too, at times
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    trade = example("trade")
    users = [
        trade.User(tmp_path, name, *hosts.command(number))
        for number, name in enumerate(("ann", "bob", "carol"), 1)
    ]
    trade.trade(*users, f"tcp://{hosts.address(1)}", f"tcp://[{hosts.address_v6(2)}]")
    said, errors = capfd.readouterr()
    assert said.splitlines() == [
        "rye bread 1: thank you, bob",
        "rye bread 2: thank you, bob",
        "where the bakery buys is not for customers to say",
        "the mill does not know Carol's key",
        'the mill has sold: {"bob": 2}',
    ], errors


# Partitions


def across(hosts: Hosts, folder: Path, seconds: float, *pairs: tuple[float, float]) -> list[Seen]:
    """Have scripts on one host call Corps on another one, while a firewall parts them for so many seconds.

    For each pair there is a Corps and a script. They take each other for gone after the first and the second
    number of seconds.
    """
    ann = User(folder, "ann", *hosts.command(1))
    bob = User(folder, "bob", *hosts.command(2))
    ann.allow(bob)
    bob.allow(ann)
    with ExitStack() as ends:
        scripts = []
        for number, (silence_there, silence_here) in enumerate(pairs):
            host = hosts.address(1) if number % 2 else f"[{hosts.address_v6(1)}]"
            options = ("--listen", f"tcp://{host}", "--set", f"listen.silence={silence_there}")
            listening = ends.enter_context(ann.corps(COUNTER, f"counter{number}", *options))
            address = listening.addresses[0].replace("tcp://", "tcp://ann@")
            patience = f"import os; os.environ['CORPS_LISTEN__SILENCE'] = '{silence_here}'\n"
            scripts.append(ends.enter_context(bob.script(patience + ASK, address)))
        for script in scripts:
            assert script.stdout is not None
            assert script.stdout.readline() == "running\n"
        with hosts.firewall():
            time.sleep(seconds)
        return [stopped(script) for script in scripts]


def test_a_partition_of_one_second_fails_nothing(hosts: Hosts, tmp_path: Path) -> None:
    for seen in across(hosts, tmp_path, 1.0, (10.0, 10.0), (10.0, 10.0)):
        seen.check()
        assert set(seen.became) == {"value"}


def test_a_partition_of_eight_seconds_fails_what_the_silence_says(hosts: Hosts, tmp_path: Path) -> None:
    patient, neither, there_only, here_only = across(
        hosts, tmp_path, 8.0, (30.0, 30.0), (2.0, 2.0), (2.0, 30.0), (30.0, 2.0)
    )
    for seen in (patient, neither, there_only, here_only):
        seen.check()
    assert set(patient.became) == {"value"}
    for seen in (neither, here_only):
        assert set(seen.became) > {"value"}, Counter(seen.became)
    # What was under way is unknown, and what came later was not sent.
    assert {"EnvLost unknown", "Unreachable no"} <= set(here_only.became), Counter(here_only.became)
