"""Claims about what tells a process from a later one with its id."""

import os
import signal
import subprocess
import sys

from corps.process_stat import name_of_process, process_stat


def test_a_process_keeps_its_name_and_another_one_has_another() -> None:
    mine = name_of_process(os.getpid())
    assert mine
    assert mine == name_of_process(os.getpid())
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert name_of_process(child.pid) not in {"", mine}
        found = process_stat(child.pid)
        assert found is not None
        assert found.parent == os.getpid()


def test_a_process_that_has_ended_has_no_name_even_if_nobody_has_waited_for_it() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    try:
        assert name_of_process(child.pid) == ""
    finally:
        child.wait()
    assert process_stat(child.pid) is None


def test_a_process_may_have_any_name() -> None:
    code = "import ctypes; ctypes.CDLL(None).prctl(15, b') Z 1 ('); print(flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        found = process_stat(child.pid)
        assert found is not None
        assert found.parent == os.getpid()
        child.send_signal(signal.SIGKILL)


def test_an_id_that_cannot_be_belongs_to_no_process() -> None:
    assert name_of_process(0) == ""
    assert name_of_process(-1) == ""
    assert name_of_process(2**40) == ""
