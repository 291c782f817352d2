"""Claims about calls from an event loop of the application, over every path: it never stands still."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

import corps
from tests.integration.behaviour.paths import Way, booted, local
from tests.integration.behaviour.workers import Holder, Latch


@contextmanager
def narrow(path: str, config: dict[str, Any] | None = None) -> Iterator[tuple[Way, Any, Any]]:
    """A worker with room for three requests, which runs one for as long as a latch is closed."""
    config = {"mailbox": 3, **(config or {})}
    if path != "env":
        config |= {"window.requests": 4, "mailbox": 100}
    with local(config) if path == "env" else booted(path, config) as way, way.entered():
        latch = (way.options(mailbox=100) if path == "env" else way.options(env=1)).create(Latch)
        holder = way.create_far(Holder)
        busy = holder.hold(latch)
        latch.arrived().result()
        yield way, holder, latch
        latch.open().result()
        assert busy.ret == "held"


PATHS = pytest.mark.parametrize("path", ["env", "unix", "ipc"])


def fill(holder: Any) -> list[corps.Future[Any]]:
    """Send until there is no room: the error comes at once, for nobody empties anything meanwhile."""
    sent: list[corps.Future[Any]] = []
    with pytest.raises(corps.Overloaded, match=r"corps\.asking") as caught:
        sent.extend(map(holder.note, range(100)))
    assert caught.value.executed == "no"
    return sent


@PATHS
def test_a_call_without_room_is_refused_at_once(path: str) -> None:
    """Was a defect: the loop stood still for up to `send_timeout`."""
    with narrow(path, {"send_timeout": None}) as (_, holder, latch):

        async def main() -> list[int]:
            sent = fill(holder)
            assert 3 <= len(sent) <= 4
            with pytest.raises(corps.Overloaded):
                holder.note.send("no room either")
            with pytest.raises(corps.Overloaded):
                await holder.log
            await latch.open()
            return [await future for future in sent]

        answers = asyncio.run(main())
        assert answers == list(range(len(answers)))
        assert "no room either" not in holder.log.ret


@PATHS
def test_who_asks_or_sends_softly_waits_for_room_while_the_loop_goes_on(path: str) -> None:
    with narrow(path, {"send_timeout": None}) as (_, holder, latch):

        async def the_log() -> list[Any]:
            return await corps.asking(holder.log)

        async def main() -> tuple[int, list[Any]]:
            sent = fill(holder)
            asked = [asyncio.create_task(corps.asking(holder.note, number)) for number in range(100, 120)]
            told = [asyncio.create_task(holder.note.asend(number)) for number in range(200, 220)]
            log = asyncio.create_task(the_log())
            done, _ = await asyncio.wait([*asked, *told, log], timeout=0.01)
            assert not done
            await latch.open()
            await asyncio.gather(*told)
            assert len(await log) == 1 + len(sent) + 40
            return len(sent), await asyncio.gather(*asked)

        count, answers = asyncio.run(main())
        assert answers == list(range(100, 120))
        assert holder.log.ret == ["held", *range(count), *range(100, 120), *range(200, 220)]


@PATHS
def test_who_waits_for_room_is_told_when_the_time_is_over_or_the_worker_ends(path: str) -> None:
    with narrow(path, {"send_timeout": 0.02}) as (_, holder, latch):

        async def main() -> None:
            sent = fill(holder)
            with pytest.raises(corps.Overloaded, match="stayed full"):
                await corps.asking(holder.note, "late")
            with pytest.raises((corps.DeadlineExceeded, corps.Overloaded)):
                await corps.asking(holder.options(deadline=0.01).note, "late")
            with pytest.raises(corps.Overloaded, match="stayed full"):
                await holder.note.asend("late")
            await latch.open()
            await asyncio.gather(*sent)

        asyncio.run(main())
        assert holder.note("next").ret == "next"
        assert "late" not in holder.log.ret


@PATHS
def test_who_waits_for_room_may_be_cancelled_and_keeps_none(path: str) -> None:
    with narrow(path, {"send_timeout": None}) as (_, holder, latch):

        async def main() -> None:
            sent = fill(holder)
            waiting = [asyncio.create_task(corps.asking(holder.note, number)) for number in range(100, 110)]
            await asyncio.sleep(0)
            for task in waiting[::2]:
                task.cancel()
            await latch.open()
            given_up = await asyncio.gather(*waiting, return_exceptions=True)
            assert given_up[1::2] == [101, 103, 105, 107, 109]
            assert all(isinstance(each, asyncio.CancelledError) for each in given_up[::2])
            await asyncio.gather(*sent)
            again = [holder.note(number) for number in range(len(sent) - 1)]  # all room is there
            await asyncio.gather(*again)

        asyncio.run(main())


def test_a_loop_in_a_thread_of_a_worker_is_not_held_up_either() -> None:
    with narrow("env", {"send_timeout": None}) as (way, holder, latch):
        loops = way.options(mailbox=100).create(Loops)
        future = loops.fill(holder)
        assert future.ret == 3
        latch.open().result()


class Loops(corps.Conc):
    def fill(self, holder: Any) -> int:
        async def main() -> int:
            return len(fill(holder))

        return asyncio.run(main())

    async def flood(self, holder: Any, count: int) -> int:
        for number in range(count):
            await holder.note.asend(number)
        assert await corps.asking(holder.note, "end") == "end"
        return count


@PATHS
def test_a_coroutine_of_a_worker_can_wait_for_room_too(path: str) -> None:
    with narrow(path, {"send_timeout": None}) as (way, holder, latch):
        loops = (way.options(mailbox=100) if path == "env" else way.options(env=1)).create(Loops)
        flood = loops.flood(holder, 50)
        latch.open().result()
        assert flood.ret == 50
        assert holder.log.ret == ["held", *range(50), "end"]


def test_threads_and_coroutines_share_the_room_of_a_mailbox() -> None:
    with narrow("env", {"send_timeout": None}) as (way, holder, latch):

        async def main() -> None:
            sent = fill(holder)
            threads = [threading.Thread(target=send, args=(way, holder, number)) for number in range(20)]
            for thread in threads:
                thread.start()
            asked = [asyncio.create_task(corps.asking(holder.note, "softly")) for _ in range(20)]
            await asyncio.sleep(0)
            await latch.open()
            await asyncio.gather(*asked, *sent)
            for thread in threads:
                await asyncio.to_thread(thread.join)

        asyncio.run(main())
        assert sorted(each for each in holder.log.ret[4:] if each != "softly") == list(range(20))


def send(way: Way, holder: Any, number: int) -> None:
    with way.entered():
        holder.note.send(number)


def test_what_is_asked_is_a_method_or_a_future(way: Way) -> None:
    holder = way.create(Holder)

    async def main() -> None:
        assert await corps.asking(holder.note, "a") == "a"
        assert await corps.asking(holder.note("b")) == "b"
        assert await corps.asking(holder.pinned.note, "c") == "c"
        assert await holder.pinned.note.asend("d") is None
        wrongs: list[Any] = [holder, "note", print]
        for wrong in wrongs:
            with pytest.raises(TypeError, match="a method of a Name"):
                await corps.asking(wrong)
        with pytest.raises(TypeError, match="nothing more"):
            await corps.asking(holder.note("e"), 1)

    asyncio.run(main())
    assert holder.log.ret == ["a", "b", "c", "d", "e"]
