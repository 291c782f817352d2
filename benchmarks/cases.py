"""What is measured: sections, and the works of each. Who does a work in a section is compared with all others
who do it there.

Numbers of operations are those of one round; they are cut short by time, so slow subjects do fewer of them.
"""

from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Final, Literal

from benchmarks.savina.suite import PROBLEMS
from benchmarks.timing import Effort, Works

KIB: Final = 1024
MIB: Final = 1024 * 1024

Role = Literal["floor", "corps", "peer"]
Unit = Literal["s", "B", "/s"]
Group = Literal["usual", "soak", "core", "savina"]


@dataclass(frozen=True, slots=True)
class Work:
    """One thing to do, the same for all who do it.

    Attributes:
        name: Of the work in its section.
        operations: How many are done in one round.
        quick: How many in a quick run; 0 leaves the work out.
        unit: Of its samples: seconds per operation, bytes, or how many in a second.
        size: Bytes of the payload of one operation, for works whose throughput matters.
        seconds: After how many a round is cut short.
        rounds: At most so many rounds, for works that take long.
        limit: Seconds after which a subject that has not answered is given up.
        warms_up: Whether the first round after an opening is not counted.
    """

    name: str
    operations: int
    quick: int
    unit: Unit = "s"
    size: int = 0
    seconds: float = 2.0
    rounds: int = 1000
    limit: float = 60.0
    warms_up: bool = True

    def effort(self, *, quick: bool, warming: bool = False) -> Effort:
        """How much of it to do at once.

        Args:
            quick: Whether the run is a quick one.
            warming: Whether nobody will look at the samples.

        Returns:
            The effort.
        """
        if quick:
            return Effort(self.quick, min(self.seconds, 0.2))
        if warming:
            return Effort(max(1, self.operations // 10), self.seconds / 4)
        return Effort(self.operations, self.seconds)


@dataclass(frozen=True, slots=True)
class Section:
    """Works that are measured side by side.

    Attributes:
        name: Of the section.
        works: Of the section.
        group: The sections that are asked for together.
        processors: How many processors it needs.
    """

    name: str
    works: tuple[Work, ...]
    group: Group = "usual"
    processors: int = 1


@dataclass(frozen=True, slots=True)
class Subject:
    """Who is measured in a section.

    Attributes:
        section: The name of the section.
        name: Of the subject; the first of corps in a section is its default path.
        role: A floor is the cost of the medium alone.
        open: Starts it, gives what it can do, and ends it. Called in a process of its own, with the share
            of its full size that it is to have: 1, or less in a quick run.
        floors: The names of what to compare it with, first choice first; then any floor of the section.
        package: The distribution that has to be installed for it; empty: none.
        is_alone: Whether it disturbs others, or is changed by being measured: it is opened for each of at
            most three rounds, when no other subject is open.
        is_pure: Whether corps runs on the pure twin of its core there.
    """

    section: str
    name: str
    role: Role
    open: Callable[[float], AbstractContextManager[Works]]
    floors: tuple[str, ...] = ()
    package: str = ""
    is_alone: bool = False
    is_pure: bool = False


ONE: Final = "in one process"
BETWEEN: Final = "between two processes"
BOOT: Final = "boot"
BORDERS: Final = "clients of other Corps"
DIRS: Final = "dirs"
GROWTH: Final = "growth"
IDLENESS: Final = "idleness"
LOGS: Final = "logs"
LOOPS: Final = "event loops"
MEMORY: Final = "memory"
MILLION: Final = "a million workers"
PACKING: Final = "packing"
PARALLEL: Final = "parallel"
RECOVERY: Final = "recovery"
SOAK: Final = "soak"
CORE_ONE: Final = "core, in one process"
CORE_TOGETHER: Final = "core, between processes on one processor"
CORE_APART: Final = "core, between processes on a processor each"
SAVINA: Final = "savina"
TIMERS: Final = "timers"

CALL: Final = "call"
THREAD: Final = "call, by a thread that is not the main one"
THREADS: Final = "call, by 8 threads at once"
FAN_OUT: Final = "call, 1 000 in flight to 100 workers"
CREATE: Final = "create a worker"
RING: Final = "hop in a ring of 500 workers"
WORKER_TO_WORKER: Final = "call, from worker to worker"
SCRIPT: Final = "call, from the script"
TIMED: Final = "call, from worker to worker, wait with a time limit"
ONE_WAY: Final = "message that nobody waits for"
MAP: Final = "task of a CPU-bound map over 2 processes"
STREAMING: Final = "call while 1 GiB streams by in 16 MiB pieces"
SLEEPING: Final = "call while a neighbour sleeps"
BUSY: Final = "call while a neighbour runs Python"
BOOT_2: Final = "2 processes to the first answers"
BOOT_8: Final = "8 processes to the first answers"
CONNECT: Final = "connect, and have the first answer"
SHELL: Final = "corps call, from a shell"
BESIDE: Final = "call to one worker, beside many idle ones"
AMONG: Final = "call to each of many workers, in any order"
BESIDE_ENVS: Final = "call to one Env, beside many idle ones"
AMONG_ENVS: Final = "call to each of many Envs, in any order"
FIND: Final = "find by a tag, among 10 000 entries"
FIND_CLASS: Final = "find by a class, among 10 000 entries"
REGISTER: Final = "register, until 4 Envs and 2 more find it"
SET_TIMER: Final = "set a timer, among 100 000 armed ones"
CANCEL_TIMER: Final = "cancel a timer, among 100 000 armed ones"
LATE: Final = "how late 10 000 timers call that are due within 5 s"
LATE_AGAIN: Final = "how late 10 000 timers call that are each due every second"
LOG_RECORD: Final = "log a record"
LOG_DISABLED: Final = "log below the level"
MAP_TRIVIAL: Final = "item of a map of 100 000 trivial calls"
MAP_BUSY: Final = "item of a map of 400 calls that compute"
AWAIT: Final = "await a call"
AWAIT_MANY: Final = "await a call, 1 000 coroutines at once"
WAKE_UPS: Final = "wake-ups of all threads"
IMPORT: Final = "import corps, and what a program uses first"
IDLE_OF_MILLION: Final = "idle worker, of 1 000 000 in one Env"
CREATE_MILLION: Final = "create 1 000 000 workers in one Env"
SUBMIT: Final = "submit a task, and wait for its result"
JOBLIB: Final = "task of joblib, among 1 000 small ones"
RECOVERED: Final = "kill -9 to the first answer of the worker, called in a loop"
SENT_AFTER: Final = "kill -9 to the answer of one request, sent right after it"
DETECTED: Final = "kill -9 to the error of a request under way"
IN_PLACE: Final = "failure of a worker to the first answer of the next one"
IDLE: Final = "idle worker"
RESIDENT: Final = "process, resident"
PROPORTIONAL: Final = "process, its share of what it shares"
SOAK_CALLS: Final = "call, over 1 000 000 calls"
SOAK_MEMORY: Final = "resident memory, over 1 000 000 calls"

IN_FLIGHT: Final = (10, 100)
N_THREADS: Final = 8
N_PROCESSES: Final = 2
N_FAN_OUT: Final = 100
N_RING: Final = 500
PIECE: Final = 16 * MIB
N_IDLE: Final = 100_000
USUAL: Final[tuple[Group, ...]] = ("usual",)
N_ONE_WAY: Final = 1000
N_COROUTINES: Final = 1000
N_MILLION: Final = 1_000_000

SIZES: Final = {
    "1 B": 1,
    "1 KiB": KIB,
    "64 KiB": 64 * KIB,
    "1 MiB": MIB,
    "16 MiB": 16 * MIB,
    "64 MiB": 64 * MIB,
}
KINDS: Final = ("bytes", "array")
PAYLOADS: Final = (
    "an int",
    "a dict of 5",
    "a list of 1 000 floats",
    "an object",
    "a lambda",
    "1 MiB of bytes",
    "an array of 1 MiB",
)


def in_flight(number: int) -> str:
    """The name of the work."""
    return f"call, {number} in flight"


def echo(kind: str, size: str) -> str:
    """The name of the work."""
    return f"echo, {kind} of {size}"


def packing(payload: str) -> str:
    """The name of the work."""
    return f"pack and unpack {payload}"


def _echoes() -> Iterator[Work]:
    for kind in KINDS:
        for text, size in SIZES.items():
            operations = max(4, min(300, 64 * MIB // size))
            # A quick run sends each kind of thing, and once as much as a frame holds by default.
            quick = 5 if size < MIB else 1 if size == MIB or (kind, text) == ("array", "64 MiB") else 0
            yield Work(echo(kind, text), operations, quick, size=size)


_CALLS: Final = (
    Work(CALL, 1000, 50),
    *(Work(in_flight(number), 2000, number) for number in IN_FLIGHT),
    Work(THREAD, 2000, 25),
    Work(THREADS, 2000, 200),
    Work(FAN_OUT, 3000, 1000),
    Work(CREATE, 500, 20),
)
_CORE_BETWEEN: Final = (
    Work(CALL, 5000, 20),
    Work(in_flight(100), 20_000, 100),
    Work(ONE_WAY, 20_000, N_ONE_WAY),
)
_NEIGHBOURS: Final = (Work(SLEEPING, 5000, 5, seconds=5, rounds=2), Work(BUSY, 5000, 5, seconds=5, rounds=2))

SECTIONS: Final = (
    Section(ONE, (*_CALLS, Work(RING, 20_000, 1000), *_NEIGHBOURS)),
    Section(
        BETWEEN,
        (
            *_CALLS,
            Work(WORKER_TO_WORKER, 1000, 50),
            Work(MAP, 64, 4, seconds=20),
            *_echoes(),
            Work(STREAMING, 64, 2, seconds=20),
            *_NEIGHBOURS,
        ),
    ),
    Section(BOOT, (Work(BOOT_2, 1, 1), Work(BOOT_8, 1, 1), Work(IMPORT, 1, 1))),
    Section(BORDERS, (Work(CONNECT, 20, 2), Work(SHELL, 2, 1))),
    Section(GROWTH, tuple(Work(name, 1000, 20) for name in (BESIDE, AMONG, BESIDE_ENVS, AMONG_ENVS))),
    Section(DIRS, (Work(FIND, 100_000, 1000), Work(FIND_CLASS, 100_000, 1000), Work(REGISTER, 500, 5))),
    Section(
        TIMERS,
        (
            Work(SET_TIMER, 10_000, 100),
            Work(CANCEL_TIMER, 10_000, 100),
            Work(LATE, 10_000, 100, seconds=5, rounds=3),
            Work(LATE_AGAIN, 10_000, 100, seconds=5, rounds=3),
        ),
    ),
    Section(LOOPS, (Work(AWAIT, 5000, 20), Work(AWAIT_MANY, 10_000, N_COROUTINES))),
    Section(IDLENESS, (Work(WAKE_UPS, 1, 1, unit="/s", rounds=3, warms_up=False),)),
    Section(LOGS, (Work(LOG_RECORD, 5000, 100), Work(LOG_DISABLED, 5000, 100))),
    Section(
        PARALLEL,
        (
            Work(MAP_TRIVIAL, 100_000, 1000, seconds=20, rounds=5),
            Work(MAP_BUSY, 400, 4, seconds=20, rounds=5),
            Work(SUBMIT, 1000, 20),
            Work(JOBLIB, 1000, 20, seconds=20, rounds=5),
        ),
    ),
    Section(
        MEMORY,
        tuple(Work(name, 1, 1, unit="B", warms_up=False) for name in (IDLE, RESIDENT, PROPORTIONAL)),
    ),
    Section(
        PACKING,
        tuple(Work(packing(payload), 200, 5, seconds=1) for payload in PAYLOADS),
    ),
    Section(
        RECOVERY,
        (
            *(Work(name, 5, 1, seconds=30, rounds=6) for name in (RECOVERED, SENT_AFTER, DETECTED)),
            Work(IN_PLACE, 100, 2),
        ),
    ),
    Section(
        SOAK,
        (
            Work(SOAK_MEMORY, 1_000_000, 1000, unit="B", seconds=3600, rounds=1, limit=3700, warms_up=False),
            Work(SOAK_CALLS, 1_000_000, 1000, seconds=3600, rounds=1, limit=3700, warms_up=False),
        ),
        group="soak",
    ),
    Section(
        MILLION,
        (
            Work(IDLE_OF_MILLION, 1, 1, unit="B", rounds=1, limit=600, warms_up=False),
            Work(CREATE_MILLION, 1, 1, rounds=1, warms_up=False),
        ),
        group="soak",
    ),
    Section(
        CORE_ONE,
        (
            Work(WORKER_TO_WORKER, 20_000, 20),
            Work(SCRIPT, 5000, 20),
            Work(TIMED, 5000, 20),
            Work(in_flight(100), 20_000, 100),
            Work(ONE_WAY, 20_000, N_ONE_WAY),
        ),
        group="core",
    ),
    Section(CORE_TOGETHER, _CORE_BETWEEN, group="core"),
    Section(CORE_APART, _CORE_BETWEEN, group="core", processors=2),
    Section(
        SAVINA,
        tuple(Work(problem.title, 1, 1, seconds=20, rounds=5) for problem in PROBLEMS),
        group="savina",
    ),
)


def chosen(only: str, *, quick: bool, groups: Collection[Group] = USUAL) -> list[Section]:
    """The sections and works to measure.

    Args:
        only: What the name of the section or work has to contain; empty: all of the groups.
        quick: Whether works without quick operations are left out.
        groups: Which sections are meant. A section of another group has to be called by its name.

    Returns:
        The sections that have such works, with these only.
    """
    sections = []
    for section in SECTIONS:
        if section.group not in groups and not only.startswith(section.name):
            continue
        works = tuple(
            work
            for work in section.works
            if only in f"{section.name}: {work.name}" and (work.quick or not quick)
        )
        if works:
            sections.append(replace(section, works=works))
    return sections
