"""Claims about faults that no other file plants: what dies, what does not, and that all is well then."""

import asyncio
import os
import random
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, ClassVar, Final

import psutil
import pytest

import corps

LIMIT: Final = 60.0
ALWAYS: Final = corps.Restart(max=1_000_000, within=1.0, backoff=(0.0, 0.05))


class Worker(corps.Conc):
    restart: ClassVar[corps.Restart | None] = ALWAYS

    def __init__(self) -> None:
        self.hoard: list[bytearray] = []

    def pid(self) -> int:
        return os.getpid()

    @corps.idempotent(retries=50)
    def incarnation(self) -> int:
        number: int = self._corps_cell.incarnation
        return number

    def fail(self) -> None:
        raise corps.Fail("planted")

    def overflow(self) -> None:
        import faulthandler

        faulthandler._stack_overflow()  # type: ignore[attr-defined]  # of C: no RecursionError comes before it

    def recurse(self) -> None:
        self.recurse()

    def take_too_much(self) -> None:
        """More memory than the process may have."""
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_AS)
        with open("/proc/self/statm") as file:
            size = int(file.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (size + 64 * 1024 * 1024, hard))
        try:
            self.hoard.append(bytearray(1024 * 1024 * 1024))
        finally:
            resource.setrlimit(resource.RLIMIT_AS, (soft, hard))

    def fork(self, other: Any) -> str:
        """What a child of this process gets when it asks another worker."""
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                said = repr(other.incarnation())
            except corps.ClosedError as error:
                said = str(error)
            os.write(writing, said.encode())
            os._exit(0)
        os.close(writing)
        with open(reading) as file:
            said = file.read()
        os.waitpid(pid, 0)
        return said

    def fork_and_come_back(self) -> int:
        """Forgets that there are two of them now."""
        pid = os.fork()
        if pid == 0:
            raise RuntimeError("in the child")
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    def cut(self, env: int) -> int:
        """Break the connections of this Env to another one; how many there were."""
        cut = 0
        for name in os.listdir("/proc/self/fd"):
            with (
                suppress(OSError),
                socket.socket(fileno=os.dup(int(name))) as link,
            ):  # else it is another file
                if link.family == socket.AF_UNIX and f"/{env}-" in str(link.getpeername()):
                    link.shutdown(socket.SHUT_RDWR)
                    cut += 1
        return cut

    @corps.idempotent(retries=20)
    def add(self, number: int) -> int:
        return number + 1

    def ask(self, other: Any) -> int:
        number: int = other.add(1).ret
        return number


class Producer(corps.Conc):
    """Counts which of its generators are open."""

    def __init__(self) -> None:
        self._open = 0

    def items(self) -> Iterator[int]:
        try:
            self._open += 1
            yield from range(1_000_000)
        finally:
            self._open -= 1

    def open_now(self) -> int:
        return self._open


class Consumer(corps.Conc):
    restart: ClassVar[corps.Restart | None] = ALWAYS

    def __init__(self) -> None:
        self._kept: list[Any] = []

    def consume(self, items: Any) -> int:
        self._kept.append(items)
        return int(next(items))

    def consume_of(self, producer: Any) -> int:
        return self.consume(producer.items().ret)

    @corps.idempotent(retries=50)
    def pid(self) -> int:
        return os.getpid()


class App(corps.Corps):
    restart: ClassVar[corps.Restart | None] = ALWAYS

    def pid(self) -> int:
        return os.getpid()

    def make(self, *envs: int) -> list[Any]:
        return [corps.options(env=env).create(Worker) for env in envs]


class Steady(App):
    """Ends with the process that it lives in."""

    restart: ClassVar[corps.Restart | None] = None


@contextmanager
def booted(envs: int, cls: type[App] = App) -> Iterator[Any]:
    settings = {"env_restart": {"max": 1_000_000}, "log_level": "CRITICAL"}
    with corps.boot(cls, envs=envs, config=settings) as app:
        yield app


