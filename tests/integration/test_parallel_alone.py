"""`corps.map` with a Corps of its own, in a worker, and when Envs die."""

import itertools
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import corps


class App(corps.Corps):
    """It maps inside a worker."""

    def squares(self, n: int) -> list[int]:
        return list(corps.map(square, range(n)))


def square(n: int) -> int:
    return n * n


def die_once(path: str) -> str:
    """Kill the process that runs it, but only the first one."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return "lived"
    os.kill(os.getpid(), signal.SIGKILL)
    return "dead"


def test_a_function_that_cannot_be_packed_is_refused_at_the_call() -> None:
    lock = threading.Lock()
    with corps.boot(App, envs=1), pytest.raises(corps.PackError):
        corps.map(lambda _: lock, [1])


def test_a_worker_maps_in_the_envs_of_its_corps() -> None:
    with corps.boot(App, envs=2) as app:
        assert app.squares(100).ret == [n * n for n in range(100)]


def test_a_chunk_whose_env_has_died_runs_again_if_that_does_no_harm(tmp_path: Path) -> None:
    with corps.boot(App, envs=2):
        paths = [str(tmp_path / "dead")] * 4
        assert list(corps.map(die_once, paths, chunk=1, idempotent=True)) == ["lived"] * 4


def test_a_chunk_that_had_begun_names_its_items_in_the_error(tmp_path: Path) -> None:
    with corps.boot(App, envs=2):
        path = str(tmp_path / "dead")
        with pytest.raises(corps.EnvLost, match="item 0, the first of them") as raised:
            list(corps.map(die_once, [path], chunk=1))
        assert (raised.value.executed, vars(raised.value)["items"]) == ("unknown", (path,))


def test_a_plain_script_needs_no_corps_and_leaves_none(tmp_path: Path) -> None:
    script = tmp_path / "plain.py"
    script.write_text(
        "import corps, os\n"
        "class Point:\n"
        "    def __init__(self, n): self.n = n\n"
        "def make(n): return Point(n)\n"
        "points = list(corps.map(make, range(5)))\n"
        "assert all(type(point) is Point for point in points)\n"
        "elsewhere = {*corps.map(lambda _: os.getpid(), range(64))} - {os.getpid()}\n"
        "print([point.n for point in points], bool(elsewhere))\n"
        "for n in corps.map(lambda n: n, iter(int, 1)):\n"
        "    break\n"
        "print('over')\n"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "[0, 1, 2, 3, 4] True\nover\n", "")


def test_two_maps_of_a_plain_process_do_not_meet() -> None:
    with corps.map(square, itertools.count()) as outer:
        assert next(outer) == 0
        with corps.map(square, itertools.count()) as inner:
            assert [next(inner), next(inner)] == [0, 1]
        assert next(outer) == 1


class Mortal(corps.Conc):
    def die(self, path: str) -> str:
        return die_once(path)


def test_a_method_whose_worker_has_died_names_its_item_too(tmp_path: Path) -> None:
    with corps.boot(App, envs=2) as app:
        name = app.create(Mortal)
        path = str(tmp_path / "dead")
        with pytest.raises(corps.EnvLost, match="item 0, the first of them") as raised:
            list(corps.map(name.die, [path]))
        assert vars(raised.value)["items"] == (path,)
