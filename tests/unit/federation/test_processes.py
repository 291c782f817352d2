"""Claims about processes that are held: a signal reaches the one that is meant, or none."""

import os
import signal
import subprocess
import sys

from corps.federation.processes import children_of, hold, holding_family, wait_ended
from corps.process_stat import name_of_process

CHILD = [sys.executable, "-c", "print(flush=True); input()"]


def test_a_held_process_gets_signals_and_is_seen_to_end() -> None:
    with subprocess.Popen(CHILD, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        held = hold(child.pid, name_of_process(child.pid))
        assert held is not None
        assert not wait_ended([held], 0.0)
        held.send(signal.SIGTERM)
        assert wait_ended([held], None)
        child.wait()
        held.send(signal.SIGTERM)  # it has gone, and whatever has its id now is safe
        held.close()
        assert child.returncode == -signal.SIGTERM


def test_a_process_with_the_id_and_another_name_is_not_held() -> None:
    with subprocess.Popen(CHILD, stdin=subprocess.PIPE) as child:
        assert hold(child.pid, "1@another") is None
        assert hold(child.pid, "") is None
        child.communicate(b"\n")
    assert hold(child.pid, "") is None
    assert hold(2**40, "") is None


def test_a_family_is_the_template_and_its_children() -> None:
    code = (
        "import subprocess, sys; child = subprocess.Popen([sys.executable, '-c', 'input()'], "
        "stdin=subprocess.PIPE); print(child.pid, flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as template:
        assert template.stdout is not None
        env = int(template.stdout.readline())
        assert children_of(template.pid) == [env]
        with holding_family(os.getpid(), template.pid) as family:
            assert [each.pid for each in family] == [env, template.pid]
            assert not wait_ended(family, 0.0)
            template.communicate(b"\n")
            assert wait_ended(family, None)
        with holding_family(os.getpid(), template.pid) as family:
            assert family == []
