"""Runs the blocks of code of one page of the documentation; see `test_docs_code`. It is a program.

Apart from the tests, because pages do not import what those do.
"""

import importlib
import json
import os
import re
import subprocess
import sys
import types
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

FILE: Final = re.compile(r"^# file: (?P<path>[\w./-]+)$")


@dataclass(frozen=True)
class Block:
    """One fenced block: where its first line of code stands, and the code."""

    language: str
    line: int
    code: str


def run_page(page: str, steps: list[Block]) -> None:
    """Runs the blocks in the current directory."""
    main = types.ModuleType("__main__")
    sys.modules["__main__"] = main
    sys.argv[:] = [page]
    sys.path.insert(0, os.getcwd())
    for step in steps:
        if step.language == "console":
            run_console(page, step)
            continue
        first, _, rest = step.code.partition("\n")
        named = FILE.match(first)
        if named:
            path = Path(named["path"])
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(rest, "utf-8")
            importlib.invalidate_caches()
        else:
            # Empty lines before it give every line of code the number that it has on the page.
            exec(compile("\n" * (step.line - 1) + step.code, page, "exec"), vars(main))


def run_console(page: str, step: Block) -> None:
    for line, command, expected in commands(step):
        done = subprocess.run(
            ["bash", "-c", command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        where = f"{page}:{line}: $ {command}"
        if done.returncode != 0:
            raise SystemExit(f"{where}\nended with status {done.returncode}:\n{done.stdout}")
        if expected and not output_matches(expected, done.stdout):
            raise SystemExit(f"{where}\nshould print:\n{expected}\nprinted:\n{done.stdout}")


def commands(step: Block) -> Iterator[tuple[int, str, str]]:
    """Line, command and expected output of each command of a console block."""
    lines = step.code.splitlines()
    starts = [index for index, line in enumerate(lines) if line.startswith("$ ")]
    if not starts or any(line.strip() for line in lines[: starts[0]]):
        raise SystemExit(f"line {step.line}: a console block begins with a command after '$ '")
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        stop = start + 1
        while lines[stop - 1].endswith("\\") and stop < end:
            stop += 1
        command = "\n".join(lines[start:stop]).removeprefix("$ ")
        yield step.line + start, command, "\n".join(lines[stop:end]).strip("\n")


def output_matches(expected: str, printed: str) -> bool:
    pattern = ""
    for line in expected.splitlines():
        if line.strip() == "...":
            pattern += r"(?:.*\n)*?"
        else:
            pattern += ".*?".join(re.escape(part) for part in line.rstrip().split("...")) + r"[ \t]*\n"
    return re.fullmatch(pattern, printed.strip("\n") + "\n") is not None


if __name__ == "__main__":
    name, raw = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    run_page(name, [Block(**each) for each in raw])
