"""Dirs over real processes that are killed at random moments: what was acknowledged is not lost.

Threads register and unregister workers while Envs are killed with signal 9. In the end every Env finds just
the workers that live, under the tags that were acknowledged last.
"""

import os
import random
import signal
import threading
from typing import Any, Final

import corps

LIMIT: Final = 60.0
ENVS: Final = 3
KILLS: Final = 6
THREADS: Final = 3


class Passing(corps.Conc):
    def pid(self) -> int:
        return os.getpid()

    def tags(self) -> dict[str, Any]:
        """All that is registered here, by its tag."""
        with corps.watch_dir() as changes:
            found = len(corps.find_all())
            there: dict[str, Any] = {}
            while found and len(set(there.values())) < found:
                change = changes.take(LIMIT)
                if isinstance(change, corps.Left):
                    there.pop(change.tag, None)
                else:
                    there[change.tag] = change.name
        return there


class Lasting(Passing):
    restart = corps.Restart(max=1000, within=1.0)


class App(corps.Corps):
    pass


class Registering(threading.Thread):
    """Registers and unregisters workers of its own until it is stopped."""

    def __init__(self, app: Any, seed: int, stop: threading.Event) -> None:
        super().__init__()
        self._app, self._random, self._is_over, self._seed = app, random.Random(seed), stop, seed
        self.known: dict[str, Any] = {}
        self.unsure: set[str] = set()  # the Env died that was to answer
        self.failures: list[BaseException] = []

    def run(self) -> None:
        number = 0
        while not self._is_over.is_set():
            number += 1
            tag = f"{self._seed}.{number}"
            cls = self._random.choice((Lasting, Passing))
            try:
                name = self._app.options(env=self._random.randint(1, ENVS)).create(cls)
                self._app.register(name, tag=tag, unique=True)
                self.known[tag] = name
                assert self._app.afind(tag).failure() is None or cls is Passing
                if self._random.random() < 0.3:
                    taken = self._random.choice(list(self.known))
                    self._app.unregister(self.known[taken])
                    del self.known[taken]
            except (corps.WorkerGone, corps.EnvLost):
                self.unsure.add(tag)
            except BaseException as error:
                self.failures.append(error)
                return


def test_what_was_acknowledged_is_found_after_many_kills() -> None:
    chance = random.Random(7)
    settings = {"env_restart": {"max": 100, "within": 1.0}}
    with corps.boot(App, envs=ENVS, config=settings) as app:
        stop = threading.Event()
        threads = [Registering(app, seed, stop) for seed in range(THREADS)]
        for thread in threads:
            thread.start()
        for _ in range(KILLS):
            victim = app.options(env=chance.randint(1, ENVS)).create(Lasting)
            pid = victim.pid().result(LIMIT)
            gone = corps.watch(victim)
            os.kill(pid, signal.SIGKILL)
            gone.result(LIMIT)
            victim.pid().result(LIMIT)
            victim.exit().result(LIMIT)
        stop.set()
        for thread in threads:
            thread.join()
        assert [thread.failures for thread in threads] == [[]] * THREADS
        known = {tag: name for thread in threads for tag, name in thread.known.items()}
        unsure = set().union(*[thread.unsure for thread in threads])
        living = {tag: name for tag, name in known.items() if lives(name)}
        assert {tag for tag, name in known.items() if name._interface.short_name == "Lasting"} <= set(living)
        assert len(living) > KILLS
        for env in range(1, ENVS + 1):
            found = app.options(env=env).create(Passing).tags().result(LIMIT)
            assert {tag: name for tag, name in found.items() if tag not in unsure} == living
        assert {tag: app.find(tag) for tag in living} == living


def lives(name: Any) -> bool:
    try:
        return bool(name.pid().result(LIMIT))
    except (corps.WorkerGone, corps.EnvLost):
        return False
