"""Claims about Dirs over real processes, which are killed."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest

import corps

LIMIT = 30.0


class Index(corps.Conc):
    def pid(self) -> int:
        return os.getpid()

    def find(self, what: Any) -> Any:
        return corps.find_all(what)

    def wait_until_gone(self, what: Any) -> None:
        with corps.watch_dir() as changes:
            while corps.find_all(what):
                changes.take(LIMIT)


class Lasting(Index):
    restart = corps.Restart(max=100)


class Alone(Index):
    def ask(self, per: Literal["corps", "host"] = "corps") -> Any:
        return corps.options(per=per).singleton(Index)


class App(corps.Corps):
    def make(self, env: int, cls: type[Any], tag: str) -> Any:
        return corps.options(env=env, tag=tag, register=True).create(cls)

    def look(self, what: Any) -> Any:
        return corps.find_all(what)


@pytest.fixture
def app() -> Iterator[corps.BootedName[App]]:
    with corps.boot(App, envs=2) as app:
        yield app


def kill(name: corps.Name[Any]) -> None:
    ended = corps.watch(name)
    os.kill(corps.call(name, Index.pid).result(LIMIT), signal.SIGKILL)
    assert ended.result(LIMIT).reason == "killed"


def test_what_one_env_registers_every_env_finds(app: corps.BootedName[App]) -> None:
    one, two = (corps.options(env=env).create(Index) for env in (1, 2))
    app.register(one, tag="index", zone="a")
    assert app.find("index", zone="a") == one
    assert app.find(Index) == one
    assert two.find("index").ret == two.find(Index).ret == app.find_all(Index) == [one]
    assert corps.call(app, App.look, "index").ret == [one]
    made = app.make(2, Lasting, "made").ret
    assert corps.find("made") == corps.find(Lasting) == made
    assert one.find("made").ret == [made]


def test_an_env_that_was_added_finds_what_there_is(app: corps.BootedName[App]) -> None:
    one = corps.options(env=1, tag="index", register=True).create(Index)
    added = app.add_env().result(LIMIT)
    other = corps.options(env=added, tag="other", register=True).create(Index)
    assert other.find("index").ret == [one]
    assert one.find("other").ret == [other]
    app.remove_env(added).result(LIMIT)
    one.wait_until_gone("other").result(LIMIT)
    corps.register(one, tag="after")
    assert one.find("after").ret == [one]


def test_the_entries_of_a_killed_env_go_unless_its_workers_come_back(app: corps.BootedName[App]) -> None:
    lasting = corps.options(env=2, tag="lasting", register=True).create(Lasting)
    passing = corps.options(env=2, tag="passing", register=True).create(Index)
    one = corps.options(env=1).create(Index)
    kill(passing)
    with corps.watch_dir() as changes:
        while corps.find_all("passing"):
            changes.take(LIMIT)
    one.wait_until_gone("passing").result(LIMIT)
    assert corps.find("lasting") == lasting
    assert one.find("lasting").ret == [lasting]
    assert lasting.find("lasting").result(LIMIT) == [lasting]
    corps.register(lasting, tag="again")
    assert one.find("again").ret == [lasting]


def test_a_registration_waits_for_no_env_that_is_killed_meanwhile(app: corps.BootedName[App]) -> None:
    one = corps.options(env=1).create(Index)
    for round_ in range(3):
        two = corps.options(env=2).create(Index)
        os.kill(corps.call(two, Index.pid).result(LIMIT), signal.SIGKILL)
        corps.aregister(one, tag=f"round {round_}").result(LIMIT)
        assert corps.find(f"round {round_}") == one
        three = corps.options(env=2).create_nowait(Index).result(LIMIT)
        assert three.find(f"round {round_}").result(LIMIT) == [one]


def test_there_is_one_singleton_whichever_env_asks_and_another_one_when_it_was_killed(
    app: corps.BootedName[App],
) -> None:
    asking = [corps.options(env=env).create(Alone) for env in (1, 2, 1, 2)]
    [index] = {each.result(LIMIT) for each in [worker.ask() for worker in asking]}
    assert app.singleton(Index) == index == app.find_all(Index)[0]
    [of_host] = {each.result(LIMIT) for each in [worker.ask("host") for worker in asking]}
    assert app.options(per="host").singleton(Index) == of_host != index
    of_host.exit().result(LIMIT)
    survivor = corps.options(env=3 - index._addr.env).create(Alone)
    kill(index)
    survivor.wait_until_gone(Index).result(LIMIT)
    again = survivor.ask().result(LIMIT)
    assert again != index
    assert app.singleton(Index) == again


SCRIPT = """
import corps


class Shared(corps.Conc):
    def look(self, what):
        return corps.find_all(what)


class App(corps.Corps):
    def look(self, what):
        return corps.find_all(what)


if __name__ == "__main__":

    class OfTheScript(Shared):
        pass

    with corps.boot(App, envs=1) as app:
        for cls in (Shared, OfTheScript):
            chosen = [corps.options(env=env, register=True) for env in (1, "here")]
            far, near = [options.create(cls) for options in chosen]
            assert corps.find_all(cls) == [near, far]
            assert far.look(cls).ret == [far, near]
            assert sorted(map(str, app.look(cls).ret)) == sorted(map(str, [near, far]))
    print("found")
"""


def test_classes_of_the_running_script_are_found_wherever_they_are(tmp_path: Path) -> None:
    script = tmp_path / "of_the_script.py"
    script.write_text(SCRIPT)
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.returncode) == ("found\n", 0), done.stderr
