"""The benchmarks run; how fast is not judged here."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_a_quick_run_measures_every_case_and_writes_its_samples(tmp_path: Path) -> None:
    written = tmp_path / "samples.json"
    command = [sys.executable, "-m", "benchmarks", "--quick", "--json", str(written)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 0, done.stderr
    measured = json.loads(written.read_text())["seconds"]
    assert all(rounds for cases in measured.values() for rounds in cases.values())
    assert "corps" in measured["call in one Env"]
