"""Coroutines of one worker beside each other: by a mark, and by giving up one's turn.

python examples/turns.py
"""

import asyncio

import corps


class Kitchen(corps.Conc):
    def __init__(self) -> None:
        self._oven = asyncio.Event()
        self._log: list[str] = []

    async def start(self) -> None:
        """Run before the first request: what a constructor cannot await is for this."""
        await asyncio.sleep(0)
        self._log.append("lit")

    async def bake(self, what: str) -> str:
        """Give up the turn while the oven is at work, so that other requests are served."""
        self._log.append(f"{what} goes in")
        async with self.my_turn_given_up():
            await self._oven.wait()
        self._log.append(f"{what} comes out")
        return what

    def note(self, what: str) -> None:
        self._log.append(what)

    @corps.interleave
    async def ring(self) -> None:
        """Begin though another coroutine of this worker awaits."""
        self._oven.set()

    @corps.readonly
    def log(self) -> list[str]:
        return self._log

    async def cleanup(self) -> None:
        await asyncio.sleep(0)
        print("the kitchen is clean")


with corps.env() as env:
    kitchen = env.create(Kitchen)
    bread = kitchen.bake("bread")
    kitchen.note("a guest comes").result()
    kitchen.ring().result()
    print(bread.ret, "is done")
    print("\n".join(kitchen.log().ret))
