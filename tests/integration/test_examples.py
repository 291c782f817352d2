"""Every file of examples/ runs, prints what it promises, and leaves nothing behind."""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

import pytest

import corps

ROOT: Final = Path(__file__).parents[2]
EXAMPLES: Final = ROOT / "examples"

BEGUN: Final = ["store starts", "cache starts", "index starts", "the cache fails:"]
ENDED: Final = ["the end:", "index ends", "cache ends", "store ends"]

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
    "funcs.py": [
        "means:   [3, 5, 6.666666666666667]",
        "medians: [2, 3, 8]",
        "spread:  5",
        "primes:  [2, 3, 5, 7, 11, 13, 17, 19]",
        "totals:  [25, 25, 25]",
        "words:   [1, 2, 3]",
        "areas:   6 20",
    ],
    "groups.py": [
        "Anna has ['bread', 'milk']",
        "customers: 4 in 3 workers",
        "left: 0",
        "primes: [10007, 10009, 10037, 10039, 10061, 10067, 10069, 10079, 10091, 10093, 10099]",
        "the first above 10 000 is 10007",
    ],
    "scaling.py": [
        "clerks: 1",
        "clerks: 3, because a thousand requests came at once",
        "all were done: True",
        "clerks: 1, because there is nothing to do",
    ],
    "turns.py": [
        "bread is done",
        "lit",
        "bread goes in",
        "a guest comes",
        "bread comes out",
        "the kitchen is clean",
    ],
    "async_fetch.py": [
        *[f"the page /{number}" for number in range(10)],
        "at most under way at once: 10",
    ],
    "timers.py": [
        "values: [0, 1, 2]",
        "the last words: good night",
        "the backup: everything is saved",
        "the clock: no time server",
    ],
    "dirs.py": [
        "1: a book about tea",
        "2: a book about bees",
        "shelves: 2",
        "no worker with the tag 'shelves' is registered in the Dirs; there is 'shelf'",
        "the favourite: True",
        "in the Dir of the guide: a book about tea",
        "the shelf with tea: Left",
    ],
    "parallel.py": [
        "steps: [0, 1, 7, 2, 5, 8, 16, 3, 19, 6]",
        "longest below 20000: 17673 with 278",
        "more than 250 steps: 29",
        "sum: 4999950000",
        "an error in the place of a result: division by zero",
        "submitted: 111",
    ],
    "more_parallel.py": [
        "areas: [6, 20]",
        "in any order: [1, 2, 3]",
        "coroutines: ['A', 'WORD', 'EACH']",
        "joblib: [0, 1, 4, 9, 16]",
    ],
    "log_sinks.py": [
        "published: env2.WARNING WARNING log_sinks.py:21 - sold: lamp",
        "booked: Till sold: lamp",
    ],
    "stream.py": [
        "2 3 5 7 11 13 17 19 23 29 ",
        "numbers looked at: 30",
        "the generator has ended: True",
    ],
    "components.py": [
        "Hello, world!",
        "the application ends",
        "the store is closed",
    ],
    "env_events.py": [
        "env2 is lost; returns: True",
        "env2 is replaced; returns: False",
        "added removed",
        "['lost', 'replaced', 'added', 'removed']",
    ],
    "chain.py": [
        "words: 10",
        "there is no page 3",
    ],
    "undelivered.py": [
        "WorkerGone",
        "print_page('a poem',) {'copies': 3}, because: ended",
    ],
    "labels.py": [
        "['devices: 1', 'devices: 1', 'devices: none']",
        "it stands back: True",
        "no Env of this Corps has the label 'tpu' (env2: gpu)",
    ],
    "one_log.py": [
        "env1 Till debug the till is open",
        "env1 Till warning sold: lamp",
        "env2 Cellar error water in the cellar",
        "env1 Till debug the till is open",
        "env1 Till warning sold: bucket",
    ],
    "guard.py": [
        "bob reads volume 1",
        "the guard bans bob: rate",
        "bob heard 'try again later', and was cut off: True",
        "bob does not get in any more",
    ],
    "federation/trade.py": [
        "rye bread 1: thank you, bob",
        "rye bread 2: thank you, bob",
        "where the bakery buys is not for customers to say",
        "the mill does not know Carol's key",
        'the mill has sold: {"bob": 2}',
    ],
    "federation/workshop.py": [
        "Anna has 1",
        "noted: chair no. 1",
        "the town has ended with its master",
    ],
    "failing/permanent.py": [
        "5 kWh",
        "7 kWh",
        "failed, executed: yes",
        "3 kWh",
        "7 kWh",
        "1 kWh",
        "failed, executed: no",
    ],
    "failing/transient.py": [
        "ValueError ['start']",
        "FileNotFoundError 1 ['start', 'start']",
        "normal ['start', 'start']",
        "WorkerGone",
    ],
    "failing/temporary.py": [
        "RemoteError yes - error",
        "WorkerGone no",
        "RemoteError yes - error",
        "says hello",
    ],
    "failing/one_for_one.py": [*BEGUN, "cache has failed", "cache starts", *ENDED],
    "failing/one_for_all.py": [*BEGUN, "cache has failed", "index ends", "store ends", *BEGUN[:3], *ENDED],
    "failing/rest_for_one.py": [*BEGUN, "cache has failed", "index ends", *BEGUN[1:3], *ENDED],
    "failing/limit.py": [
        "error",
        "error",
        "WorkerGone no after 10 starts",
        "RestartLimit: True",
    ],
    "failing/watching.py": [
        "error - it had ended already",
        "normal 1",
        "['Anna: error', 'Bert: normal']",
        "['another Anna', 'another Bert']",
    ],
    "failing/routed.py": [
        "a.png at 10 - a.png at 10",
        "processes: 3",
        "failed because they ran there: at most 2",
        "answered: the others",
    ],
    "failing/process.py": [
        "1 item",
        "EnvLost unknown",
        "EnvLost no",
        "EnvLost no",
        "killed 1",
        "1 item: the next incarnation, at the same address, began anew",
        "1 item: sent again by itself, because it is idempotent",
    ],
}
"""What the examples that are programs print. grep.py, which is an application only, has tests of its own."""


