"""Claims about watched threads: an end that is no orderly one is told."""

import logging
from collections.abc import Callable

import pytest

import corps
from corps.runtime.threads.watched_thread import WatchedThread


@pytest.mark.parametrize("kind", [ValueError, SystemExit, KeyboardInterrupt, GeneratorExit])
def test_the_end_of_a_thread_by_an_exception_is_told(kind: type[BaseException]) -> None:
    def fail() -> None:
        raise kind("planted")

    told: list[tuple[str, type[BaseException]]] = []
    thread = WatchedThread("a-loop", fail, lambda name, error: told.append((name, type(error))))
    thread.start()
    thread.join(20)
    assert told == [("a-loop", kind)]


def test_an_orderly_end_is_not_told() -> None:
    told: list[str] = []
    thread = WatchedThread("a-loop", lambda: None, lambda name, _: told.append(name))
    thread.start()
    thread.join(20)
    assert told == []


class Waits(corps.Conc):
    async def wait(self) -> None:
        import asyncio

        await asyncio.get_running_loop().create_future()


def lose_alarms(env: corps.LocalEnv) -> None:
    def fail() -> Callable[[], object] | None:
        raise MemoryError("planted")

    env._env.alarms._next_due = fail  # type: ignore[method-assign]
    env._env.alarms.at(0.0, lambda: None)


def test_the_end_of_a_thread_ends_its_env_and_nobody_waits_for_ever(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.CRITICAL)
    env = corps.env()
    waiting = env.create(Waits).wait()
    lose_alarms(env)
    assert isinstance(waiting.exception(timeout=20), corps.WorkerGone)
    with pytest.raises(corps.SupervisionError, match="env0-alarms"):
        env.close()
