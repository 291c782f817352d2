"""Ctrl-C in a main thread that waits for workers all the time."""

import subprocess
import sys
from pathlib import Path

from tests.quiet import said_by

ROOT = Path(__file__).parents[2]

SCRIPT = """
import os, signal, threading
import corps

class Counter(corps.Conc):
    def __init__(self): self.value = 0
    def add(self): self.value += 1; return self.value

INTERRUPTS = 40

with corps.env(threads=2) as env:
    counters = [env.create(Counter) for _ in range(3)]
    may_come = threading.Semaphore(0)

    def interrupt():
        for number in range(INTERRUPTS):
            assert may_come.acquire(timeout=20), f"interrupt {number - 1} was never raised"
            os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    seen = 0
    while seen < INTERRUPTS:
        try:
            may_come.release()
            while True:
                for counter in counters:
                    counter.add().ret
                corps.wait_all([counter.add() for counter in counters])
        except KeyboardInterrupt:
            seen += 1
    thread.join()
    values = [counter.add().result(20) for counter in counters]
    assert all(value > 0 for value in values)
    assert env.statistics()["workers"] == 4
print("sound")
"""


def test_many_interrupts_of_a_tight_loop_of_calls_leave_every_worker_sound() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=ROOT, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "sound\n"
    assert said_by(done.stderr) == ""
