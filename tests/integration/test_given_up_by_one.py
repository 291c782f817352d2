"""Claims about two Corps of which one has taken the other for gone, though it lives: both begin anew."""

import socket
from pathlib import Path

from tests.forks import Forks
from tests.integration.elsewhere import User
from tests.integration.numbers_over_a_border import ASK, COUNTER, stopped
from tests.lines.proxy import Proxy

COUNTED = (
    COUNTER
    + """
    def clients(self):
        env = self._corps_own_cell().env
        return len([number for number in env.peers._peers if number >= 2 ** 40])
"""
)

# Says when it is the only client.
ALONE = """
import sys, time
with corps.connect(sys.argv[1]) as counter:
    while counter.clients().ret > 1:
        time.sleep(0.02)
    print("alone", flush=True)
    sys.stdin.read()
"""


def test_who_was_given_up_while_nothing_of_it_came_through_hears_of_it_and_runs_nothing_twice(
    tmp_path: Path, forks: Forks
) -> None:
    ann, bob = User(tmp_path, "ann", forks=forks), User(tmp_path, "bob", forks=forks)
    ann.allow(bob)
    bob.allow(ann)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    options = ("--listen", f"127.0.0.1:{port}", "--set", "listen.silence=1")
    patient = "import os; os.environ['CORPS_LISTEN__SILENCE'] = '60'\n"
    with (
        ann.corps(COUNTED, "counter", *options),
        Proxy(f"tcp://127.0.0.1:{port}") as proxy,
        bob.script(patient + ASK, proxy.endpoint.replace("tcp://", "tcp://ann@")) as script,
    ):
        assert script.stdout is not None
        assert script.stdout.readline() == "running\n"
        proxy.stall()
        with ann.script(ALONE, f"tcp://127.0.0.1:{port}") as alone:
            assert alone.stdout is not None
            assert alone.stdout.readline() == "alone\n"
            proxy.go_on()
            seen = stopped(script)
    seen.check()
    assert "EnvLost unknown" in seen.became
    assert set(seen.became) <= {"value", "EnvLost unknown"}
