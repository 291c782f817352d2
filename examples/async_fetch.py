"""Many requests of one worker under way at once: `async def` methods that interleave.

    python examples/async_fetch.py

A small server in the same process plays the internet.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import corps


class Fetcher(corps.Conc):
    """Its coroutines run on the event loop of its Env. Ten of them may be under way at the same time."""

    interleave = 10

    def __init__(self, port: int) -> None:
        self.port = port
        self.under_way = self.most = 0

    async def fetch(self, path: str) -> str:
        self.under_way += 1  # no lock: there is one loop, and no await in between
        self.most = max(self.most, self.under_way)
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(path.encode() + b"\n")
        answer = await reader.readline()
        writer.close()
        self.under_way -= 1
        return answer.decode().strip()


@contextlib.asynccontextmanager
async def internet() -> AsyncIterator[int]:
    """Run a server that answers only when ten clients have asked."""
    asked = asyncio.Barrier(10)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path = await reader.readline()
        await asked.wait()
        writer.write(b"the page " + path)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1")
    async with server:
        yield server.sockets[0].getsockname()[1]


async def main() -> None:
    async with internet() as port:
        with corps.env() as env:
            fetcher = await env.options().create_nowait(Fetcher, port)
            futures = [fetcher.fetch(f"/{number}") for number in range(10)]
            for page in await asyncio.gather(*futures):  # corps Futures can be awaited in any loop
                print(page)
            print("at most under way at once:", await fetcher.most)


asyncio.run(main())
