import json
from pathlib import Path

from corps.testing.chaos.judgement import MEANINGS, Invariant, Summary, Violation
from corps.testing.chaos.report import Injected, StormReport
from corps.testing.chaos.sizes import Size

MIB = 1024 * 1024


def report() -> StormReport:
    return StormReport(
        7,
        "app.py",
        "python -m corps.testing.chaos app.py --seed 7",
        "2 cores",
        60.0,
        [
            Injected(1, 0.5, 0.0, "kill", "SIGKILL to env2", was_missed=False),
            Injected(2, 0.9, 0.1, "kill", "no Env is left", was_missed=True),
        ],
        summary=Summary(
            requests=10,
            outcomes={"value": 9, "unknown": 1},
            latest=0.01,
            base=100.0,
            recovered=1.5,
        ),
        errors={"EnvLost unknown": 1},
        sizes=[Size(1, 42, MIB, 2 * MIB, 0.5 * MIB, 0.1 * MIB, 30.0)],
        sections=["what the judge adds"],
        notes=["a note"],
    )


def test_a_clean_report_says_what_it_proves() -> None:
    text = report().as_markdown()
    assert text.startswith("# Storm 7: all invariants held\n")
    assert "- 1 faults in 60 s; 1 more could not be done" in text
    assert "fewer than 3e+02 % of faults" in text
    assert "| kill | 1 | 1 |" in text
    assert "| env1 | 1.0 | 2.0 | +0.5 ± 0.1 over 30 s |" in text
    assert "back after 1.5 s" in text
    assert "what the judge adds" in text


def test_a_report_of_violations_names_and_counts_them(tmp_path: Path) -> None:
    bad = report()
    bad.violations = [Violation(Invariant.NO_DOUBLE_EXECUTION, "START number 2", 3, 1, 4)]
    bad.summary.counts = {Invariant.NO_DOUBLE_EXECUTION: 12}
    bad.strange = ["builtins.KeyError: x"]
    path = bad.write(tmp_path / "soak")
    text = path.read_text("utf-8")
    assert "| I1 | no double execution | 12 |" in text
    assert "- I1: START number 2 (request 1/4 to worker 3)" in text
    assert "- strange: builtins.KeyError: x" in text
    kept = json.loads((tmp_path / "soak" / "report.json").read_text("utf-8"))
    assert kept["violations"][0]["invariant"] == "I1"
    assert kept["seed"] == 7


def test_what_only_witnessed_workers_prove_is_not_judged_without_them() -> None:
    text = report().as_markdown()
    assert "| I1 | no double execution | not judged |" in text
    assert "| I4 | every Future is settled in time | 0 |" in text


def test_every_invariant_has_a_meaning() -> None:
    assert set(MEANINGS) == set(Invariant)
