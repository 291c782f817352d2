"""The workers that are measured."""

import gc
import os
import threading
import time
from pathlib import Path
from typing import Any

import corps
from benchmarks.timing import Effort, each


def burn(n: int) -> int:
    """Keep a core busy for about 10 ms, in plain Python."""
    for i in range(150_000):
        n = (n * 31 + i) % 1_000_003
    return n


def resident() -> int:
    """The resident memory of this process, in bytes."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


def proportional() -> int:
    """The memory of this process in bytes, pages that it shares with others divided by their number."""
    for line in Path("/proc/self/smaps_rollup").read_text("ascii").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise OSError("the kernel does not tell the proportional memory")


class Worker(corps.Conc):
    """Does what is measured."""

    def __init__(self) -> None:
        self.value = 0

    def add(self, n: int) -> int:
        """Add `n`."""
        self.value += n
        return self.value

    def echo(self, value: Any) -> Any:
        """Give back what came."""
        return value

    def take(self, value: bytes) -> int:
        """Give back how much came."""
        return len(value)

    def burn(self, n: int) -> int:
        """See `burn`."""
        return burn(n)

    def sleep(self, seconds: float) -> None:
        """Occupy a thread, and no core."""
        time.sleep(seconds)

    def spin(self, seconds: float) -> None:
        """Occupy a core, in plain Python."""
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            pass

    def call(self, other: "corps.Name[Worker]", effort: Effort) -> list[float]:
        """Measure calls of another worker."""
        return each(lambda: other.add(1).ret)(effort)

    def where(self) -> int:
        """The id of the Env."""
        return self.my_env()

    def memory(self) -> tuple[int, int]:
        """The resident and the proportional memory of this process."""
        return resident(), proportional()


class Link(corps.Conc):
    """One of a ring."""

    def __init__(self) -> None:
        self.follower: corps.Name[Link] | None = None

    def join(self, follower: "corps.Name[Link]") -> None:
        """Say who is next."""
        self.follower = follower

    def hop(self, hops: int, done: threading.Event) -> None:
        """Pass it on, until it has hopped often enough."""
        if hops and self.follower is not None:
            self.follower.hop.send(hops - 1, done)
        else:
            done.set()


class App(corps.Corps):
    """Has a worker in each Env."""

    def __init__(self) -> None:
        self.workers = corps.options().create_per_env(1, Worker)

    def names(self) -> list[corps.Name[Worker]]:
        """The workers, one per Env."""
        return self.workers

    def count(self) -> int:
        """How many workers there are."""
        return len(self.workers)
