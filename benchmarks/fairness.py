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
from pathlib import Path
from typing import Any, Final

import psutil

import corps
from benchmarks.plots import draw_floods

HONEST: Final = "honest"
GREEDY: Final = "greedy"
_WARM_UP: Final = 1.0  # seconds that are not counted
_CALM: Final = 10.0  # seconds at most of the calm before
_POINTS: Final = 600  # sizes that are kept of a case
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
        memory: Resident bytes of the serving process all the while, each with the seconds since the clients
            came.
        before: Its resident bytes before that.
    """

    honest: Sequence[int]
    greedy: Sequence[int]
    grown: int
    neighbour: float
    memory: Sequence[Sequence[float]] = ()
    before: int = 0

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
        before, calm = _watch(neighbour, serving, min(seconds, _CALM))
        for client in clients:
            client.go()
        _, first = _watch(neighbour, serving, _WARM_UP)
        during, then = _watch(neighbour, serving, seconds)
        counts = [client.counts() for client in clients]
    honest = [count for each in counts[: case.processes] for count in each]
    greedy = [count for each in counts[case.processes :] for count in each]
    resident, peak = min(size for _, size in calm), max(size for _, size in then)
    memory = [*first, *((_WARM_UP + at, size) for at, size in then)]
    kept = memory[:: max(1, len(memory) // _POINTS)]
    return Seen(honest, greedy, max(0, int(peak - resident)), during / before, kept, int(resident))


def _watch(
    neighbour: Any, serving: psutil.Process, seconds: float
) -> tuple[float, list[tuple[float, float]]]:
    """Call the neighbour for a while; return the rate, and the memory of its process at each time."""
    begin, sizes = time.monotonic(), []
    while (at := time.monotonic() - begin) < seconds:
        neighbour.pid().result()
        sizes.append((at, float(serving.memory_info().rss)))
        time.sleep(0.005)
    return len(sizes) / seconds, sizes


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
    parser.add_argument("--keep", type=Path, help="file for what was measured")
    parser.add_argument("--from", dest="source", type=Path, help="such a file, in place of measuring")
    parser.add_argument("--plot", type=Path, help="directory for plots")
    given = parser.parse_args()
    if given.client is not None:
        kind, tag, case, seconds = given.client
        _be_client(kind, tag, Case(**json.loads(case)), float(seconds))
        return
    cases = [case for number, case in enumerate(CASES) if given.only is None or number in given.only]
    if given.source is None:
        measured = [(case, run(case, given.seconds)) for case in cases]
    else:
        kept = json.loads(given.source.read_text())
        measured = [(Case(**each["case"]), Seen(**each["seen"])) for each in kept]
    if given.keep is not None:
        facts = [{"case": asdict(case), "seen": asdict(seen)} for case, seen in measured]
        given.keep.write_text(json.dumps(facts) + "\n")
    if given.plot is not None:
        draw_floods(given.plot, [(case.name, seen) for case, seen in measured])
    print(table(measured))


if __name__ == "__main__":
    main()
