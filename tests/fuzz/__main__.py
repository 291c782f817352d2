"""``python -m tests.fuzz``: gives bytes that are nearly right to all that reads bytes of strangers."""

import importlib
import importlib.util
import os
import random
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import click

from tests.fuzz.mutating import Mutator

SHOWN = 200  # bytes of what led to a defect
GUIDE = "atheris"  # which needs an interpreter for which it is built
MIB = 1024 * 1024
HANDSHAKES = {False: "handshakes", True: "handshakes over tcp"}


class Line(NamedTuple):
    """What the report says of one part."""

    what: str
    number: int
    seconds: float
    result: str


@click.command()
@click.option("--frames", default=100_000, show_default=True, help="Byte strings for each reader.")
@click.option(
    "--handshakes", default=10_000, show_default=True, help="Connections to a running Corps, by each way."
)
@click.option("--only", default="", help="Only readers whose name contains this.")
@click.option("--seed", default=1, show_default=True, help="The same number makes the same bytes.")
@click.option("--guided", is_flag=True, help="Let atheris choose the bytes by what they reach.")
@click.option("--report", type=click.Path(path_type=Path), help="Write what was seen to this file.")
@click.option("--guide-one", hidden=True, default="", help="Let atheris try this reader, in this process.")
def main(
    frames: int,
    handshakes: int,
    only: str,
    seed: int,
    guided: bool,
    report: Path | None,
    guide_one: str,
) -> None:
    """Give bytes that are nearly right to all that reads bytes of strangers; exit with 1 for a defect."""
    if guide_one:
        guide(guide_one, frames, seed)
        return
    from tests.fuzz.readers import targets

    lines = []
    for target in targets():
        if only not in target.name:
            continue
        began = time.monotonic()
        if guided:
            result = guided_run(target.name, target.seeds, frames, seed)
        else:
            result = plain_run(target.read, target.seeds, frames, seed)
        lines.append(Line(target.name, frames, time.monotonic() - began, result))
        click.echo(text_of(lines[-1]))
    for over_tcp in (False, True):
        if handshakes and only in HANDSHAKES[over_tcp]:
            lines.append(handshakes_run(handshakes, seed, over_tcp=over_tcp))
            click.echo(text_of(lines[-1]))
    if report is not None:
        report.parent.mkdir(parents=True, exist_ok=True)
        report.write_text(page(lines, seed, is_guided=guided), "utf-8")
    if any(line.result != "nothing" and not line.result.startswith("answered") for line in lines):
        sys.exit(1)


def plain_run(read: Callable[[bytes], object], seeds: Sequence[bytes], number: int, seed: int) -> str:
    """Give a reader bytes without a guide; return what was wrong, or "nothing"."""
    mutator = Mutator(seeds, random.Random(seed))
    for _ in range(number):
        data = mutator.next()
        try:
            read(data)
        except Exception as error:
            traceback.print_exc()
            return f"{type(error).__name__} at {data[:SHOWN]!r}"
    return "nothing"


def guided_run(name: str, seeds: Sequence[bytes], number: int, seed: int) -> str:
    """Have atheris give a reader bytes, in a process of its own; return what was wrong, or "nothing"."""
    if importlib.util.find_spec(GUIDE) is None:
        raise click.UsageError("--guided needs atheris: `make fuzz ARGS=--guided` installs it")
    with tempfile.TemporaryDirectory() as corpus:
        for at, each in enumerate(seeds):
            Path(corpus, str(at)).write_bytes(each)
        options = ["--guide-one", name, "--frames", str(number), "--seed", str(seed)]
        done = subprocess.run(
            [sys.executable, "-m", "tests.fuzz", *options],
            env={**os.environ, "FUZZ_CORPUS": corpus},
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode == 0:
        return "nothing"
    click.echo(done.stderr[-4000:], err=True)
    return f"exit status {done.returncode}"


def guide(name: str, number: int, seed: int) -> None:
    """Have atheris give one reader bytes, and end the process."""
    atheris = importlib.import_module(GUIDE)
    with atheris.instrument_imports(include=["corps"]):
        readers = importlib.import_module("tests.fuzz.readers")
    target = next(each for each in readers.targets() if each.name == name)
    flags = [f"-runs={number}", f"-seed={seed}", "-max_len=65536", "-rss_limit_mb=1024", "-timeout=10"]
    atheris.Setup([sys.argv[0], *flags, os.environ["FUZZ_CORPUS"]], lambda data: target.read(data) and None)
    atheris.Fuzz()


def handshakes_run(number: int, seed: int, *, over_tcp: bool) -> Line:
    """Let strangers connect to a running Corps."""
    from tests.fuzz.handshakes import attack

    began = time.monotonic()
    found = attack(number, seed, over_tcp=over_tcp)
    result = (
        f"answered {found.answers} honest calls, the slowest in {found.slowest * 1000:.0f} ms; "
        f"{found.refused} connections not made; "
        f"{found.grown / MIB:.1f} MiB and {found.descriptors} descriptors more"
    )
    return Line(HANDSHAKES[over_tcp], found.handshakes, time.monotonic() - began, result)


def text_of(line: Line) -> str:
    """Return a line for people."""
    return f"{line.what:19} {line.number:>10} in {line.seconds:6.1f} s: {line.result}"


def page(lines: Sequence[Line], seed: int, *, is_guided: bool) -> str:
    """Return the report as a page."""
    how = "chosen by atheris" if is_guided else "changed at random"
    rows = [f"| {line.what} | {line.number:,} | {line.seconds:.0f} | {line.result} |" for line in lines]
    return "\n".join(
        [
            "# What strangers' bytes have led to",
            "",
            f"Bytes {how}, with the seed {seed}. Each reader refuses bytes by the errors that it names.",
            "Anything else, such as another exception or an object that was unpickled, would be a defect.",
            "",
            "| reader | byte strings | seconds | defects |",
            "|---|---|---|---|",
            *rows,
            "",
        ]
    )


if __name__ == "__main__":
    main()
