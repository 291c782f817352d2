"""The benchmarks run, and what they conclude follows from what they measured; how fast is not judged here."""

import math
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from benchmarks.__main__ import EVERYTHING, not_measured
from benchmarks.cases import (
    CALL,
    MEMORY,
    ONE,
    SAVINA,
    SECTIONS,
    TIMERS,
    Role,
    Section,
    Subject,
    Work,
    chosen,
)
from benchmarks.compare import changes, judge
from benchmarks.history import append, entry_of, here_and_now, read, rows
from benchmarks.idleness import switches
from benchmarks.pages import PAGE, content
from benchmarks.processors import pinned, processors
from benchmarks.results import (
    Key,
    Result,
    Round,
    Run,
    floor_of,
    geometric_mean,
    ratio,
    read_json,
    write_json,
)
from benchmarks.running import Runner, split
from benchmarks.subjects import PEERS, WITHOUT_PEERS
from benchmarks.targets import TARGETS, trend
from benchmarks.timing import Effort, Works, by_threads, each, shared
from corps import core

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "benchmarks" / "reference.json"

Open = Callable[[float], AbstractContextManager[Works]]


def result_of(subject: str, *medians: float, role: Role = "corps", floors: Sequence[str] = ()) -> Result:
    rounds = tuple(Round.of([median]) for median in medians)
    return Result(Key(ONE, CALL, subject), role, "s", 0, tuple(floors), rounds)


def run_of(*results: Result) -> Run:
    return Run({"cpu": "x", "cores": 2, "kernel": "y", "python": "z", "versions": {}}, results)


# The whole of it


