"""How fair a worker is to clients of other Corps, and what a flood of them does to its memory and neighbours.

``python -m benchmarks.fairness`` boots an external Corps with a worker, and a neighbour of it in the same
Env. Other processes call the worker. Each thread of an honest process waits for each of its answers. A greedy
process has as many calls under way as it is let. A table in Markdown says what each case has shown.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any, Final

import psutil

import corps

HONEST: Final = "honest"
GREEDY: Final = "greedy"
_WARM_UP: Final = 1.0  # seconds that are not counted
_PATIENCE: Final = 120.0  # seconds that all clients may take to start


class Served(corps.Conc):
    """The worker that everybody wants."""

    def work(self, seconds: float, payload: bytes = b"") -> int:
        """Take so long, whatever comes with it."""
        time.sleep(seconds)
        return len(payload)


class Neighbour(corps.Conc):
    """Another worker of its Env, which says in which process that is."""

    def pid(self) -> int:
        """The process."""
        return os.getpid()


class Place(corps.Corps):
    """The Corps that they belong to."""

    def __init__(self) -> None:
        options = corps.options(env=1)
        self._workers = options.create(Served), options.create(Neighbour)

    def workers(self) -> tuple[Any, Any]:
        """Hand out their Names."""
        return self._workers


@dataclass(frozen=True, slots=True)
class Case:
    """Who calls at once.

    Attributes:
        name: For the table.
        processes: That are honest.
        threads: Of each of them.
        greedy: Processes that have as much under way as they may.
        takes: Seconds that a call takes.
        payload: Bytes that a greedy call carries.
    """

    name: str
    processes: int
    threads: int
    greedy: int
    takes: float = 0.001
    payload: int = 0


@dataclass(frozen=True, slots=True)
class Seen:
    """What a case has shown.

    Attributes:
        honest: Answers of each client.
        greedy: Answers of each greedy process.
        grown: Bytes by which the serving process had grown at most.
        neighbour: The rate of a caller of the neighbour, against that before the clients came.
    """

    honest: Sequence[int]
    greedy: Sequence[int]
    grown: int
    neighbour: float

    @property
    def slowest(self) -> float:
        """What the slowest client has got of the mean of all."""
        return min(self.honest) / max(1.0, statistics.fmean(self.honest))

    @property
    def against_greedy(self) -> float | None:
        """What an honest process has got, against a greedy one; None if there are none of these."""
        return (
            statistics.fmean(self.honest) / max(1.0, statistics.fmean(self.greedy)) if self.greedy else None
        )


CASES: Final = (
    Case("100 clients in 5 processes", 5, 20, 0),
    Case("4 clients, and 2 greedy ones", 4, 1, 2),
    Case("4 clients, and 2 greedy ones that send 1 MiB a call", 4, 1, 2, payload=2**20),
    Case("2 clients, and 4 greedy ones, of a worker that sleeps for 100 ms", 2, 1, 4, 0.1, 2**16),
    Case("1 000 clients in 20 processes", 20, 50, 0),
)


class _Client:
    """A process that calls, as the process that measures sees it."""

    def __init__(self, kind: str, tag: str, case: Case, seconds: float) -> None:
        words = [kind, tag, json.dumps(asdict(case)), repr(seconds)]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.fairness", "--client", *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def wait_ready(self) -> None:
        assert self._process.stdout is not None
        if not self._process.stdout.readline():
            raise RuntimeError("a client has ended before it began")

    def go(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()

    def counts(self) -> list[int]:
        counts: list[int] = json.loads(self._process.communicate(timeout=_PATIENCE)[0])
        return counts


def _be_client(kind: str, tag: str, case: Case, seconds: float) -> None:
    """Be a process that calls: say that it is ready, wait for a word, and print how many answers came."""
    with corps.connect(tag, Place) as place:
        served, _ = place.workers().ret
        served.work(0.0).result()
        print("ready", flush=True)
        sys.stdin.readline()
        begin = time.monotonic() + _WARM_UP
        if kind == GREEDY:
            counts = [_call_greedily(served, case, begin, begin + seconds)]
        else:
            with ThreadPoolExecutor(case.threads) as pool:
                one = [
                    pool.submit(_call_one_by_one, served, case, begin, begin + seconds)
                    for _ in range(case.threads)
                ]
                counts = [each.result() for each in one]
        print(json.dumps(counts), flush=True)


def _call_one_by_one(served: Any, case: Case, begin: float, end: float) -> int:
    count = 0
    while (at := time.monotonic()) < end:
        served.work(case.takes).result()
        count += at >= begin
    return count


def _call_greedily(served: Any, case: Case, begin: float, end: float) -> int:
    payload, answered = bytes(case.payload), [0]

    def count(done: Any) -> None:
        answered[0] += begin <= time.monotonic() < end and done.exception() is None

    hurried = served.options(deadline=end - time.monotonic())
    while time.monotonic() < end:
        try:
            hurried.work(case.takes, payload).add_done_callback(count)
        except corps.RequestError:
            continue
    return answered[0]


def run(case: Case, seconds: float) -> Seen:
    """Let the clients of a case call for some seconds."""
    tag = f"fairness-{os.getpid()}"
    with corps.boot(Place, envs=1, external=True, tag=tag) as place:
        _, neighbour = place.workers().ret
        serving = psutil.Process(neighbour.pid().ret)
        kinds = [HONEST] * case.processes + [GREEDY] * case.greedy
        clients = [_Client(kind, tag, case, seconds) for kind in kinds]
        for client in clients:
            client.wait_ready()
        before, resident, _ = _watch(neighbour, serving, seconds)
        for client in clients:
            client.go()
        _, _, _ = _watch(neighbour, serving, _WARM_UP)
        during, _, peak = _watch(neighbour, serving, seconds)
        counts = [client.counts() for client in clients]
    honest = [count for each in counts[: case.processes] for count in each]
    greedy = [count for each in counts[case.processes :] for count in each]
    return Seen(honest, greedy, max(0, peak - resident), during / before)


def _watch(neighbour: Any, serving: psutil.Process, seconds: float) -> tuple[float, int, int]:
    """Call the neighbour for a while; return the rate, and the least and most memory of its process."""
    end, count, sizes = time.monotonic() + seconds, 0, []
    while time.monotonic() < end:
        neighbour.pid().result()
        count += 1
        sizes.append(serving.memory_info().rss)
        time.sleep(0.005)
    return count / seconds, min(sizes), max(sizes)


def table(seen: Sequence[tuple[Case, Seen]]) -> str:
    """Return the table of what was seen."""
    lines = [
        "| who calls | answers of a client, least / mean / most | of a greedy one | least of the mean | "
        "memory | neighbour |",
        "|---|---|---|---|---|---|",
    ]
    for case, each in seen:
        counts = f"{min(each.honest)} / {statistics.fmean(each.honest):.0f} / {max(each.honest)}"
        greedy = f"{statistics.fmean(each.greedy):.0f}" if each.greedy else ""
        lines.append(
            f"| {case.name} | {counts} | {greedy} | {each.slowest:.2f} | {each.grown / 2**20:+.0f} MiB "
            f"| {each.neighbour:.2f} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Run the cases, or be a client of one."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--client", nargs=4, help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each case")
    parser.add_argument("--only", type=int, nargs="*", help="cases by their numbers, from 0")
    given = parser.parse_args()
    if given.client is not None:
        kind, tag, case, seconds = given.client
        _be_client(kind, tag, Case(**json.loads(case)), float(seconds))
        return
    cases = [case for number, case in enumerate(CASES) if given.only is None or number in given.only]
    print(table([(case, run(case, given.seconds)) for case in cases]))


if __name__ == "__main__":
    main()
