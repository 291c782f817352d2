"""A Corps that takes numbers, a script of another user that sends them, and what both say of each number."""

import json
import subprocess
from collections import Counter
from dataclasses import dataclass

COUNTER = """
import corps

class Counter(corps.Corps):
    def __init__(self):
        self.taken = []

    @corps.public
    def take(self, number: int) -> int:
        self.taken.append(number)
        return number

    @corps.public
    def all_taken(self) -> list[int]:
        return self.taken
"""

# Sends numbers until it is told to stop, at most eight at once. Then it says what became of each, and which
# of them the Corps has seen.
ASK = """
import json, sys, threading, time

class Counter(corps.Corps):
    @corps.public
    def take(self, number: int) -> int: ...
    @corps.public
    def all_taken(self) -> list[int]: ...

stop = threading.Event()
threading.Thread(target=lambda: (sys.stdin.readline(), stop.set()), daemon=True).start()
became = {}

def settle(number, future):
    try:
        became[number] = "value" if future.result(120) == number else "wrong"
    except corps.CorpsError as error:
        became[number] = f"{type(error).__name__} {getattr(error, 'executed', None)}"

with corps.connect(sys.argv[1], Counter) as counter:
    waits, number = [], 0
    while not stop.is_set():
        while len(waits) < 8:
            waits.append((number, counter.take(number)))
            number += 1
        settle(*waits.pop(0))
        if became[len(became) - 1] != "value":
            time.sleep(0.05)
        if len(became) == 100:
            print("running", flush=True)
    for each in waits:
        settle(*each)
    while True:  # the network is there again
        try:
            print(json.dumps([list(became.values()), counter.all_taken().result(120)]), flush=True)
            break
        except corps.EnvLost:
            time.sleep(0.05)
"""


@dataclass
class Seen:
    """What became of the numbers that a script has sent, and which of them the Corps has taken."""

    became: list[str]
    taken: list[int]

    def check(self) -> None:
        """Check that nothing was done twice, out of order, or against what its sender was told."""
        assert self.taken == sorted(set(self.taken))
        taken = set(self.taken)
        allowed = {"value", "EnvLost no", "EnvLost unknown", "Unreachable no", "Unreachable unknown"}
        assert set(self.became) <= allowed, Counter(self.became)
        for number, became in enumerate(self.became):
            if became == "value":
                assert number in taken
            elif became.endswith(" no"):
                assert number not in taken, (number, became)


def stopped(script: "subprocess.Popen[str]") -> Seen:
    """Have a script of `ASK` stop, and return what it has to say."""
    assert script.stdin is not None
    assert script.stdout is not None
    script.stdin.write("stop\n")
    script.stdin.flush()
    return Seen(*json.loads(script.stdout.readline()))