@pytest.mark.timeout(400)
def test_a_quick_run_measures_every_work_and_writes_its_samples(tmp_path: Path) -> None:
    written = tmp_path / "samples.json.gz"
    command = [sys.executable, "-m", "benchmarks", "--quick", "--all", "--no-peers", "--json", str(written)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=380, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    run = read_json(written)
    assert run.is_quick
    sections = chosen("", quick=True, groups=EVERYTHING)
    here = len(os.sched_getaffinity(0))
    assert set(run.absent) == {section.name for section in sections if section.processors > here}
    measured = {(result.key.section, result.key.work) for result in run.results if result.role == "corps"}
    assert measured == {
        (section.name, work.name)
        for section in sections
        if section.processors <= here
        for work in section.works
    }
    assert all(one.samples for result in run.results for one in result.rounds)


# Subjects in processes of their own

# Unlike the runner's own process, the one of the tests may have threads when it forks.
forks = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


@contextmanager
def works_fine(share: float) -> Iterator[Works]:
    yield {CALL: each(lambda: None)}


@contextmanager
def raises_when_asked(share: float) -> Iterator[Works]:
    yield {CALL: each(lambda: 1 // 0)}


@contextmanager
def hangs_when_asked(share: float) -> Iterator[Works]:
    yield {CALL: each(lambda: time.sleep(600))}


@contextmanager
def does_not_start(share: float) -> Iterator[Works]:
    if share:
        raise OSError("no port is free")
    yield {}


@contextmanager
def dies_when_asked(share: float) -> Iterator[Works]:
    yield {CALL: each(lambda: sys.exit(3))}


def measured_with(open_other: Open, *, package: str = "") -> Runner:
    """A run of one that works and of a peer that may not."""
    runner = Runner(rounds=1, quick=True, say=lambda text: None)
    section = Section(ONE, (Work(CALL, 10, 2, limit=0.5),))
    runner.measure(
        section,
        [
            Subject(ONE, "other", "peer", open_other, package=package),
            Subject(ONE, "corps", "corps", works_fine),
        ],
    )
    return runner


@forks
@pytest.mark.parametrize(
    ("open_other", "what", "why"),
    [
        (raises_when_asked, CALL, "ZeroDivisionError"),
        (hangs_when_asked, CALL, "no answer within"),
        (does_not_start, "start", "no port is free"),
        (dies_when_asked, CALL, "SystemExit: 3"),
    ],
)
def test_a_peer_that_fails_is_said_to_have_failed_and_disturbs_nobody(
    open_other: Open, what: str, why: str
) -> None:
    runner = measured_with(open_other)
    assert why in runner.absent[f"other, {ONE}: {what}"]
    assert set(runner.samples) == {Key(ONE, CALL, "corps")}
    assert not runner.is_broken


@forks
def test_a_peer_that_is_not_installed_is_said_to_be_missing() -> None:
    runner = measured_with(works_fine, package="no-such-distribution")
    assert runner.absent == {"other": "no-such-distribution is not installed"}


@forks
def test_a_failure_of_our_own_breaks_the_run() -> None:
    runner = Runner(rounds=1, quick=True, say=lambda text: None)
    section = Section(ONE, (Work(CALL, 10, 2),))
    assert runner.measure(section, [Subject(ONE, "corps", "corps", raises_when_asked)]) == []
    assert runner.is_broken


@contextmanager
def tells_its_core(share: float) -> Iterator[Works]:
    yield {CALL: lambda effort: [1.0 if core.name == "pure" else 2.0]}


@forks
def test_a_subject_on_the_twin_has_it_and_the_others_have_what_this_process_has() -> None:
    section = Section(ONE, (Work(CALL, 10, 2),))
    subjects = [
        Subject(ONE, "as here", "corps", tells_its_core),
        Subject(ONE, "pure", "corps", tells_its_core, is_pure=True),
    ]
    here, pure = Runner(rounds=1, quick=True, say=lambda text: None).measure(section, subjects)
    assert (here.p50, pure.p50) == (1.0 if core.name == "pure" else 2.0, 1.0)


@contextmanager
def tells_its_processors(share: float) -> Iterator[Works]:
    with subprocess.Popen(["sleep", "600"]) as child:

        def places(effort: Effort) -> list[float]:
            near, far = (sorted(os.sched_getaffinity(pid)) for pid in (0, child.pid))
            assert len(near) == len(far) == 1
            return [float(near[0]), float(far[0])]

        yield {CALL: places}
        child.kill()


@forks
@pytest.mark.parametrize("number", [1, min(2, len(os.sched_getaffinity(0)))])
def test_a_subject_and_what_it_has_started_are_on_the_processors_of_the_section(number: int) -> None:
    section = Section(ONE, (Work(CALL, 10, 2),))
    subject = Subject(ONE, "x", "corps", partial(pinned, number, tells_its_processors))
    (result,) = Runner(rounds=1, quick=True, say=lambda text: None).measure(section, [subject])
    assert result.rounds[0].samples == tuple(map(float, processors(number)))


@forks
def test_a_section_that_needs_more_processors_than_there_are_is_said_to_be_missing() -> None:
    runner = Runner(rounds=1, quick=True, say=lambda text: None)
    section = Section(ONE, (Work(CALL, 10, 2),), processors=10_000)
    assert runner.measure(section, [Subject(ONE, "corps", "corps", works_fine)]) == []
    assert "needs 10000 processors" in runner.absent[ONE]
    assert not runner.is_broken


# Timing


def test_a_measure_stops_in_time_and_does_at_least_one_operation() -> None:
    assert len(each(lambda: None)(Effort(operations=5, seconds=60))) == 5
    assert len(each(lambda: None)(Effort(operations=5, seconds=0))) == 1


def test_batches_share_their_time_among_their_operations() -> None:
    assert shared(lambda effort: [8.0] * effort.operations, 4)(Effort(8, 60)) == [2.0, 2.0]


def test_threads_do_all_of_their_operations() -> None:
    done: list[int] = []
    assert len(by_threads(lambda: done.append(1), 4, size=3)(Effort(24, 60))) == 2
    assert len(done) == 24


@pytest.mark.parametrize(("rounds", "parts"), [(7, [3, 2, 2]), (2, [1, 1]), (1, [1])])
def test_rounds_are_shared_among_passes(rounds: int, parts: list[int]) -> None:
    assert split(rounds, 3) == parts


# Results


def test_a_run_survives_its_file(tmp_path: Path) -> None:
    run = run_of(result_of("corps", 1e-6, 2e-6, floors=["raw"]), result_of("raw", 1e-6, role="floor"))
    for name in ("run.json", "run.json.gz"):
        write_json(tmp_path / name, run)
        assert read_json(tmp_path / name) == run


def test_a_thinned_round_keeps_its_figures_and_the_order_of_its_samples() -> None:
    whole = Round.of([float(number) for number in range(1000)])
    thin = whole.thinned(20)
    assert (thin.count, thin.p50, thin.p99) == (1000, 499.5, 990.0)
    assert thin.samples == tuple(float(number) for number in range(0, 1000, 50))


def test_ratios_are_taken_round_by_round() -> None:
    drifting = result_of("corps", 2.0, 4.0, 40.0)
    floor = result_of("raw", 1.0, 2.0, 20.0, role="floor")
    assert ratio(drifting, floor) == 2.0
    assert ratio(drifting, replace(floor, rounds=floor.rounds[:1])) == 4.0


def test_the_floor_is_the_one_of_the_subject_s_choice_or_else_the_first() -> None:
    first, second = result_of("first", 1.0, role="floor"), result_of("second", 1.0, role="floor")
    ours, other = result_of("corps", 1.0, floors=["absent", "second"]), result_of("peer", 1.0, role="peer")
    beside = [first, second, ours, other]
    assert [floor_of(each_one, beside) for each_one in beside] == [None, None, second, first]


def test_the_last_of_a_thousand_is_kept_where_there_are_as_many() -> None:
    long, short = (Round.of([float(number) for number in range(count)]) for count in (2000, 100))
    key = Key(ONE, CALL, "corps")
    assert Result(key, "corps", "s", 0, (), (long, long)).p999 == 1998.0
    assert Result(key, "corps", "s", 0, (), (long, short)).p999 is None


def of_section(section: str, work: str, subject: str, p50: float, role: Role = "corps") -> Result:
    return replace(result_of(subject, p50, role=role), key=Key(section, work, subject))


def test_a_geometric_mean_is_over_the_works_that_both_have_done() -> None:
    run = run_of(
        of_section(SAVINA, "a", "ours", 1.0),
        of_section(SAVINA, "a", "theirs", 2.0, "peer"),
        of_section(SAVINA, "b", "ours", 1.0),
        of_section(SAVINA, "b", "theirs", 8.0, "peer"),
        of_section(SAVINA, "c", "ours", 1.0),
        of_section(ONE, "a", "ours", 1.0),
        of_section(ONE, "a", "theirs", 1000.0, "peer"),
    )
    assert geometric_mean(run, SAVINA, "theirs", "ours") == pytest.approx(4.0)
    assert geometric_mean(run, SAVINA, "ours", "nobody") is None


def test_a_later_run_replaces_whole_sections_and_says_where_the_others_are_from(tmp_path: Path) -> None:
    old = replace(
        run_of(
            of_section(ONE, "a", "x", 1.0), of_section(ONE, "b", "x", 1.0), of_section(TIMERS, "c", "x", 1.0)
        ),
        absent={f"y, {ONE}: a": "was away", f"y, {TIMERS}: c": "was away too"},
    )
    new = replace(run_of(of_section(ONE, "a", "x", 3.0)), machine={**old.machine, "cpu": "another"})
    both = new.after(old)
    assert [(result.key, result.p50) for result in both.results] == [
        (Key(ONE, "a", "x"), 3.0),
        (Key(TIMERS, "c", "x"), 1.0),
    ]
    assert both.elsewhere == {TIMERS: old.machine}
    assert both.absent == {f"y, {TIMERS}: c": "was away too"}
    assert "Measured in another run, on:" in content(both)
    write_json(tmp_path / "run.json", both)
    assert read_json(tmp_path / "run.json") == both
    third = replace(run_of(of_section(SAVINA, "d", "x", 1.0)), machine=old.machine)
    assert third.after(both).elsewhere == {ONE: new.machine}


# The history


def test_a_run_is_added_to_the_history_with_its_ratios_and_targets(tmp_path: Path) -> None:
    path = tmp_path / "history.json"
    assert read(path) == []
    run = run_of(result_of("raw", 2.0, role="floor"), result_of("corps", 3.0, floors=["raw"]))
    append(path, entry_of(run, "0.1", "abc", "2026-11-30"))
    append(path, entry_of(run_of(result_of("corps", 6.0)), "0.2", "def", "2026-12-01"))
    first, second = read(path)
    assert first["figures"][f"{ONE}: {CALL}: corps"]["over_floor"] == 1.5
    assert (second["release"], second["commit"], second["day"]) == ("0.2", "def", "2026-12-01")
    assert list(rows([first, second])) == [
        (f"{ONE}: {CALL}: corps", "3 s (1.50 times the floor)", "6 s"),
    ]


def test_the_history_knows_its_commit_if_there_is_one(tmp_path: Path) -> None:
    commit, day = here_and_now(tmp_path)
    assert commit == ""
    assert len(day) == len("2026-11-30")


# Comparing


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        ([1.0, 1.01, 1.02], [1.5, 1.51, 1.52], "worse"),
        ([1.5, 1.51, 1.52], [1.0, 1.01, 1.02], "better"),
        ([1.0, 1.01, 1.02], [1.03, 1.04, 1.05], "same"),
        ([1.0, 1.5, 2.0], [1.5, 2.0, 2.5], "same"),
        ([1.0], [5.0, 5.0], "unclear"),
    ],
)
def test_a_change_is_one_if_it_is_larger_than_the_noise(
    before: list[float], after: list[float], verdict: str
) -> None:
    assert judge(before, after)[2] == verdict


def test_a_slower_machine_is_no_change() -> None:
    before = run_of(result_of("raw", 1.0, 1.0, role="floor"), result_of("corps", 3.0, 3.0))
    after = run_of(result_of("raw", 2.0, 2.0, role="floor"), result_of("corps", 6.0, 6.0))
    (change,) = changes(before, after)
    assert (change.floor, change.factor, change.verdict) == ("raw", 1.0, "same")


def test_what_has_no_floor_in_both_runs_is_compared_as_it_is() -> None:
    before = run_of(result_of("raw", 1.0, 1.0, role="floor"), result_of("corps", 3.0, 3.0))
    (change,) = changes(before, run_of(result_of("corps", 6.0, 6.0)))
    assert (change.floor, change.factor, change.verdict) == ("", 2.0, "worse")


def test_nothing_is_a_value_that_can_be_compared() -> None:
    assert judge([0.0, 0.0], [0.0, 0.0])[0::2] == (1.0, "same")
    assert judge([0.0, 0.0], [2.0, 2.0])[0::2] == (math.inf, "unclear")
    assert result_of("corps", 0.0, 0.0).spread is None


def test_what_only_one_run_has_is_not_compared() -> None:
    assert changes(run_of(), run_of(result_of("corps", 1.0))) == []


# Targets


def test_every_target_reads_what_is_measured() -> None:
    works = {(section.name, work.name) for section in SECTIONS for work in section.works}
    subjects = {(subject.section, subject.name) for subject in (*WITHOUT_PEERS, *PEERS)}
    for target in TARGETS:
        for key in target.keys:
            assert (key.section, key.work) in works
            assert (key.section, key.subject) in subjects


def test_a_target_is_met_missed_or_not_measured() -> None:
    in_one = next(target for target in TARGETS if target.wanted == "≤ 0.6 times xoscar")
    slow, fast = result_of("corps", 2.0), result_of("corps", 0.5)
    xoscar = result_of("xoscar", 1.0, role="peer")
    assert in_one.judge(run_of(fast, xoscar)) == (0.5, "met")
    assert in_one.judge(run_of(slow, xoscar)) == (2.0, "missed")
    assert in_one.judge(run_of(fast)) == (None, "not measured")


def test_a_target_of_memory_is_held_against_its_unit() -> None:
    (memory,) = (target for target in TARGETS if target.keys[0].section == MEMORY)
    (key,) = memory.keys
    run = run_of(replace(result_of("corps", 1024.0), key=key, unit="B"))
    assert memory.judge(run) == (1.0, "met")


def test_what_is_missing_are_the_whole_sections_of_the_targets_that_a_run_cannot_judge() -> None:
    missing = not_measured(run_of())
    read_by_targets = {key.section for target in TARGETS for key in target.keys}
    assert {section.name for section in missing} == read_by_targets
    assert all(section in SECTIONS for section in missing)


def test_a_trend_compares_the_end_with_the_begin() -> None:
    assert trend((1.0,) * 50 + (3.0,) * 50) == 3.0
    assert trend((2.0,)) == 1.0


# Idleness


def test_the_waits_of_other_threads_are_counted_as_their_wake_ups() -> None:
    go, gone = threading.Semaphore(0), threading.Semaphore(0)

    def wait() -> None:
        for _ in range(20):
            go.acquire()
            gone.release()

    own = threading.get_native_id()
    thread = threading.Thread(target=wait)
    thread.start()
    before = switches(own)
    for _ in range(19):
        go.release()
        gone.acquire()
    assert switches(own) - before >= 1
    go.release()
    thread.join()


# The page


def test_the_page_of_tables_is_that_of_the_reference() -> None:
    assert PAGE.read_text("utf-8") == content(read_json(REFERENCE))


def test_the_story_of_the_figures_stays_short() -> None:
    assert len(PAGE.with_name("performance.md").read_text("utf-8").split()) <= 1500
