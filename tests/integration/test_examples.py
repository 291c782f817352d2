"""Every file of examples/ runs, prints what it promises, and leaves nothing behind."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

import corps

ROOT: Final = Path(__file__).parents[2]
EXAMPLES: Final = ROOT / "examples"

PRINTED: Final = {
    "hello.py": [
        "Hello, world!",
        "Good morning, you!",
        "['world', 'nobody who listens', 'you']",
        "Good morning, checker!",
    ],
    "counter.py": [
        "total: 44 then 48",
        "env1 has 12",
        "env1 has 12",
        "env2 has 12",
        "env2 has 12",
    ],
    "bank.py": [
        "Anna has 70",
        "not paid: 430 are missing; True",
        "deadlock, executed: yes",
        "DeadlineExceeded - the audit itself goes on",
        "Bert is gone; executed: no",
    ],
    "async_fetch.py": [
        *[f"the page /{number}" for number in range(10)],
        "at most under way at once: 10",
    ],
    "stream.py": [
        "2 3 5 7 11 13 17 19 23 29 ",
        "numbers looked at: 30",
        "the generator has ended: True",
    ],
}
"""What the examples that are programs print. grep.py, which is an application only, has tests of its own."""


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", *command],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "COLUMNS": "100", "TERM": "dumb"},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )


def test_every_example_is_run_by_a_test() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} == {*PRINTED, "grep.py"}


@pytest.mark.parametrize("name", sorted(PRINTED))
def test_the_example_runs_and_prints_what_it_promises(name: str) -> None:
    done = run(f"examples/{name}")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == PRINTED[name]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """70 good files, one that is not UTF-8, one that cannot be read, and one in a folder that is skipped."""
    for number in range(70):
        path = tmp_path / f"folder{number % 3}" / f"file{number}.txt"
        path.parent.mkdir(exist_ok=True)
        path.write_text("needle\nhay\n" * number, "utf-8")
    (tmp_path / "latin.txt").write_bytes(b"needle \xff\n")
    (tmp_path / "dangling.txt").symlink_to(tmp_path / "nowhere")
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "file.pyc").write_bytes(b"needle")
    return tmp_path


def check_report(text: str, tree: Path) -> None:
    lines = text.strip().splitlines()
    assert lines[0] == f"n.+e$ in {tree}"
    assert lines[1] == "     69  folder0/file69.txt  (lines 1, 3, 5, 7, 9, ...)"
    assert lines[-6] == "  2,415  lines match, in 69 of 70 files"
    assert lines[-5] == "      1  files are not UTF-8, 1 could not be read"
    assert re.fullmatch(r"4 Concs in 2 Envs: [\d.]+ s, [\d,]+ files per second", lines[-3])
    assert re.fullmatch(r"one file after the other: [\d.]+ s, [\d,]+ files per second", lines[-2])
    assert lines[-1] == "the result equals that of the sequential search"


def test_grep_finds_in_all_envs_what_a_sequential_search_finds(tree: Path) -> None:
    with corps.boot(EXAMPLES / "grep.py", envs=2) as app:
        check_report(app.run(str(tree), "n.+e$").ret, tree)


def test_grep_fails_for_a_directory_that_is_none_and_a_pattern_that_is_none(tree: Path) -> None:
    with corps.boot(EXAMPLES / "grep.py", envs=1) as app:
        with pytest.raises(NotADirectoryError, match="nowhere is not a directory"):
            app.run(str(tree / "nowhere")).result()
        with pytest.raises(re.error, match="unterminated"):
            app.run(str(tree), "(").result()


def test_grep_says_loudly_that_a_result_differs(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    lying = tmp_path_factory.mktemp("app") / "lying.py"
    source = (EXAMPLES / "grep.py").read_text("utf-8")
    honest = "        return search(pattern, paths)\n"
    assert honest in source
    lying.write_text(source.replace(honest, "        return search('hay', paths)\n"), "utf-8")
    with corps.boot(lying, envs=1) as app:
        error = app.run(str(tree), "needle").exception()
    assert isinstance(error, AssertionError)
    assert re.search(r"THE TWO SEARCHES DIFFER: .*file1\.txt", str(error))


def test_corps_run_prints_the_report_of_grep(tree: Path) -> None:
    pytest.importorskip("corps.cli.main")
    main = "import sys; from corps.cli.main import main; sys.exit(main())"
    done = run("-c", main, "run", "--envs", "2", "examples/grep.py", "--", str(tree), "n.+e$")
    assert done.returncode == 0, done.stderr
    check_report(done.stdout, tree)
    assert "one by one" in done.stderr  # the bars
