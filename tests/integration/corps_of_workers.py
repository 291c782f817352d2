"""Applications of tests whose workers boot further Corps, and what these are."""

import os
import textwrap
from pathlib import Path
from typing import Any

import psutil

import corps

LIMIT = 60.0  # seconds: a busy machine takes that long for a few interpreters

PART = """
import os
import corps
import helper

class Piece(corps.Conc):
    def pid(self):
        return os.getpid()

    def word(self):
        return helper.WORD

class Part(corps.Corps):
    def __init__(self, number=0, back=None):
        self.number = number
        self.back = back

    def word(self):
        return helper.WORD, __name__, self.number

    def pids(self):
        booting = psutil_parent(psutil_parent(os.getpid()))
        return booting, os.getpid()

    def piece(self):
        return corps.create(Piece)

    def call_back(self):
        return self.back.hear(self.my_name()).ret

    def fail(self):
        raise corps.Fail("it cannot go on")

    def die(self):
        os.kill(os.getpid(), 9)

    def cleanup(self):
        path = os.environ.get("WHERE_PARTS_END")
        if path:
            with open(path, "a") as file:
                file.write(f"{self.number}\\n")

def psutil_parent(pid):
    with open(f"/proc/{pid}/stat") as file:
        return int(file.read().rpartition(")")[2].split()[1])
"""


def write_part(folder: Path, word: str, source: str = PART) -> Path:
    """Write an application with a module beside it, into a folder of its own."""
    folder.mkdir()
    (folder / "helper.py").write_text(f"WORD = {word!r}\n")
    path = folder / "part.py"
    path.write_text(textwrap.dedent(source))
    return path


class Builder(corps.Conc):
    """Boots Corps, and is their Mgr."""

    def __init__(self) -> None:
        self.part: Any = None

    def boot(self, path: str, *args: Any, restart: corps.Restart | None = None, **how: Any) -> Any:
        self.part = corps.options(restart=restart, **how).boot(path, *args, envs=1)
        return self.part

    def boot_here(self, path: Any, *args: Any, restart: corps.Restart | None = None) -> Any:
        self.part = corps.options(contained=True, restart=restart).boot(path, *args, envs=0)
        return self.part

    def call(self, method: str) -> Any:
        return getattr(self.part, method)().ret

    def hear(self, name: Any) -> str:
        return f"heard of {name.word().ret[0]}" if name != self.part else "heard of mine"

    def children(self) -> int:
        return len(self.my_children())

    def pid(self) -> int:
        return os.getpid()

    def find(self, tag: str) -> Any:
        return corps.find(tag, where="ext")


class House(corps.Corps):
    """An application with one builder in an Env."""

    def __init__(self, restart: corps.Restart | None = None) -> None:
        self._builder = corps.options(env=1, restart=restart).create(Builder)

    def builder(self) -> corps.Name[Builder]:
        return self._builder

    def ext_name(self, path: str) -> Any:
        corps.store(self.my_ext_name(), path)
        return self.my_ext_name()


def processes_of(part: Any) -> list[psutil.Process]:
    """Return all processes of a Corps, by the Name of its Corps object."""
    booting = psutil.Process(part.pids().ret[0])
    return [booting, *booting.children(recursive=True)]


def are_gone(processes: list[psutil.Process]) -> bool:
    """Wait until processes have ended."""
    _, alive = psutil.wait_procs(processes, timeout=LIMIT)
    return all(each.status() == psutil.STATUS_ZOMBIE for each in alive if each.is_running())
