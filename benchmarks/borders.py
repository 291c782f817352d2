"""corps between two Corps of one user on one host: calls, and how long a client takes to its first answer."""

import os
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import corps
from benchmarks.cases import BETWEEN, BORDERS, CONNECT, MIB, SHELL, Subject
from benchmarks.floors import STREAM
from benchmarks.ours import CORPS, over, worker_calls
from benchmarks.timing import Works, each
from benchmarks.workers import App
from benchmarks.works import echoes

ANOTHER: Final = over("another Corps")


@contextmanager
def _another_corps() -> Iterator[str]:
    """Have an external Corps in processes of its own; gives its tag."""
    tag = f"benchmark-{os.getpid()}"
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.borders", tag],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        if not process.stdout.readline():
            raise RuntimeError("the other Corps did not start")
        try:
            yield tag
        finally:
            process.stdin.close()


def _serve(tag: str) -> None:
    """Be that Corps, until the input ends."""
    with corps.boot(App, envs=2, external=True, tag=tag) as app:
        corps.gather(*[worker.add(1) for worker in app.names().ret]).result()
        print("ready", flush=True)
        sys.stdin.read()


@contextmanager
def between_corps(share: float) -> Iterator[Works]:
    """Workers of another Corps, called from this process."""
    with _another_corps() as tag, corps.connect(tag) as app:
        worker, _ = app.names().ret
        yield {
            **worker_calls(worker),
            **echoes(lambda value: worker.echo(value).ret, kinds=("bytes",), largest=MIB),
        }


def _connect(tag: str) -> list[Any]:
    app = corps.connect(tag)
    app.names().result()
    return [app]


@contextmanager
def beginnings(share: float) -> Iterator[Works]:
    """Clients from their start to their first answer."""
    command = Path(sysconfig.get_path("scripts"), "corps")
    # Without the bytecode of corps, which some machines do not keep, a shell command measures the compiler.
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with _another_corps() as tag:
        yield {
            CONNECT: each(
                lambda: _connect(tag), after=lambda made: [app.disconnect() for apps in made for app in apps]
            ),
            SHELL: each(
                lambda: subprocess.run(
                    [command, "call", tag, "count"], check=True, stdout=subprocess.DEVNULL, env=environ
                )
            ),
        }


SUBJECTS: Final = (
    Subject(BETWEEN, ANOTHER, "corps", between_corps, floors=(STREAM,)),
    Subject(BORDERS, CORPS, "corps", beginnings),
)

if __name__ == "__main__":
    _serve(sys.argv[1])
