"""Claims about things that come one after the other: each is taken once, in its order, and none is missed."""

import asyncio
from threading import Thread

import pytest

from corps.errors import WaitTimeout
from corps.workers.news import News

N = 200


def news() -> News[int]:
    return News("the numbers", lambda _: None)


def test_what_comes_is_taken_in_its_order_and_after_the_end_too() -> None:
    numbers = news()
    for each in range(3):
        numbers.put(each)
    numbers.close()
    assert list(numbers) == [0, 1, 2]
    with pytest.raises(EOFError, match="nothing more comes of the numbers"):
        numbers.take()


def test_a_wait_that_was_over_leaves_nothing_behind() -> None:
    numbers = news()
    with pytest.raises(WaitTimeout, match="nothing came of the numbers within 0"):
        numbers.take(0.0)
    assert not numbers._arrivals
    numbers.put(1)
    assert numbers.take(0.0) == 1


def test_a_thread_that_waits_misses_nothing() -> None:
    numbers = news()
    taken: list[int] = []
    thread = Thread(target=lambda: taken.extend(numbers))
    thread.start()
    for each in range(N):
        numbers.put(each)
    numbers.close()
    thread.join()
    assert taken == list(range(N))


def test_each_is_taken_once_by_one_of_many_threads() -> None:
    numbers = news()
    taken: list[int] = []
    threads = [Thread(target=lambda: taken.extend(iter(numbers))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for each in range(N):
        numbers.put(each)
    numbers.close()
    for thread in threads:
        thread.join()
    assert sorted(taken) == list(range(N))


def test_a_coroutine_misses_nothing() -> None:
    numbers = news()

    async def take() -> list[int]:
        return [each async for each in numbers]

    async def all_of_it() -> list[int]:
        taking = asyncio.ensure_future(take())
        for each in range(N):
            numbers.put(each)
            await asyncio.sleep(0)
        numbers.close()
        return await taking

    assert asyncio.run(all_of_it()) == list(range(N))
