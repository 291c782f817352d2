from threading import Thread
from typing import Any, cast

import pytest

from corps.errors import ContextError
from corps.runtime.context import Activity, Block, current
from corps.runtime.this_process import ThisProcess
from corps.workers import everywhere
from corps.workers.everywhere import env_here


class FakeEnv:
    label = "env0"
    corps_name = None
    closed = False

    def __init__(self, corps_id: str) -> None:
        self.corps_id = corps_id
        self.is_open = True


def an_env(corps_id: str = "aaaaaaaa") -> Any:
    return FakeEnv(corps_id)


@pytest.fixture
def process(monkeypatch: pytest.MonkeyPatch) -> ThisProcess:
    process = ThisProcess()
    monkeypatch.setattr(everywhere, "this_process", process)
    return process


def test_outside_of_every_block_the_only_open_env_is_meant(process: ThisProcess) -> None:
    env = an_env()
    process.has_opened(env)
    seen: list[object] = []
    thread = Thread(target=lambda: seen.append(env_here("to test")))
    thread.start()
    thread.join()
    assert seen == [env]


def test_of_several_open_envs_none_is_meant_and_all_are_named(process: ThisProcess) -> None:
    one, other = an_env(), an_env("bbbbbbbb")
    for env in (one, other):
        process.has_opened(env)
    with pytest.raises(ContextError, match=r"to test: env0 of Corps aaaaaa, env0 of Corps bbbbbb\. Use"):
        env_here("to test")
    block = Block(other)
    try:
        assert env_here("to test") is other
    finally:
        block.leave()


def test_without_an_open_env_that_is_said(process: ThisProcess) -> None:
    with pytest.raises(ContextError, match="no Env here to test"):
        env_here("to test")


def test_a_block_whose_env_has_ended_gives_way_to_the_open_one(process: ThisProcess) -> None:
    ended, other = an_env(), an_env()
    block = Block(ended)
    try:
        ended.is_open = False
        assert env_here("to test") is ended  # it says so itself
        process.has_opened(other)
        assert env_here("to test") is other
    finally:
        block.leave()


def test_a_worker_means_its_own_env_also_when_that_ends(process: ThisProcess) -> None:
    mine, other = an_env(), an_env()
    process.has_opened(other)
    mine.is_open = False
    token = current.set(Activity(mine, cell=cast("Any", "a worker")))
    try:
        assert env_here("to test") is mine
    finally:
        current.reset(token)
