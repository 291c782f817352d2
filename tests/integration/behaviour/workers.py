"""Workers that the behaviour tests create, in whichever Env."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextvars import ContextVar
from typing import Any, ClassVar, Final

import corps

TENANT: Final[ContextVar[str]] = ContextVar("tenant", default="nobody")
TRACE: Final[ContextVar[Any]] = ContextVar("trace")
"""Both travel with requests."""


class Latch(corps.Conc):
    """Holds others until it is opened, and tells who has come so far."""

    interleave: ClassVar[bool | int] = True

    def __init__(self) -> None:
        self._opened = asyncio.Event()
        self._changed = asyncio.Condition()
        self._came = 0

    async def wait(self) -> str:
        await self._opened.wait()
        return "opened"

    async def open(self) -> None:
        self._opened.set()

    async def arrive(self) -> None:
        async with self._changed:
            self._came += 1
            self._changed.notify_all()

    async def arrived(self, number: int = 1) -> int:
        async with self._changed:
            await self._changed.wait_for(lambda: self._came >= number)
            return self._came


def tenant(latch: corps.Name[Latch], number: int) -> str:
    """The tenant that has travelled here, read while so many are here."""
    latch.arrive().result()
    latch.arrived(number).result()
    return TENANT.get()


class Holder(corps.Conc):
    """Can be kept busy from outside."""

    def __init__(self) -> None:
        self.log: list[Any] = []

    def hold(self, latch: corps.Name[Latch]) -> str:
        """Busy, waiting inside corps."""
        latch.arrive.send()
        latch.wait().result()
        self.log.append("held")
        return "held"

    async def hold_softly(self, latch: corps.Name[Latch]) -> str:
        """Busy in a coroutine."""
        latch.arrive.send()
        try:
            await latch.wait()
        except asyncio.CancelledError:
            self.log.append("cancelled")
            raise
        self.log.append("held softly")
        return "held softly"

    def hold_hard(self, latch: corps.Name[Latch], fifo: str) -> str:
        """Busy outside of corps, until somebody opens the pipe for writing."""
        latch.arrive.send()
        with open(fifo) as pipe:
            pipe.read()
        self.log.append("held hard")
        return "held hard"

    def note(self, item: Any) -> Any:
        self.log.append(item)
        return item

    def ask(self, other: corps.Name[Any], method: str, *args: Any) -> Any:
        return getattr(other, method)(*args).ret

    async def ask_softly(self, other: corps.Name[Any], method: str, *args: Any) -> Any:
        return await getattr(other, method)(*args)


class Newest(Holder):
    """Drops the oldest request for a newer one."""

    when_full: ClassVar[Any] = "drop_oldest"


class Counter(corps.Conc):
    unit = "pieces"

    def __init__(self, start: int = 0) -> None:
        self.value = start
        self.frozen_seen = False
        self._secret = "hidden"

    def add(self, n: int = 1) -> int:
        self.value += n
        return self.value

    def both(self, *args: Any, **kwargs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return args, kwargs

    def _hidden(self) -> str:
        return "hidden"

    @property
    def double(self) -> int:
        return self.value * 2

    @property
    def broken(self) -> int:
        raise ValueError("no such luck")

    @property
    def broken_inside(self) -> int:
        return self.nothing_there  # type: ignore[attr-defined, no-any-return]

    @property
    def half(self) -> float:
        return self.value / 2

    @half.setter
    def half(self, value: float) -> None:
        self.value = int(value * 2)

    @staticmethod
    def twice(n: int) -> int:
        return 2 * n

    @staticmethod
    def keywords(**given: Any) -> dict[str, Any]:
        return given

    @classmethod
    def named(cls, n: int) -> str:
        return f"{cls.__name__}{n}"

    def same(self, thing: Any) -> Any:
        return thing

    def deadline_left(self) -> bool:
        from corps.runtime.context import current

        here = current.get()
        return here is not None and here.deadline is not None


class Asker(corps.Conc):
    """Asks others, in all the ways there are."""

    def ask(self, other: corps.Name[Any], method: str, *args: Any) -> Any:
        return getattr(other, method)(*args).ret

    def pass_on(self, names: dict[corps.Name[Any], str]) -> dict[str, Any]:
        return {label: name.add(1).ret for name, label in names.items()}

    def equal(self, one: corps.Name[Any], other: corps.Name[Any]) -> tuple[bool, bool]:
        return one == other, hash(one) == hash(other)


class Talker(corps.Conc):
    """Its coroutines and generators."""

    def __init__(self) -> None:
        self.log: list[Any] = []

    def note(self, item: Any) -> None:
        self.log.append(item)

    def count(self, n: int) -> Iterator[int]:
        try:
            for i in range(n):
                self.log.append(i)
                yield i
        finally:
            self.log.append("closed")

    def count_and_return(self, n: int) -> Any:
        yield from range(n)
        return "the end"

    def fail_at(self, n: int) -> Iterator[int]:
        yield from range(n)
        raise LookupError("the items are used up")

    async def acount(self, n: int) -> AsyncIterator[int]:
        try:
            for i in range(n):
                await asyncio.sleep(0)
                self.log.append(i)
                yield i
        finally:
            self.log.append("closed")

    async def afail_at(self, n: int) -> AsyncIterator[int]:
        for i in range(n):
            yield i
        raise LookupError("the items are used up")

    async def later(self, value: Any) -> Any:
        await asyncio.sleep(0)
        return value

    async def fail_later(self) -> None:
        await asyncio.sleep(0)
        raise LookupError("later")

    def take(self, items: Any) -> list[Any]:
        return list(items)

    async def atake(self, items: Any) -> list[Any]:
        return [item async for item in items]

    def take_from(self, other: corps.Name[Any], n: int) -> list[int]:
        return list(other.count(n).ret)

    async def block_the_loop(self, latch: corps.Name[Latch]) -> Any:
        return latch.wait().ret


class Chained(corps.Conc):
    """Asks itself for the next step."""

    def __init__(self) -> None:
        self.seen: list[int] = []

    def count_down(self, n: int, latch: corps.Name[Latch]) -> None:
        self.seen.append(n)
        if n:
            self.my_self().count_down.send(n - 1, latch)
        else:
            latch.arrive.send()