def test_a_worker_comes_back_whenever_the_next_process_of_its_env_dies() -> None:
    seed = random.SystemRandom().randrange(2**32)
    print("seed", seed)
    chance = random.Random(seed)
    before = set(psutil.Process().children())
    with booted(2):
        (template,) = set(psutil.Process().children()) - before
        worker = corps.options(env=2).create(Worker)
        for _ in range(5):
            os.kill(worker.pid().result(LIMIT), signal.SIGKILL)
            for _ in range(
                chance.choice([1, 1, 1, 2])
            ):  # and whoever takes its place, at any moment of its start
                kill_the_newest(template, after=chance.uniform(0.0, 0.06))
            number = worker.incarnation().result(LIMIT)
            assert isinstance(worker.fail().exception(LIMIT), corps.Fail | corps.EnvLost)
            assert worker.incarnation().result(LIMIT) > number


def kill_the_newest(template: psutil.Process, *, after: float) -> None:
    threading.Event().wait(after)
    for process in sorted(template.children(), key=lambda each: each.pid)[2:] or template.children()[1:]:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            pass


def test_a_stack_that_overflows_ends_its_process_and_no_other() -> None:
    with booted(2) as app:
        near, far = app.make(1, 2).ret
        pid = near.pid().ret
        with pytest.raises(corps.EnvLost, match="was killed by SIG") as caught:
            far.overflow().result(LIMIT)
        assert (caught.value.executed, caught.value.reason) == ("unknown", "killed")
        assert far.add(1).result(LIMIT) == 2
        assert near.pid().ret == pid


def test_a_recursion_without_end_is_the_callers_error() -> None:
    with booted(1) as app:
        (worker,) = app.make(1).ret
        with pytest.raises(corps.RemoteError, match="maximum recursion depth") as caught:
            worker.recurse().result(LIMIT)
        assert isinstance(caught.value.origin, RecursionError)
        assert worker.incarnation().ret == 1


@pytest.mark.skipif(sys.platform != "linux", reason="no other system says how large a process is")
def test_who_wants_more_memory_than_there_is_begins_anew() -> None:
    with booted(2) as app:
        (worker,) = app.make(2).ret
        pid = worker.pid().ret
        over = corps.watch(worker)
        assert isinstance(worker.take_too_much().exception(LIMIT), corps.RemoteError)
        assert over.result(LIMIT).reason == "memory"
        assert worker.incarnation().result(LIMIT) == 2
        assert worker.pid().ret == pid, "its process has enough"


@pytest.mark.parametrize("cuts", [1, 2])
def test_of_two_envs_that_cannot_reach_each_other_one_is_replaced(cuts: int) -> None:
    """Was a defect: both were, and with the first one the Corps was over."""
    with booted(2, Steady) as app:
        near, far = app.make(1, 2).ret
        pids = near.pid().ret, far.pid().ret
        assert near.ask(far).ret == far.ask(near).ret == 2  # now they have links
        over = corps.watch(far)
        assert (near.cut(2) if cuts == 1 else far.cut(1)).result(LIMIT) == 1
        assert over.result(LIMIT).reason == "killed"
        assert near.ask(far).result(LIMIT) == far.ask(near).result(LIMIT) == 2
        assert near.pid().ret == pids[0]
        assert far.pid().ret != pids[1]


def test_a_crash_takes_down_the_workers_of_one_process() -> None:
    """Was a defect: one in Env 1 took down the Corps object, and with it every worker of every Env."""
    with booted(3, Steady) as app:
        workers = app.make(1, 2, 3).ret
        incarnations = [1, 1, 1]
        for victim, worker in enumerate(workers):
            over = corps.watch(worker)
            os.kill(worker.pid().ret, signal.SIGKILL)
            assert over.result(LIMIT).reason == "killed"
            incarnations[victim] += 1
            assert [each.incarnation().result(LIMIT) for each in workers] == incarnations


def test_a_fork_of_an_env_cannot_ask() -> None:
    with booted(2) as app:
        near, far = app.make(1, 2).ret
        for other in (near, far):
            assert "this process is a fork of env1" in near.fork(other).result(LIMIT)
        assert near.add(1).ret == far.add(1).ret == 2


def test_a_fork_of_an_env_cannot_answer(capfd: pytest.CaptureFixture[str]) -> None:
    """Was a defect: it went on with the requests of the worker, beside its parent."""
    with booted(2) as app:
        (worker,) = app.make(2).ret
        answers = [worker.fork_and_come_back(), *[worker.add(number) for number in range(20)]]
        assert [answer.result(LIMIT) for answer in answers] == [1, *range(1, 21)]
    told = capfd.readouterr().err
    assert "a fork of env2 came back from" in told
    assert "RuntimeError: in the child" in told


