"""Claims about Envs that are added to a running Corps and removed from it, and about groups."""

import os
import signal
import threading
from typing import Any

import psutil
import pytest

import corps

LIMIT = 30.0


class Worker(corps.Conc):
    restart = corps.Restart()

    def where(self) -> tuple[int, int]:
        return self.my_env(), os.getpid()

    def hold(self, seconds: float) -> int:
        threading.Event().wait(seconds)
        return self.my_env()

    def call(self, other: Any) -> Any:
        return other.where().ret

    def ask_in_a_while(self, app: Any, seconds: float) -> int:
        threading.Event().wait(seconds)
        number: int = app.number().ret
        return number


class App(corps.Corps):
    def __init__(self, n: int = 0) -> None:
        self.group = corps.options().replicate(n, Worker) if n else None

    def make(self, *envs: int) -> list[Any]:
        return [corps.options(env=env).create(Worker) for env in envs]

    def number(self) -> int:
        return 42

    def members(self) -> list[Any]:
        assert self.group is not None
        return self.group.names()

    def near(self) -> list[Any]:
        assert self.group is not None
        return self.group.here()


def test_an_env_that_was_added_takes_workers_and_knows_all_others() -> None:
    with corps.boot(App, envs=2) as app:
        old = app.make(1, 2).ret
        added = app.add_env().result(LIMIT)
        assert added == 3
        assert corps.envs() == [1, 2, 3]
        [new] = app.make(added).ret
        assert new.where().ret[0] == added
        assert [new.call(each).ret[0] for each in old] == [1, 2]
        assert [each.call(new).ret[0] for each in old] == [3, 3]
        assert app.add_env().result(LIMIT) == 4


def test_an_env_that_was_added_comes_back_like_any_other() -> None:
    with corps.boot(App, envs=1) as app:
        [worker] = app.make(app.add_env().result(LIMIT)).ret
        env_id, pid = worker.where().ret
        gone = corps.watch(worker)
        os.kill(pid, signal.SIGKILL)
        assert gone.result(LIMIT).reason == "killed"
        again, other_pid = worker.where().result(LIMIT)
        assert (env_id, again) == (2, 2)
        assert other_pid != pid


def test_an_env_is_removed_when_its_workers_have_done_what_waits() -> None:
    with corps.boot(App, envs=3) as app:
        [worker] = app.make(3).ret
        pid = worker.where().ret[1]
        waiting = [worker.hold(0.05) for _ in range(5)]
        app.remove_env(3).result(LIMIT)
        assert [future.result(LIMIT) for future in waiting] == [3] * 5
        assert not psutil.pid_exists(pid)
        assert corps.envs() == [1, 2]
        with pytest.raises(corps.EnvLost, match="it was removed") as caught:
            worker.where().result(LIMIT)
        assert caught.value.executed == "no"
        with pytest.raises(corps.ConfigError, match="creates workers in the Envs 1, 2"):
            app.make(3).result(LIMIT)


def test_the_corps_goes_on_while_an_env_is_removed() -> None:
    """Was a defect: a worker that asked it meanwhile waited for ever, and the end with it."""
    with corps.boot(App, envs=2) as app:
        [worker] = app.make(2).ret
        asking = worker.ask_in_a_while(app, 0.3)
        removed = app.remove_env(2)
        with pytest.raises(corps.ConfigError, match="is being removed already"):
            app.remove_env(2).result(LIMIT)
        assert asking.result(LIMIT) == 42
        removed.result(LIMIT)


def test_a_removal_has_a_time_limit() -> None:
    with corps.boot(App, envs=2, config={"exit_timeout": 0.2, "grace": 0.5, "log_level": "CRITICAL"}) as app:
        [worker] = app.make(2).ret
        holding = worker.hold(LIMIT)
        app.remove_env(2, timeout=0.1).result(LIMIT)
        assert isinstance(holding.exception(LIMIT), corps.WorkerGone | corps.EnvLost)


@pytest.mark.parametrize("env_id", [0, -1, 7, "two", None])
def test_what_cannot_be_removed_is_refused(env_id: Any) -> None:
    with corps.boot(App, envs=2) as app:
        with pytest.raises(corps.ConfigError, match=r"the Envs that can be removed are \[1, 2\]"):
            app.remove_env(env_id).result(LIMIT)
        assert corps.envs() == [1, 2]


def test_an_id_is_never_given_again() -> None:
    with corps.boot(App, envs=2) as app:
        app.remove_env(2).result(LIMIT)
        membership: Any = app._running._parts.membership
        assert sorted(membership._places) == [-1, 1], "what was removed is forgotten"
        assert app.add_env().result(LIMIT) == 3


def test_envs_are_added_and_removed_side_by_side() -> None:
    with corps.boot(App, envs=1) as app:
        mgr = app.my_mgr().ret  # the CorpsMgr, which does not wait for one while it starts another
        added = sorted(future.result(LIMIT) for future in [mgr.add_env() for _ in range(4)])
        assert added == [2, 3, 4, 5]
        assert sorted(each.where().ret[0] for each in app.make(*added).ret) == added
        for future in [mgr.remove_env(env_id) for env_id in (2, 4)]:
            future.result(LIMIT)
        assert corps.envs() == [1, 3, 5]


def test_a_corps_that_was_not_booted_has_no_envs_to_add() -> None:
    with corps.env() as env:
        app = env.create(App)
        with pytest.raises(corps.ContextError, match="lives in an Env that is alone"):
            app.add_env().result(LIMIT)


def test_a_group_has_so_many_workers_in_each_env_whatever_comes_and_goes() -> None:
    with corps.boot(App, 2, envs=2) as app:
        pause = threading.Event()

        def envs_of_members(expected: list[int]) -> None:
            while sorted(name.where().result(LIMIT)[0] for name in app.members().ret) != expected:
                pause.wait(0.02)  # nobody tells when a group is complete

        envs_of_members([1, 1, 2, 2])
        assert app.near().ret == [], "none in the front, where the group is kept"
        added = app.add_env().result(LIMIT)
        envs_of_members([1, 1, 2, 2, added, added])
        victim = app.members().ret[-1]
        gone = corps.watch(victim)
        os.kill(victim.where().ret[1], signal.SIGKILL)
        assert gone.result(LIMIT).reason == "killed"
        envs_of_members([1, 1, 2, 2, added, added])
        app.remove_env(2).result(LIMIT)
        envs_of_members([1, 1, added, added])


@pytest.mark.parametrize("n", [0, -1])
def test_a_group_without_workers_is_refused(n: int) -> None:
    with corps.env() as env, pytest.raises(corps.ConfigError, match="wants a number from 1"):
        env.options().replicate(n, Worker)
