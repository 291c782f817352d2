"""Storms over real processes. They are short: what is proved here is the tool, not the runtime."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random
from threading import Event
from typing import Final

import psutil
import pytest

import corps
from corps.testing.chaos.census import MARK, Household, environment
from corps.testing.chaos.faults import KINDS
from corps.testing.chaos.judgement import Invariant, Limits
from corps.testing.chaos.ledger import Ledger
from corps.testing.chaos.storm import StormOptions, storm
from corps.testing.chaos.target import Missed, Target
from corps.testing.chaos.visitors import Visitors
from corps.testing.chaos.witness import Kind, Outcome, Witness, WitnessFile, witness_files
from tests.storm.built_in import alone, with_load
from tests.storm.load import Load, LoadOptions, PlacedWorker
from tests.storm.witnessed import LoadCorps, Witnessed
from tests.storm.worker_faults import worker_faults

QUICK: Final = LoadOptions(workers=2, clients=2, rate=100.0, payload=300_000)
ROOT: Final = Path(__file__).parents[2]

WRITER: Final = """
import os, signal, sys
from corps.testing.chaos.witness import Kind, Witness
witness = Witness(sys.argv[1])
for number in range(100):
    witness.write(Kind.START, sequence=number)
os.kill(os.getpid(), signal.SIGKILL)
"""

FAMILY: Final = """
import corps

class Child(corps.Conc):
    pass

class App(corps.Corps):
    def __init__(self):
        self.family = corps.options().create_many(4, Child)

    def run(self, n: int):
        return n + len(self.my_children())
"""

LITTERING: Final = """
import os, subprocess, sys
import corps

