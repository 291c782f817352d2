"""Ctrl-C in a main thread that runs workers while it waits for them."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

SCRIPT = """
import os, signal, threading
import corps

class Counter(corps.Conc):
    def __init__(self): self.value = 0
    def add(self): self.value += 1; return self.value

INTERRUPTS = 150

with corps.env(threads=2) as env:
    counters = [env.create(Counter) for _ in range(3)]
    caught = threading.Semaphore(0)

    def interrupt():
        for number in range(INTERRUPTS):
            os.kill(os.getpid(), signal.SIGINT)
            assert caught.acquire(timeout=20), f"interrupt {number} was never raised"

    thread = threading.Thread(target=interrupt)
    thread.start()
    seen = 0
    while seen < INTERRUPTS:
        try:
            while True:
                for counter in counters:
                    counter.add().ret
                corps.wait_all([counter.add() for counter in counters])
        except KeyboardInterrupt:
            seen += 1
            caught.release()
    thread.join()
    values = [counter.add().result(20) for counter in counters]
    assert all(value > 0 for value in values)
    assert env.statistics()["workers"] == 4
print("sound")
"""


def test_a_hundred_interrupts_of_a_tight_loop_of_calls_leave_every_worker_sound() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=ROOT, capture_output=True, text=True, timeout=55, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "sound\n"
    assert done.stderr == ""
