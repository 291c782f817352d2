"""Bytes that are nearly right, given to all that reads strangers' bytes: a short run finds nothing."""

import random
import subprocess
import sys
from pathlib import Path

from tests.fuzz.mutating import Mutator
from tests.integration.other_corps import ROOT


def test_a_short_run_finds_nothing_and_writes_a_report(tmp_path: Path) -> None:
    report = tmp_path / "fuzz" / "report.md"
    options = ["--frames", "500", "--handshakes", "600", "--report", str(report)]
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [line for line in report.read_text().splitlines() if line.startswith("| ")][1:]
    assert len(rows) == len(done.stdout.splitlines()) == 16
    assert all("| nothing |" in row or "answered 2 honest calls" in row for row in rows)


def test_a_reader_that_fails_is_found(tmp_path: Path) -> None:
    program = (
        "from tests.fuzz.__main__ import plain_run\n"
        "print(plain_run(lambda data: data.index(b'seed'), [b'a seed'], 1000, 1))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("ValueError at b'")


def test_the_same_number_makes_the_same_bytes() -> None:
    one, other = (Mutator([b"a seed", b"another"], random.Random(7)) for _ in range(2))
    made = [one.next() for _ in range(200)]
    assert made == [other.next() for _ in range(200)]
    assert len(set(made)) > 150
