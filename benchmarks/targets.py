"""What corps sets out to reach, as ratios within one run, and whether a run has reached it. Pure."""

import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from benchmarks.borders import ANOTHER
from benchmarks.cases import (
    AMONG,
    AMONG_ENVS,
    AWAIT,
    AWAIT_MANY,
    BESIDE,
    BESIDE_ENVS,
    BETWEEN,
    BOOT,
    BOOT_2,
    BOOT_8,
    BORDERS,
    CALL,
    CANCEL_TIMER,
    CONNECT,
    CORE_APART,
    CORE_ONE,
    CORE_TOGETHER,
    CREATE,
    CREATE_MILLION,
    GROWTH,
    IDLE,
    IDLE_OF_MILLION,
    IDLENESS,
    IMPORT,
    KIB,
    LATE,
    LATE_AGAIN,
    LOG_DISABLED,
    LOG_RECORD,
    LOGS,
    LOOPS,
    MAP,
    MAP_BUSY,
    MAP_TRIVIAL,
    MEMORY,
    MILLION,
    ONE,
    ONE_WAY,
    PARALLEL,
    RECOVERED,
    RECOVERY,
    SAVINA,
    SCRIPT,
    SET_TIMER,
    SHELL,
    SOAK,
    SOAK_CALLS,
    STREAMING,
    THREAD,
    THREADS,
    TIMED,
    TIMERS,
    WAKE_UPS,
    WORKER_TO_WORKER,
    echo,
    in_flight,
)
from benchmarks.floors import MEMCPY, ONE_PROCESS, QUEUES, STREAM, ZMQ_CURVE, ZMQ_IPC
from benchmarks.idleness import SUBJECT as IDLE_ENVS
from benchmarks.logs import QUEUE
from benchmarks.loops import TWO_LOOPS
from benchmarks.ours import CORPS, over
from benchmarks.parallel import ONE_PROCESS as LOOP
from benchmarks.peers.table import MANAGER, POOL, POOL_CHUNKS, PYKKA, RAY, XOSCAR, XOSCAR_TWO
from benchmarks.results import Key, Run, geometric_mean, ratio
from benchmarks.savina.corps_place import ONE_ENV, TWO_ENVS
from benchmarks.savina.suite import PROBLEMS
from benchmarks.sizes import BETWEEN_TWO, FEW_ENVS, FEW_WORKERS, IN_ONE, MANY_ENVS, MANY_WORKERS

Verdict = Literal["met", "missed", "not measured"]


@dataclass(frozen=True, slots=True)
class Target:
    """One thing to reach.

    Attributes:
        number: Of the target that it belongs to.
        what: Is measured.
        against: What it is compared with.
        limit: Of the value.
        is_least: Whether the value has to be at least the limit; else at most.
        value: Reads it off a run; None if the run has not measured it.
        keys: The results that it reads.
        unit: Of value and limit.
    """

    number: str
    what: str
    against: str
    limit: float
    is_least: bool
    value: Callable[[Run], float | None]
    keys: tuple[Key, ...]
    unit: str = "times"

    @property
    def wanted(self) -> str:
        """The limit in words."""
        return f"{'≥' if self.is_least else '≤'} {self.limit:g} {self.unit} {self.against}".strip()

    def judge(self, run: Run) -> tuple[float | None, Verdict]:
        """Hold it against a run.

        Args:
            run: What was measured.

        Returns:
            The value, and whether the target is met.
        """
        value = self.value(run)
        if value is None:
            return None, "not measured"
        met = value >= self.limit if self.is_least else value <= self.limit
        return value, "met" if met else "missed"