class App(corps.Corps):
    def __init__(self):
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
"""


@contextmanager
def targeted(
    directory: Path, announced: list[tuple[int, int]]
) -> Iterator[tuple[Target, Household, PlacedWorker]]:
    """A Corps with one witnessed worker in its Env 2, which may be hit."""
    household = Household()
    with corps.boot(LoadCorps, envs=2):
        name = corps.options(env=2).create(Witnessed, str(directory), 1)
        target = Target(household.envs, [2], directory, lambda *what: announced.append(what))
        yield target, household, PlacedWorker(1, 2, name)


def until(condition: Callable[[], bool]) -> None:
    """Wait for what nobody tells; the time limit of the test is that of this, too."""
    while not condition():
        Event().wait(0.005)


def test_records_survive_the_kill_of_their_writer(tmp_path: Path) -> None:
    path = tmp_path / "a.witness"
    ended = subprocess.run([sys.executable, "-c", WRITER, str(path)], cwd=ROOT, check=False)
    assert ended.returncode == -signal.SIGKILL
    file = WitnessFile(path)
    assert [record.sequence for record in file] == list(range(100))
    assert file.torn == 0


def test_the_envs_of_a_corps_are_found_from_outside(tmp_path: Path) -> None:
    mark = os.urandom(16).hex()
    with environment(MARK, mark):
        with targeted(tmp_path, []) as (target, household, _):
            envs = household.envs()
            assert sorted(envs) == [-1, 1, 2]
            assert Household().envs() == {}  # one that was made later takes no part in this Corps
            assert set(household.left(mark)) > set(envs.values())
            assert target.choose_env(Random(1)) == 2
            with pytest.raises(Missed):
                target.process(7)
        assert household.left(mark) == []


def test_a_stopped_env_goes_on_when_the_fault_is_undone(tmp_path: Path) -> None:
    announced: list[tuple[int, int]] = []
    with targeted(tmp_path, announced) as (target, household, worker):
        process = household.envs()[2]
        injury = KINDS["stop"].inject(Random(1), target)
        try:
            until(lambda: process.status() == psutil.STATUS_STOPPED)  # a signal takes its time
            assert announced == [(2, 0)]
        finally:
            injury.undo()
        until(lambda: process.status() != psutil.STATUS_STOPPED)
        assert worker.name.plain(1, 2).ret[1:] == (1, 2)


@pytest.mark.parametrize("kind", ["segfault", "os-exit"])
def test_a_method_ends_its_env(kind: str, tmp_path: Path) -> None:
    with targeted(tmp_path, []) as (target, household, _):
        before = household.envs()[2]
        KINDS[kind].inject(Random(1), target)
        assert household.envs().get(2) != before


def test_what_is_not_announced_harms_nobody(tmp_path: Path) -> None:
    announced: list[tuple[int, int]] = []
    with targeted(tmp_path, announced) as (target, _, worker):
        for kind in ("raise", "clock", "narrow"):
            for seed in range(3):
                KINDS[kind].inject(Random(seed), target)
        assert worker.name.plain(1, 2).ret[1:] == (1, 2)
    assert announced == []


def test_limits_of_the_process_are_undone_by_the_env_itself(tmp_path: Path) -> None:
    with targeted(tmp_path, []) as (target, _, worker):
        text = KINDS["full-disk"].inject(Random(1), target).text
        assert text.endswith("a larger result: came")
        assert worker.name.plain(1, 2).ret[1:] == (1, 2)  # its witness still has room


def test_a_worker_is_ended_alone(tmp_path: Path) -> None:
    announced: list[tuple[int, int]] = []
    with targeted(tmp_path, announced) as (target, household, worker):
        before, pids = worker.name.plain(1, 1).ret[0], household.envs()
        worker_faults([worker])["system-exit"].inject(Random(1), target)
        after = worker.name.plain(1, 2)
        assert isinstance(after.exception(), corps.WorkerGone) or after.ret[0] > before
        assert household.envs() == pids
    assert announced == [(2, 1)]


def test_a_storm_of_kills_leaves_no_violation(tmp_path: Path) -> None:
    options = StormOptions(
        seed=11,
        source=LoadCorps,
        kinds=("kill", "raise", "clock", "system-exit", "signal", "stop-script"),
        count=10,
        mean_gap=0.1,
        calm=0.5,
        directory=tmp_path,
    )
    report = storm(with_load(alone(options), QUICK))
    assert report.is_clean, report.as_markdown()
    done = [injected for injected in report.injected if not injected.was_missed]
    assert any(injected.fault == "kill" for injected in done)
    assert report.summary.outcomes["value"] > 0
    assert {file.path.name for file in witness_files(tmp_path)} > {"clients.witness", "env1.witness"}
    assert report.summary.torn == 0
    assert min(report.summary.looks, report.summary.timers, report.summary.records) > 0


def test_the_same_seed_does_the_same(tmp_path: Path) -> None:
    options = StormOptions(
        seed=4, source=LoadCorps, kinds=("raise", "narrow"), count=4, mean_gap=0.05, calm=0.0
    )
    once, again = ([(each.fault, each.text) for each in storm(alone(options)).injected] for _ in range(2))
    assert once == again
    assert len(once) == 4


def test_any_application_can_be_stormed(tmp_path: Path) -> None:
    app = tmp_path / "app.py"
    app.write_text(FAMILY)
    command = [sys.executable, "-m", "corps.testing.chaos", str(app), "38", "--seed", "2", "--faults", "3"]
    command += ["--calm", "0.5", "--mean-gap", "0.1", "--kind", "raise", "--kind", "narrow"]
    command += ["--report", str(tmp_path / "soak")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "# Storm 2: all invariants held" in done.stdout
    assert "5 workers of the application were asked in" in done.stdout
    assert "its run gave 0 values" not in done.stdout
    assert (tmp_path / "soak" / "report.json").exists()


def test_workers_that_declare_no_restart_need_not_answer_as_often_as_before(tmp_path: Path) -> None:
    app = tmp_path / "app.py"
    app.write_text(FAMILY)
    limits = Limits(recovery=0.5, allowance=0.5)
    options = StormOptions(seed=5, source=str(app), words=("38",), kinds=("kill",), count=3, mean_gap=0.1)
    report = storm(replace(options, calm=2.0, limits=limits))
    assert [each for each in report.violations if each.invariant == Invariant.LIVENESS] == []
    assert any("workers of the application did not come back" in note for note in report.notes)
    assert "| I15 | every log record is kept, once | not judged |" in report.as_markdown()


def test_the_load_of_the_tests_runs_beside_any_application(tmp_path: Path) -> None:
    app = tmp_path / "app.py"
    app.write_text(FAMILY)
    command = [sys.executable, "-m", "tests.storm", str(app), "38", "--seed", "3", "--faults", "3"]
    command += ["--envs", "1", "--rate", "100", "--calm", "0.2", "--mean-gap", "0.1"]
    command += ["--kind", "raise", "--kind", "system-exit"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "# Storm 3: all invariants held" in done.stdout
    assert "5 workers of the application were asked in" in done.stdout
    assert "python -m tests.storm" in done.stdout
    assert " 0 executions" not in done.stdout


def test_two_corps_are_stormed_and_ask_each_other_all_the_while() -> None:
    command = [sys.executable, "-m", "tests.storm", "border", "--envs", "1", "--seed", "3", "--faults", "3"]
    command += ["--calm", "0.2", "--mean-gap", "0.3", "--kind", "kill", "--kind", "system-exit"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "# Storm 3: all invariants held" in done.stdout
    assert " 0 executions" not in done.stdout


def test_no_request_between_two_corps_notices_that_all_their_connections_are_cut() -> None:
    command = [sys.executable, "-m", "tests.storm", "cuts", "--envs", "1", "--seed", "3", "--faults", "12"]
    command += ["--calm", "1", "--mean-gap", "0.3"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "# Storm 3: all invariants held" in done.stdout
    assert "connections are cut" in done.stderr
    assert " 0 executions" not in done.stdout
    assert "Lost" not in done.stdout  # no request has failed that was not to fail


def test_a_process_that_is_left_over_is_a_violation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("corps.testing.chaos.storm._ORPHANS", 0.0)  # this one would not go in two seconds
    app = tmp_path / "littering.py"
    app.write_text(LITTERING)
    report = storm(StormOptions(seed=1, source=str(app), count=1, kinds=("raise",), calm=0.1))
    left = [each for each in report.violations if each.invariant == Invariant.NO_ORPHANS]
    assert len(left) == 1
    os.kill(int(left[0].text.split()[1]), signal.SIGKILL)


def test_a_request_that_nobody_answers_is_a_violation(tmp_path: Path) -> None:
    witness = Witness(tmp_path / "clients.witness")
    ledger = Ledger(witness)
    with corps.boot(LoadCorps, envs=1) as app:
        visitors = Visitors(ledger, app, None, pause=0.01)
        visitors.start()
        ledger.ask(1, 1, 1, corps.Future[None])
        visitors.stop()
        visitors.join()
    assert ledger.drain(0.0) == 1
    witness.close()
    records = [record for record in WitnessFile(tmp_path / "clients.witness") if record.sender == 1]
    assert [(record.kind, record.detail) for record in records] == [
        (Kind.SENT, 0),
        (Kind.RESOLVED, Outcome.NEVER),
    ]


@pytest.mark.parametrize(
    "options",
    [
        StormOptions(seed=1, source=LoadCorps, kinds=("flood",), count=1),
        StormOptions(seed=1, source=LoadCorps, kinds=(), count=1),
        StormOptions(seed=1, source=LoadCorps, limits=Limits()),
    ],
)
def test_a_storm_without_faults_is_refused(options: StormOptions) -> None:
    with pytest.raises(ValueError, match=r"no such faults|wants a number"):
        storm(options)


def test_a_load_that_cannot_be_placed_is_an_error_and_no_success(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Load) -> None:
        raise corps.Overloaded("no room")

    monkeypatch.setattr(Load, "start", refuse)
    with pytest.raises(corps.Overloaded):
        storm(with_load(StormOptions(seed=1, source=LoadCorps, count=1, envs=1)))