FAILURE: Final = re.compile(
    r" has failed\b|'say' raised SystemExit|^env2 (is lost|has another process)|"
    r" refused \((hello|expelled), 1 so far\): "
    r"(no member of this Corps says it is env2|env2 is no member any more)$"
)
"""What is logged of a failure. A connection that env2 has just opened may be looked at after its death."""


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", *command],
        cwd=ROOT,
        env={
            "PYTHONPATH": str(ROOT),
            "PATH": "/usr/bin:/bin",
            "COLUMNS": "100",
            "TERM": "dumb",
            "TMPDIR": tempfile.gettempdir(),
            "XDG_STATE_HOME": f"{tempfile.gettempdir()}/state",
        },
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def settled(lines: list[str]) -> list[str]:
    """The lines with those of the end sorted: siblings of one class end at the same time."""
    begin = lines.index("the end:") + 1 if "the end:" in lines else len(lines)
    return lines[:begin] + sorted(lines[begin:])


def test_every_example_is_run_by_a_test() -> None:
    parts = ("town", "letters", "bench", "mill", "oven", "bakery", "customer")
    others = {"grep.py", "hosts/demo.py", *(f"federation/{part}.py" for part in parts)}
    assert {str(path.relative_to(EXAMPLES)) for path in EXAMPLES.rglob("*.py")} == {*PRINTED, *others}


@pytest.mark.parametrize("name", sorted(PRINTED))
def test_the_example_runs_and_prints_what_it_promises(name: str) -> None:
    done = run(f"examples/{name}")
    # What fails on purpose is logged, and nothing else is.
    fails = name.startswith("failing/")
    unexpected = [line for line in done.stderr.splitlines() if not (fails and FAILURE.search(line))]
    assert (done.returncode, unexpected) == (0, [])
    assert settled(done.stdout.splitlines()) == settled(PRINTED[name])


def test_a_script_carries_letters_between_two_towns(tmp_path: Path) -> None:
    def ask(*command: str) -> str:
        done = subprocess.run(
            [sys.executable, *command],
            cwd=EXAMPLES / "federation",
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    towns = ["north", "south"]
    try:
        for town in towns:
            log = str(tmp_path / f"{town}.log")
            ask("-m", "corps", "run", "town.py", "--detach", "--tag", town, "--envs", "1", "--log", log)
        assert ask("letters.py").splitlines() == [
            "Anna has 1",
            "Anna has 2",
            "at home: True",
            "in the south: False",
        ]
    finally:
        for town in towns:
            ask("-m", "corps", "stop", town)


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
