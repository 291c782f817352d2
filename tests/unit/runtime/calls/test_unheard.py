"""A failure at which nobody has looked is told once; every way to look at it counts."""

import asyncio
import logging
import types
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from corps.addresses import ENV_MGR, ConcAddr
from corps.errors import Cancelled, WorkerGone
from corps.messages.outcomes import Outcome, Raised, Refused, Value
from corps.messages.requests import CALL, EXIT, Kind, Request
from corps.observing.log_limit import LogLimit
from corps.runtime.calls.futures import Future
from corps.runtime.calls.waiting import gather, shield

TARGET = ConcAddr("00", 1, 7)


class Env:
    """Does at once what should be done by a thread of its own."""

    closed = False

    def __init__(self) -> None:
        self.unheard: LogLimit[Any] = LogLimit()
        self.dropped = types.SimpleNamespace(put=lambda job: job())

    def expect_garbage(self) -> None: ...


@pytest.fixture
def env() -> Env:
    return Env()


def sent(env: Env, kind: Kind = CALL, target: ConcAddr = TARGET) -> Future[Any]:
    future: Future[Any] = Future()
    future.request = Request(kind, target, "work", (), {}, future)
    future.request.route = types.SimpleNamespace(
        env=env, incarnation=1, take_back=lambda _: False, withdraw=lambda _: None
    )
    return future


def raised() -> Outcome:
    try:
        raise LookupError("not there")
    except LookupError as error:
        return Raised.capture(error, str(TARGET))


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


def test_a_failure_that_nobody_looks_at_is_told_once_with_its_traceback(
    env: Env, caplog: pytest.LogCaptureFixture
) -> None:
    future = sent(env)
    future.settle(raised())
    assert told(caplog) == []
    del future
    (line,) = told(caplog)
    assert "'work' of 00/env1/7 failed" in line
    assert "LookupError: not there" in line
    assert "test_unheard.py" in line


async def _await(future: Future[Any]) -> None:
    with suppress(LookupError):
        await future


LOOKS: list[Callable[[Future[Any]], Any]] = [
    lambda future: future.exception(),
    lambda future: suppressed(future.result),
    lambda future: suppressed(lambda: future.ret),
    lambda future: asyncio.run(_await(future)),
    lambda future: suppressed(gather(future).result),
    lambda future: suppressed(shield(future).result),
]


def suppressed(call: Callable[[], Any]) -> None:
    with suppress(LookupError):
        call()


@pytest.mark.parametrize("look", LOOKS)
def test_whoever_looks_has_heard(
    env: Env, caplog: pytest.LogCaptureFixture, look: Callable[[Future[Any]], Any]
) -> None:
    future = sent(env)
    future.settle(raised())
    look(future)
    del future
    assert told(caplog) == []


async def _cancel_a_task_that_awaits(future: Future[Any]) -> None:
    async def wait() -> None:
        await future

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    future.settle(raised())
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def _cancel_what_asyncio_wraps(future: Future[Any]) -> None:
    wrapped = asyncio.wrap_future(future)
    future.settle(raised())
    wrapped.cancel()
    await asyncio.sleep(0)


GIVES_UP: list[Callable[[Future[Any]], Any]] = [
    lambda future: (future.settle(raised()), future.cancel()),
    lambda future: (gather(future), future.settle(raised()), gather(future).cancel()),
    lambda future: asyncio.run(_cancel_a_task_that_awaits(future)),
    lambda future: asyncio.run(_cancel_what_asyncio_wraps(future)),
]


@pytest.mark.parametrize("give_up", GIVES_UP)
def test_whoever_gives_up_a_request_that_has_just_failed_wants_no_failure(
    env: Env, caplog: pytest.LogCaptureFixture, give_up: Callable[[Future[Any]], Any]
) -> None:
    future = sent(env)
    give_up(future)
    assert future.done()
    assert not future.cancelled()
    del future
    assert told(caplog) == []


def test_a_request_that_is_given_up_only_if_it_waits_is_still_wanted(
    env: Env, caplog: pytest.LogCaptureFixture
) -> None:
    future = sent(env)
    future.settle(raised())
    assert not future.cancel(only_if="waiting")
    del future
    assert len(told(caplog)) == 1


def test_a_joined_future_that_nobody_looks_at_leaves_its_parts_unheard(
    env: Env, caplog: pytest.LogCaptureFixture
) -> None:
    future = sent(env)
    joined = gather(future)
    future.settle(raised())
    assert joined.done()
    del future, joined
    assert len(told(caplog)) == 1


@pytest.mark.parametrize(
    "outcome",
    [
        Value(1),
        Refused(Cancelled("by its caller")),
        Refused(WorkerGone("before it began", executed="no")),
    ],
)
def test_what_did_not_run_and_what_succeeded_is_not_told(
    env: Env, caplog: pytest.LogCaptureFixture, outcome: Outcome
) -> None:
    future = sent(env)
    future.settle(outcome)
    del future
    assert told(caplog) == []


def test_what_the_runtime_asks_is_not_told(env: Env, caplog: pytest.LogCaptureFixture) -> None:
    for future in (sent(env, kind=EXIT), sent(env, target=ConcAddr("00", 1, ENV_MGR))):
        future.settle(raised())
    del future
    assert told(caplog) == []


def test_a_second_outcome_is_none_that_anybody_should_hear_of(
    env: Env, caplog: pytest.LogCaptureFixture
) -> None:
    future = sent(env)
    request = future.request
    assert future.settle(Value(1))
    future.request = request
    assert not future.settle(raised())
    del future, request
    assert told(caplog) == []


def test_many_of_a_kind_are_one_line_in_a_while(env: Env, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(100):
        sent(env).settle(raised())
    assert len(told(caplog)) == 1