def test_a_fork_of_the_script_cannot_ask() -> None:
    with booted(1) as app:
        (worker,) = app.make(1).ret
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                said = repr(worker.incarnation())
            except corps.ClosedError as error:
                said = str(error)
            os.write(writing, said.encode())
            os._exit(0)
        os.close(writing)
        with open(reading) as file:
            assert "this process is a fork of env0" in file.read()
        os.waitpid(pid, 0)
        assert worker.add(1).ret == 2


def test_all_envs_are_replaced_one_by_one_and_idempotent_methods_never_fail() -> None:
    with booted(3) as app:
        workers = corps.options().create_many(3, Worker)
        stops = threading.Event()
        clients = [Client(workers, stops, first) for first in range(4)]
        try:
            for env in (1, 2, 3) * 2:
                (worker,) = [each for each in workers if each._addr.env == env]
                old = worker.pid().result(LIMIT)
                os.kill(old, signal.SIGKILL)
                while worker.add(0).result(LIMIT) and worker.pid().result(LIMIT) == old:
                    threading.Event().wait(0.01)
        finally:
            stops.set()
        assert [error for client in clients for error in client.errors()] == []
        assert app.pid().result(LIMIT)


class Client:
    """Asks all the while."""

    def __init__(self, workers: list[Any], stops: threading.Event, first: int) -> None:
        self._workers, self._stops, self._first = workers, stops, first
        self._errors: list[BaseException] = []
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        number = self._first
        while not self._stops.is_set():
            number += 1
            try:
                assert self._workers[number % 3].add(number).result(LIMIT) == number + 1
            except BaseException as error:  # the test must hear of it
                self._errors.append(error)

    def errors(self) -> list[BaseException]:
        self._thread.join()
        return self._errors


def test_generators_are_closed_whose_consumer_has_died_with_its_process() -> None:
    with booted(2):
        producer, consumer = corps.options(env=1).create(Producer), corps.options(env=2).create(Consumer)
        shared = producer.items().ret
        for _ in range(3):
            pid = consumer.pid().result(LIMIT)  # of the next process, whenever it comes
            assert next(shared) >= 0
            assert consumer.consume(shared).result(LIMIT) > 0
            assert [consumer.consume_of(producer).result(LIMIT) for _ in range(5)] == [0] * 5
            assert producer.open_now().ret == 6
            os.kill(pid, signal.SIGKILL)
            until = time.monotonic() + LIMIT
            while producer.open_now().ret > 1:
                assert time.monotonic() < until
        assert next(shared) > 0
        shared.close()
        assert producer.open_now().ret == 0


class Feed(corps.Conc):
    interleave = 10

    def __init__(self) -> None:
        self.ended = 0

    async def items(self) -> Any:
        try:
            yield 1
            await asyncio.Event().wait()  # the next item never comes
        finally:
            self.ended += 1

    def how_many_ended(self) -> int:
        return self.ended


class Reader(corps.Conc):
    restart: ClassVar[corps.Restart | None] = None

    def read(self, feed: "corps.Name[Feed]") -> None:
        for _ in feed.items().ret:
            pass

    def pid(self) -> int:
        return os.getpid()


def test_an_item_that_nobody_waits_for_any_more_holds_up_no_worker() -> None:
    with corps.boot(corps.Corps, envs=2) as app:
        feed = app.options(env=1).create(Feed)
        for _ in range(3):
            reader = app.options(env=2).create(Reader)
            pid = reader.pid().result(LIMIT)
            reading = reader.read(feed)
            with pytest.raises(corps.WaitTimeout):
                reading.result(0.3)
            os.kill(pid, signal.SIGKILL)
            with pytest.raises(corps.RequestError):
                reading.result(LIMIT)
            assert feed.how_many_ended().result(LIMIT) >= 0
        deadline = time.monotonic() + LIMIT
        while feed.how_many_ended().result(LIMIT) < 3:
            assert time.monotonic() < deadline
            time.sleep(0.05)
