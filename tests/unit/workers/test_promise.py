"""What can be said of a Promise without any worker."""

import asyncio
import weakref

import pytest

import corps
from corps.errors import AlreadySettled


def test_a_promise_that_its_author_has_cancelled_takes_no_value() -> None:
    with corps.env():
        promise: corps.Promise[int] = corps.Promise()
        assert promise.cancel()
        with pytest.raises(AlreadySettled, match="was cancelled"):
            promise.set_result(1)
        with pytest.raises(TypeError, match="wants an exception"):
            corps.Promise().set_exception("no")  # type: ignore[arg-type]
        assert "not settled" in repr(corps.Promise())


def test_a_task_that_awaits_a_promise_does_not_cancel_it() -> None:
    async def script() -> None:
        promise: corps.Promise[int] = corps.Promise()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(promise, 0.001)
        promise.set_result(1)
        assert await promise == 1

    with corps.env():
        asyncio.run(script())


def test_a_generator_cannot_be_given_because_it_lives_where_it_was_made() -> None:
    with corps.env():
        promise: corps.Promise[object] = corps.Promise()
        generator = (number for number in range(3))
        with pytest.raises(TypeError, match="a generator stays where it was made"):
            promise.set_result(generator)
        promise.set_result(list(generator))
        assert promise.ret == [0, 1, 2]


class Gone:
    pass


def test_a_promise_takes_what_raises_when_it_is_looked_at() -> None:
    with corps.env():
        promise: corps.Promise[object] = corps.Promise()
        promise.set_result(weakref.proxy(Gone()))
        assert type(promise.ret) is weakref.ProxyType
