"""Searches every file of a directory tree for a regular expression, on all cores, and checks the result.

    corps run examples/grep.py                            the standard library of this Python
    corps run --envs 4 examples/grep.py -- ~/src 'def \\w+'

A Corps has Searchers in each of its Envs (processes). Each Searcher always has one batch of files in work
and one waiting, so none is idle and nothing piles up. At the end the program searches again, one file after
the other, and both searches have to give the same lines.
"""

import itertools
import os
import re
import sysconfig
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

import corps

PATTERN = r"\b(TODO|FIXME|XXX)\b"
PER_ENV = 2  # one can compute while the other one reads
BATCH = 32
TOP = 10
SKIPPED = {"__pycache__", "site-packages"}  # compiled files, and what is not the standard library's


@dataclass
class Found:
    """The result of a search. Two are equal if they agree on every line of every file."""

    lines: dict[str, tuple[int, ...]] = field(
        default_factory=dict
    )  # numbers of the lines that match, by file
    searched: int = 0
    not_text: set[str] = field(default_factory=set)  # not UTF-8: looked at, and left out
    unreadable: set[str] = field(default_factory=set)

    def add(self, more: "Found") -> None:
        self.lines.update(more.lines)
        self.searched += more.searched
        self.not_text |= more.not_text
        self.unreadable |= more.unreadable


def search(pattern: str, paths: list[str]) -> Found:
    """Search some files; both searches do it so."""
    matches = re.compile(pattern).search
    found = Found()
    for path in paths:
        try:
            with open(path, encoding="utf-8") as file:
                numbers = tuple(number for number, line in enumerate(file, 1) if matches(line))
        except UnicodeDecodeError:
            found.not_text.add(path)
        except OSError:
            found.unreadable.add(path)
        else:
            found.searched += 1
            if numbers:
                found.lines[path] = numbers
    return found


class Searcher(corps.Conc):
    """One of many: it searches the files that it is given."""

    def search(self, pattern: str, paths: list[str]) -> Found:
        return search(pattern, paths)

    def place(self) -> int:
        return self.my_env()


class Grep(corps.Corps):
    """The application: `corps run` calls its `run` and prints what that returns."""

    def __init__(self) -> None:
        self.searchers = corps.options(tag="searcher").create_per_env(PER_ENV, Searcher)

    def run(self, directory: str = "", pattern: str = "") -> str:
        directory = os.path.abspath(os.path.expanduser(directory or sysconfig.get_path("stdlib")))
        pattern = pattern or PATTERN
        re.compile(pattern)  # a bad one fails here, and not in every Searcher
        paths = files_below(directory)
        batches = [paths[start : start + BATCH] for start in range(0, len(paths), BATCH)]

        began = time.perf_counter()
        found = with_progress("all Envs", self.everywhere(pattern, batches), len(paths))
        middle = time.perf_counter()
        check = with_progress("one by one", (search(pattern, batch) for batch in batches), len(paths))
        ended = time.perf_counter()

        if found != check:
            unlike = dict(found.lines.items() ^ check.lines.items())
            raise AssertionError(f"THE TWO SEARCHES DIFFER: {sorted(unlike) or 'in what could be read'}")
        envs = set(corps.gather(*[searcher.place() for searcher in self.searchers]).ret)
        return f"""{report(directory, pattern, found)}

{len(self.searchers)} Concs in {len(envs)} Envs: {speed(len(paths), middle - began)}
one file after the other: {speed(len(paths), ended - middle)}
the result equals that of the sequential search"""

    def everywhere(self, pattern: str, batches: list[list[str]]) -> Iterator[Found]:
        """Yield what the Searchers find, as it comes. The Searcher that answers gets the next batch."""
        left = iter(batches)
        asked: dict[corps.Future[Found], corps.Name[Searcher]] = {}
        for searcher, batch in zip(self.searchers * 2, left, strict=False):
            asked[corps.call(searcher, Searcher.search, pattern, batch)] = searcher
        while asked:
            answer = corps.wait_any(asked)
            searcher = asked.pop(answer)
            for batch in itertools.islice(left, 1):
                asked[corps.call(searcher, Searcher.search, pattern, batch)] = searcher
            yield answer.ret


def files_below(directory: str) -> list[str]:
    if not os.path.isdir(directory):
        raise NotADirectoryError(f"{directory} is not a directory")
    paths = []
    for folder, folders, names in os.walk(directory):
        folders[:] = sorted(set(folders) - SKIPPED)
        paths += [os.path.join(folder, name) for name in sorted(names)]
    return [
        path for path in paths if os.path.isfile(path) or not os.path.exists(path)
    ]  # no pipes, no devices


def with_progress(title: str, parts: Iterator[Found], total: int) -> Found:
    """Add up all parts, and show a bar on stderr meanwhile."""
    columns = TextColumn("{task.description:>10}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    found = Found()
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(title, total=total)
        for part in parts:
            found.add(part)
            progress.advance(task, part.searched + len(part.not_text) + len(part.unreadable))
    return found


def speed(files: int, seconds: float) -> str:
    return f"{seconds:.2f} s, {files / seconds:,.0f} files per second"


def report(directory: str, pattern: str, found: Found) -> str:
    most = sorted(found.lines.items(), key=lambda entry: (-len(entry[1]), entry[0]))
    lines = [f"{pattern} in {directory}"]
    for path, numbers in most[:TOP]:
        shown = ", ".join(map(str, numbers[:5])) + (", ..." if len(numbers) > 5 else "")
        lines.append(f"{len(numbers):7,}  {os.path.relpath(path, directory)}  (lines {shown})")
    if len(most) > TOP:
        lines.append(
            f"{sum(len(numbers) for _, numbers in most[TOP:]):7,}  in {len(most) - TOP:,} more files"
        )
    total = sum(len(numbers) for _, numbers in most)
    lines.append(f"{total:7,}  lines match, in {len(most):,} of {found.searched:,} files")
    lines.append(
        f"{len(found.not_text):7,}  files are not UTF-8, {len(found.unreadable):,} could not be read"
    )
    return "\n".join(lines)
