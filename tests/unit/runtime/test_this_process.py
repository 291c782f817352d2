import gc
import os
from threading import Thread
from typing import Any

import pytest

from corps.runtime.this_process import Loading, ThisProcess


class FakeEnv:
    def __init__(self, corps_id: str) -> None:
        self.corps_id = corps_id
        self.is_open = True
        self.closed = False


def an_env(corps_id: str = "one") -> Any:
    return FakeEnv(corps_id)


@pytest.fixture
def process() -> ThisProcess:
    return ThisProcess()


def opened(process: ThisProcess, *envs: Any) -> None:
    for env in envs:
        process.has_opened(env)


def test_open_envs_are_known_in_their_order_until_they_end_or_are_garbage(process: ThisProcess) -> None:
    one, other, third = an_env(), an_env("other"), an_env()
    opened(process, one, other, third)
    assert process.open_envs() == [one, other, third]
    one.is_open = False
    del third
    gc.collect()
    assert process.open_envs() == [other]
    assert process.env_of("other") is other
    assert process.env_of("one") is None


def test_what_is_loaded_in_an_env_concerns_every_thread_and_elsewhere_only_the_one_that_loads(
    process: ThisProcess,
) -> None:
    def seen_elsewhere() -> Loading | None:
        seen: list[Loading | None] = []
        thread = Thread(target=lambda: seen.append(process.loading()))
        thread.start()
        thread.join()
        return seen[0]

    assert process.loading() is None
    in_one = Loading("app.py", everywhere=False)
    process.loadings.append(in_one)
    assert process.loading() is in_one
    assert seen_elsewhere() is None
    in_env = Loading("app.py", everywhere=True)
    process.loadings.append(in_env)
    assert process.loading() is seen_elsewhere() is in_env


def test_the_child_of_a_fork_has_no_open_env() -> None:
    import corps

    with corps.env():
        pid = os.fork()
        if pid == 0:
            try:
                corps.create(corps.Conc)
            except (corps.ContextError, corps.ClosedError):
                os._exit(7)
            finally:
                os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
