"""The code in the documentation runs.

Every page (README.md and docs/**/*.md) is run from top to bottom by a process of its own, in an empty
directory that holds a copy of examples/. The process has imported corps already (see `tests.forks`).

- A `python` block runs in one namespace with the other blocks of its page.
- A `python` block that opens with ``# file: app.py`` is written to that file instead.
- In a `console` block, a line that begins with ``$ `` is run by bash and has to succeed; a backslash at its
  end continues it. The lines below it are what it prints, where ``...`` stands for any text within a line,
  and for any lines where it stands alone. Nothing below it: anything may be printed. The command `corps` is
  that of this checkout.
- Blocks of `toml`, `text` and other data are read by people only.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Final

import pytest

from tests.forks import Forks
from tests.integration.page_program import Block

ROOT: Final = Path(__file__).parents[2]
PROGRAM: Final = Path(__file__).with_name("page_program.py")
PAGES: Final = [
    path for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))] if path.exists()
]

FENCE: Final = re.compile(r"^(?P<indent>[ \t]*)(?P<fence>`{3,}|~{3,})[ \t]*\{?[ \t]*\.?(?P<language>[\w+-]*)")
INCLUDE: Final = re.compile(r'^--8<-- "(?P<path>[^"]+)"$')
DATA: Final = frozenset({"", "text", "toml", "json", "mermaid", "markdown"})
TIME_LIMIT: Final = 100.0


def blocks(text: str) -> Iterator[Block]:
    lines = iter(enumerate(text.splitlines(), 1))
    for number, line in lines:
        opening = FENCE.match(line)
        if opening is None:
            continue
        indent, fence = opening["indent"], opening["fence"]
        code = []
        for _, inner in lines:
            if re.fullmatch(rf"[ \t]*{fence[0]}{{{len(fence)},}}[ \t]*", inner):
                break
            code.append(included(inner.removeprefix(indent)))
        yield Block(opening["language"].lower(), number + 1, "\n".join(code) + "\n")


def included(line: str) -> str:
    """The line, or the file that it includes by its path from the checkout."""
    include = INCLUDE.match(line.strip())
    return (ROOT / include["path"]).read_text("utf-8").rstrip("\n") if include else line


def runnable(page: Path) -> list[Block]:
    return runs(blocks(page.read_text("utf-8")))


def runs(found: Iterable[Block]) -> list[Block]:
    return [block for block in found if block.language in {"python", "console"}]


# In the test process


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if runnable(page)],
    ids=lambda page: page.relative_to(ROOT).as_posix(),
)
def test_the_code_of_the_page_runs(page: Path, tmp_path: Path, forks: Forks) -> None:
    output, status = run_apart(forks, page.relative_to(ROOT).as_posix(), runnable(page), tmp_path)
    assert status == 0, output


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_block_that_looks_like_code_is_one_that_runs(page: Path) -> None:
    strange = [
        f"line {block.line}: {block.language}; use python or console"
        for block in blocks(page.read_text("utf-8"))
        if block.language not in {"python", "console", *DATA}
    ]
    assert not strange


def run_apart(forks: Forks, page: str, steps: list[Block], directory: Path) -> tuple[str, int]:
    work = directory / "work"
    if (ROOT / "examples").exists():
        shutil.copytree(ROOT / "examples", work / "examples", ignore=shutil.ignore_patterns("__pycache__"))
    work.mkdir(exist_ok=True)
    command = directory / "bin" / "corps"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m corps.cli.main "$@"\n', "utf-8")
    command.chmod(0o755)
    script = directory / "steps.json"
    script.write_text(json.dumps([page, [asdict(step) for step in steps]]), "utf-8")
    environ = {
        **{name: value for name, value in os.environ.items() if not name.startswith("CORPS_")},
        "PATH": os.pathsep.join(
            [str(command.parent), str(Path(sys.executable).parent), os.environ.get("PATH", "")]
        ),
        "PYTHONPATH": str(ROOT),
        "XDG_CONFIG_HOME": str(directory / "config"),  # no page changes the key ring of this user
        "XDG_CACHE_HOME": str(directory / "cache"),
        "NO_COLOR": "1",
        "TERM": "dumb",
        "COLUMNS": "100",
        "PIP_NO_INDEX": "1",  # no page may install what an index happens to hold under our name
    }
    # No page sees the Corps of other tests. Short, since the paths of sockets are.
    with tempfile.TemporaryDirectory(prefix="d") as runtime:
        process = forks.begin(
            [str(PROGRAM), str(script)],
            work,
            {**environ, "XDG_RUNTIME_DIR": runtime},
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            output, _ = process.communicate(timeout=TIME_LIMIT)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            output, _ = process.communicate()
            output += f"\nstill running after {TIME_LIMIT} seconds"
    return output, process.returncode


# This runner itself

GOOD: Final = """
# Page

```python
# file: app/greet.py
def greet(name):
    return f"hello {name}"
```

1. In a list:

    ```python
    from app.greet import greet
    words = greet("you")
    ```

```toml
not = run
```

```python
import __main__
assert __main__.words == words == "hello you"
print(words)
```

```console
$ python -c 'from app.greet import greet; \\
print(greet("me")); print("a"); print("b"); print("time: 3.5 s")'
hello me
...
time: ... s
$ test -f app/greet.py

$ echo unchecked
```
"""


def run_text(forks: Forks, text: str, directory: Path) -> tuple[str, int]:
    return run_apart(forks, "page.md", runs(blocks(text)), directory)


def test_a_good_page_passes(tmp_path: Path, forks: Forks) -> None:
    output, status = run_text(forks, GOOD, tmp_path)
    assert status == 0, output
    assert output == "hello you\n"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("\n```python\nx = 1\n\n1 / 0\n```\n", 'File "page.md", line 5'),
        ("```python\nassert x\n```\n", "NameError"),
        ("```console\n$ false\n```\n", "page.md:2: $ false\nended with status 1"),
        ("```console\n$ echo one; echo two\none\n```\n", "should print:\none\nprinted:\none\ntwo"),
        ("```console\necho one\n```\n", "a console block begins with a command"),
        ("~~~python\nraise SystemExit('here')\n~~~\n", "here"),
        ('```{.python title="x"}\nraise SystemExit("here")\n```\n', "here"),
        ("````python\nx = '''\n```\n'''\nraise SystemExit('here')\n````\n", "here"),
    ],
)
def test_a_bad_page_fails_and_says_where(text: str, complaint: str, tmp_path: Path, forks: Forks) -> None:
    output, status = run_text(forks, text, tmp_path)
    assert status != 0
    assert complaint in output


def test_a_file_of_the_checkout_can_be_included() -> None:
    (block,) = blocks('```python\n--8<-- "corps/py.typed"\n--8<-- "LICENSE"\n```\n')
    assert "Apache License" in block.code