def trend(samples: tuple[float, ...]) -> float:
    """How the end of a long work compares with its begin.

    Args:
        samples: In the order in which they were taken.

    Returns:
        The median of the last tenth over that of the first.
    """
    tenth = max(1, len(samples) // 10)
    return statistics.median(samples[-tenth:]) / statistics.median(samples[:tenth])


def _times(number: str, what: str, against: str, limit: float, one: Key, other: Key) -> Target:
    """The time of ours is at most so many times that of another."""

    def value(run: Run) -> float | None:
        a, b = run.find(one), run.find(other)
        return ratio(a, b) if a and b else None

    return Target(number, what, against, limit, False, value, (one, other))


def _as_fast(number: str, what: str, against: str, limit: float, one: Key, other: Key) -> Target:
    """Ours does at least so many times as much per second as another."""

    def value(run: Run) -> float | None:
        a, b = run.find(one), run.find(other)
        return ratio(b, a) if a and b else None

    return Target(number, what, against, limit, True, value, (one, other))


def _at_most(number: str, what: str, limit: float, unit: str, scale: float, key: Key) -> Target:
    def value(run: Run) -> float | None:
        result = run.find(key)
        return result.p50 / scale if result else None

    return Target(number, what, "", limit, False, value, (key,), unit)


def _p99(number: str, limit: float, key: Key) -> Target:
    """One of a hundred takes longer than this many milliseconds."""

    def value(run: Run) -> float | None:
        result = run.find(key)
        return 1000 * result.p99 if result else None

    return Target(number, f"{key.work}, p99", "", limit, False, value, (key,), "ms")


def _best_of(number: str, what: str, against: str, limit: float, one: Key, others: tuple[Key, ...]) -> Target:
    """Ours does at least so many times as much per second as the fastest of others."""

    def value(run: Run) -> float | None:
        ours, found = run.find(one), [result for key in others if (result := run.find(key))]
        return min(result.p50 for result in found) / ours.p50 if ours and found else None

    return Target(number, what, against, limit, True, value, (one, *others))


def _mean(number: str, what: str, against: str, limit: float, one: str, other: str) -> Target:
    """Over all of the suite, the time of ours is at most so many times that of another."""

    def value(run: Run) -> float | None:
        return geometric_mean(run, SAVINA, one, other)

    keys = tuple(Key(SAVINA, problem.title, name) for problem in PROBLEMS for name in (one, other))
    return Target(number, what, against, limit, False, value, keys)


def _steady(number: str, what: str, limit: float, key: Key) -> Target:
    def value(run: Run) -> float | None:
        result = run.find(key)
        return trend(result.rounds[0].samples) if result else None

    return Target(number, what, "the first tenth", limit, False, value, (key,))


def _targets() -> Iterator[Target]:
    def one(work: str, subject: str = CORPS) -> Key:
        return Key(ONE, work, subject)

    def between(work: str, subject: str = CORPS) -> Key:
        return Key(BETWEEN, work, subject)

    def boot(work: str, subject: str = CORPS) -> Key:
        return Key(BOOT, work, subject)

    hundred, array = in_flight(100), echo("array", "64 MiB")
    what = "call in one process, p50"
    yield _times("P1", what, "xoscar", 0.6, one(CALL), one(CALL, XOSCAR))
    yield _times("P1", what, "Pykka", 0.1, one(CALL), one(CALL, PYKKA))
    what = "calls in one process, 100 in flight"
    yield _as_fast("P2", what, "xoscar", 4, one(hundred), one(hundred, XOSCAR))
    what = "call between processes over ZeroMQ ipc, p50"
    yield _times("P3", what, ZMQ_IPC, 1.6, between(CALL, over("ipc")), between(CALL, ZMQ_IPC))
    what = "call between processes, default path, p50"
    yield _times("P4", what, MANAGER, 0.9, between(CALL), between(CALL, MANAGER))
    yield _times("P4", what, STREAM, 3, between(CALL), between(CALL, STREAM))
    what = "calls between processes, 100 in flight"
    yield _as_fast("P5", what, "xoscar", 10, between(hundred), between(hundred, XOSCAR))
    yield _as_fast("P5", what, "Ray", 10, between(hundred), between(hundred, RAY))
    yield _as_fast("P5", what, f"one caller of {MANAGER}", 3, between(hundred), between(CALL, MANAGER))
    what = "echo of a 64 MiB array between processes"
    yield _as_fast("P6", what, "xoscar", 4, between(array), between(array, XOSCAR))
    yield _as_fast("P6", what, "memcpy of it", 0.4, between(array), between(array, MEMCPY))
    what = "boot of 2 processes to the first answers"
    yield _times("P7", what, "xoscar", 0.35, boot(BOOT_2), boot(BOOT_2, XOSCAR))
    yield _times("P7", "boot of 8 processes to the first answers", "2 of them", 2, boot(BOOT_8), boot(BOOT_2))
    yield _as_fast("P8", "creation of workers", "Pykka", 10, one(CREATE), one(CREATE, PYKKA))
    yield _at_most("P8", "memory of an idle worker", 2, "KiB", KIB, Key(MEMORY, IDLE, CORPS))
    what = "CPU-bound map over 2 processes"
    yield _as_fast("P10", what, "one process", 1.85, between(MAP), between(MAP, ONE_PROCESS))
    yield _as_fast("P10", what, f"{POOL}.map", 1, between(MAP), between(MAP, POOL))
    for work, many, few in (
        (BESIDE, MANY_WORKERS, FEW_WORKERS),
        (AMONG, MANY_WORKERS, FEW_WORKERS),
        (BESIDE_ENVS, MANY_ENVS, FEW_ENVS),
        (AMONG_ENVS, MANY_ENVS, FEW_ENVS),
    ):
        yield _times("P11", f"{work}: {many}", few, 1.15, Key(GROWTH, work, many), Key(GROWTH, work, few))
    for subject in (IN_ONE, BETWEEN_TWO):
        what = f"last tenth of 1 000 000 calls, {subject.removeprefix('corps, ')}"
        yield _steady("P11", what, 1.15, Key(SOAK, SOAK_CALLS, subject))
    yield _at_most("P12", RECOVERED, 300, "ms", 0.001, Key(RECOVERY, RECOVERED, CORPS))
    for work in (SET_TIMER, CANCEL_TIMER):
        yield _at_most("P13", work, 10, "µs", 1e-6, Key(TIMERS, work, CORPS))
    for work in (LATE, LATE_AGAIN):
        yield _p99("P13", 20, Key(TIMERS, work, CORPS))
    for work, limit in ((LOG_RECORD, 2), (LOG_DISABLED, 1.1)):
        yield _times("P14", work, "QueueHandler", limit, Key(LOGS, work, CORPS), Key(LOGS, work, QUEUE))
    trivial, busy = Key(PARALLEL, MAP_TRIVIAL, CORPS), Key(PARALLEL, MAP_BUSY, CORPS)
    pools = tuple(Key(PARALLEL, MAP_TRIVIAL, name) for name in POOL_CHUNKS)
    yield _best_of("P15", MAP_TRIVIAL, f"{POOL} with its best chunks", 1, trivial, pools)
    yield _as_fast("P15", MAP_TRIVIAL, pools[0].subject, 10, trivial, pools[0])
    yield _as_fast("P15", MAP_BUSY, "one process", 1.8, busy, Key(PARALLEL, MAP_BUSY, LOOP))
    what = "call between two Corps of one user on one host, p50"
    yield _times("P16", what, "two Envs", 1.15, between(CALL, ANOTHER), between(CALL))
    yield _at_most("P16", CONNECT, 20, "ms", 0.001, Key(BORDERS, CONNECT, CORPS))
    yield _at_most("P16", SHELL, 350, "ms", 0.001, Key(BORDERS, SHELL, CORPS))


def _core_targets() -> Iterator[Target]:
    """What the native core is for."""

    def one(work: str, subject: str = CORPS) -> Key:
        return Key(CORE_ONE, work, subject)

    hundred = in_flight(100)
    what = "call from worker to worker, one Env"
    yield _times("N1", what, XOSCAR, 0.35, one(WORKER_TO_WORKER), one(WORKER_TO_WORKER, XOSCAR))
    yield _times("N1", what, PYKKA, 0.07, one(WORKER_TO_WORKER), one(WORKER_TO_WORKER, PYKKA))
    yield _times("N2", "call from the script, one Env", QUEUES, 1.6, one(SCRIPT), one(SCRIPT, QUEUES))
    yield _times("N2", "wait with a time limit, one Env", QUEUES, 1.6, one(TIMED), one(TIMED, QUEUES))
    yield _as_fast("N3", "100 in flight, one Env", XOSCAR, 6, one(hundred), one(hundred, XOSCAR))
    yield _as_fast("N3", "100 in flight, one Env", PYKKA, 5, one(hundred), one(hundred, PYKKA))
    yield _times("N4", "one-way, one Env", PYKKA, 0.45, one(ONE_WAY), one(ONE_WAY, PYKKA))
    for number, section, of_manager, of_stream in (
        ("N5", CORE_APART, 0.4, 1.1),
        ("N6", CORE_TOGETHER, 0.7, 2.3),
    ):
        what = f"call {section.removeprefix('core, ')}"
        call = Key(section, CALL, CORPS)
        yield _times(number, what, MANAGER, of_manager, call, Key(section, CALL, MANAGER))
        yield _times(number, what, STREAM, of_stream, call, Key(section, CALL, STREAM))
    one_manager = f"one caller of {MANAGER}"
    for section, against, work, peer, least in (
        (CORE_TOGETHER, one_manager, CALL, MANAGER, 3),
        (CORE_APART, one_manager, CALL, MANAGER, 7),
        (CORE_APART, XOSCAR, hundred, XOSCAR, 15),
        (CORE_APART, RAY, hundred, RAY, 50),
    ):
        what = f"100 in flight {section.removeprefix('core, ')}"
        yield _as_fast("N7", what, against, least, Key(section, hundred, CORPS), Key(section, work, peer))
    yield _mean("N8", "Savina, geometric mean, one Env", PYKKA, 0.2, ONE_ENV, PYKKA)
    yield _mean("N8", "Savina, geometric mean, two Envs", XOSCAR_TWO, 0.08, TWO_ENVS, XOSCAR_TWO)


def _further_targets() -> Iterator[Target]:
    """What else is to be fast."""

    def one(work: str) -> Key:
        return Key(ONE, work, CORPS)

    def between(work: str, subject: str = CORPS) -> Key:
        return Key(BETWEEN, work, subject)

    yield _times("N9", f"{THREADS}, one Env", "one thread", 1.5, one(THREADS), one(THREAD))
    what = "call between processes, ZeroMQ"
    yield _times("N10", what, ZMQ_IPC, 1.15, between(CALL, over("ipc")), between(CALL, ZMQ_IPC))
    yield _times("N10", what, ZMQ_CURVE, 1.2, between(CALL, over("tcp")), between(CALL, ZMQ_CURVE))
    array = echo("array", "64 MiB")
    yield _as_fast("N11", array, "memcpy of it", 0.45, between(array), between(array, MEMCPY))
    yield _p99("N11", 5, between(STREAMING))
    awaited = Key(LOOPS, AWAIT, CORPS)
    yield _times("N12", AWAIT, TWO_LOOPS, 1.5, awaited, Key(LOOPS, AWAIT, TWO_LOOPS))
    yield _times("N12", AWAIT_MANY, "one after the other", 1.15, Key(LOOPS, AWAIT_MANY, CORPS), awaited)
    yield _at_most("N13", f"{CREATE}, in one Env", 2, "µs", 1e-6, one(CREATE))
    yield _at_most("N13", f"{CREATE}, in another Env", 60, "µs", 1e-6, between(CREATE))
    yield _at_most("N13", IDLE_OF_MILLION, 700, "bytes", 1, Key(MILLION, IDLE_OF_MILLION, CORPS))
    yield _at_most("N13", CREATE_MILLION, 5, "s", 1, Key(MILLION, CREATE_MILLION, CORPS))
    yield _at_most(
        "N14", "boot of 2 processes to the first answers", 90, "ms", 0.001, Key(BOOT, BOOT_2, CORPS)
    )
    yield _at_most("N14", IMPORT, 60, "ms", 0.001, Key(BOOT, IMPORT, CORPS))
    yield _at_most(
        "N15", f"{WAKE_UPS} of 2 idle Envs", 0, "per second", 1, Key(IDLENESS, WAKE_UPS, IDLE_ENVS)
    )


TARGETS: Final = (*_targets(), *_core_targets(), *_further_targets())
