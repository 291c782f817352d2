"""corps, as its users use it: in one Env, and between Envs over each of its links."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from time import perf_counter
from typing import Any, Final

import corps
from benchmarks.cases import (
    BETWEEN,
    BUSY,
    MIB,
    N_FAN_OUT,
    N_RING,
    ONE,
    PIECE,
    RING,
    SLEEPING,
    STREAMING,
    WORKER_TO_WORKER,
    Subject,
)
from benchmarks.floors import QUEUES, STREAM, ZMQ_IPC, ZMQ_TCP
from benchmarks.timing import Effort, Measure, Works, each, shared
from benchmarks.workers import App, Link, Worker
from benchmarks.works import calls, cpu_map, creation, echoes, fan_out

TRANSPORTS: Final = {"unix": STREAM, "ipc": ZMQ_IPC, "tcp": ZMQ_TCP}
"""The links that are measured by their names beside the default one, and the floor of each."""

CORPS: Final = "corps"
PAUSE: Final = 0.001
HOPS: Final = 2000


def over(transport: str) -> str:
    """The name of the subject that uses this link."""
    return f"corps, {transport}"


def config_of(transport: str | None) -> dict[str, Any] | None:
    """The settings of a subject.

    Args:
        transport: None for the default path, which is measured without any setting.

    Returns:
        Settings for `corps.boot`. A frame must hold 64 MiB and what is packed around them.
    """
    return None if transport is None else {"transport": transport, "max_message": 80 * MIB}


def worker_calls(worker: Any) -> Works:
    """The calls of one worker, by its Name."""
    return calls(
        lambda: worker.add(1).ret,
        lambda number: corps.wait_all([worker.add(1) for _ in range(number)]),
        takes_threads=True,
    )


def _fan_out(workers: list[Any]) -> Works:
    return fan_out(lambda times: corps.wait_all([each.add(1) for _ in range(times) for each in workers]))


def _creation(options: corps.Options) -> Works:
    return creation(
        lambda: options.create(Worker), after=lambda made: corps.wait_all([name.exit() for name in made])
    )


def _ring(links: list[Any]) -> Measure:
    for link, follower in pairwise([*links, links[0]]):
        link.join(follower).result()

    def once() -> None:
        done = threading.Event()
        links[0].hop.send(HOPS, done)
        done.wait()

    return shared(each(once), HOPS)


def _while_occupied(occupy: Callable[[float], corps.Future[None]], worker: Any) -> Measure:
    """Calls of a worker while another one of its Env is at work for the seconds of the effort."""

    def measure(effort: Effort) -> list[float]:
        samples: list[float] = []
        occupied = occupy(effort.seconds)
        while not occupied.done():
            begin = perf_counter()
            worker.add(1).result()
            samples.append(perf_counter() - begin)
            time.sleep(PAUSE)
        occupied.result()
        return samples

    return measure


def _neighbours(neighbour: Any, worker: Any) -> Works:
    return {
        SLEEPING: _while_occupied(lambda seconds: neighbour.sleep(seconds), worker),
        BUSY: _while_occupied(lambda seconds: neighbour.spin(seconds), worker),
    }


def _while_streaming(sink: Any, worker: Any) -> Measure:
    """Calls of a worker while another one of its Env is sent large pieces, two of them at a time."""

    def stream(pieces: int) -> None:
        piece = bytes(PIECE)
        under_way: deque[corps.Future[int]] = deque()
        for _ in range(pieces):
            under_way.append(sink.take(piece))
            if len(under_way) == 2:
                under_way.popleft().result()
        corps.wait_all(under_way)

    def measure(effort: Effort) -> list[float]:
        samples: list[float] = []
        with ThreadPoolExecutor(1) as pool:
            streaming = pool.submit(stream, effort.operations)
            while not streaming.done():
                begin = perf_counter()
                worker.add(1).result()
                samples.append(perf_counter() - begin)
            streaming.result()
        return samples

    return measure


@contextmanager
def in_one_env(share: float) -> Iterator[Works]:
    """Workers in an Env inside this process."""
    with corps.env() as env:
        worker, neighbour = env.options().create_many(2, Worker)
        yield {
            **worker_calls(worker),
            **_fan_out(env.options().create_many(N_FAN_OUT, Worker)),
            **_creation(env.options()),
            RING: _ring(env.options().create_many(N_RING, Link)),
            **_neighbours(neighbour, worker),
        }


@contextmanager
def between(transport: str | None, share: float) -> Iterator[Works]:
    """Workers in Envs of their own, called from this process and from each other."""
    with corps.boot(App, envs=2, config=config_of(transport)) as app:
        worker, other = app.names().ret
        in_first = corps.options(env=worker_env(worker))
        neighbour = in_first.create(Worker)
        works: dict[str, Measure] = {
            **worker_calls(worker),
            **_fan_out(in_first.create_many(N_FAN_OUT, Worker)),
            **_creation(in_first),
            WORKER_TO_WORKER: lambda effort: worker.call(other, effort).ret,
            **cpu_map(
                lambda number: corps.gather(*[(worker, other)[n % 2].burn(n) for n in range(number)]).ret
            ),
            **echoes(lambda value: worker.echo(value).ret),
            STREAMING: _while_streaming(neighbour, worker),
        }
        if transport is None:
            works.update(_neighbours(neighbour, worker))
        yield works


def worker_env(worker: Any) -> int:
    """The id of the Env that a worker lives in."""
    env: int = worker.where().ret
    return env


SUBJECTS: Final = (
    Subject(ONE, CORPS, "corps", in_one_env, floors=(QUEUES,)),
    Subject(BETWEEN, CORPS, "corps", partial(between, None), floors=(STREAM,)),
    *(
        Subject(BETWEEN, over(transport), "corps", partial(between, transport), floors=(floor,))
        for transport, floor in TRANSPORTS.items()
    ),
)
