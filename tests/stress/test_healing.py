"""Envs are killed at random while many ask: all is answered, truly, nothing runs twice, and all come back."""

import os
import random
import signal
import threading
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import psutil
import pytest

import corps
from corps.testing.leaks import Snapshot

KILLS: Final = int(os.environ.get("KILLS_OF_THE_TEST", "20"))
"""By hand many more."""
ENVS: Final = 3
CLIENTS: Final = 4
UNDER_WAY: Final = 8
LONG: Final = 60.0  # seconds after which a Future counts as one that is never settled

pytestmark = [pytest.mark.stress, pytest.mark.timeout(100 + 3 * KILLS)]

ALWAYS: Final = corps.Restart(max=1_000_000, within=1.0, backoff=(0.0, 0.1))


class Witness(corps.Conc):
    """Writes down each request that begins: one write to a file that outlives the process."""

    restart = ALWAYS

    def __init__(self, path: str) -> None:
        self.fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)

    def once(self, serial: int) -> int:
        os.write(self.fd, b"%d\n" % serial)
        return serial

    @corps.idempotent(retries=10)
    def again(self, serial: int) -> int:
        os.write(self.fd, b"%d\n" % serial)
        return serial

    async def later(self, serial: int) -> int:
        os.write(self.fd, b"%d\n" % serial)
        return serial

    def fail(self, serial: int) -> int:
        os.write(self.fd, b"%d\n" % serial)
        raise corps.Fail("planted")

    def cleanup(self) -> None:
        os.close(self.fd)


class App(corps.Corps):
    """Lives in the home Env, which is killed like the others."""

    restart = ALWAYS

    def __init__(self, path: str) -> None:
        self.workers = corps.options().create_per_env(1, Witness, path)

    def ask(self, serial: int) -> int:
        each: int = self.workers[serial % len(self.workers)].again(serial).ret
        return each


@dataclass
class Client:
    """One thread that asks, and remembers what it was told."""

    names: list[Any]
    app: Any
    path: str
    first: int
    seed: int
    stops: threading.Event
    told: dict[int, tuple[str, BaseException | None]] = field(default_factory=dict)
    unsettled: list[str] = field(default_factory=list)
    errors: list[BaseException] = field(default_factory=list)

    def run(self) -> None:
        try:
            self._ask()
        except BaseException as error:  # the test must hear of it
            self.errors.append(error)

    def _ask(self) -> None:
        chance = random.Random(self.seed)
        serial = self.first
        while not self.stops.is_set():
            under_way = []
            for _ in range(UNDER_WAY):
                serial += 1
                method = chance.choice(["once"] * 6 + ["again", "again", "later", "ask", "create", "fail"])
                under_way.append((serial, method, self._begin(method, serial, chance.choice(self.names))))
            for number, method, future in under_way:
                try:
                    self.told[number] = method, future.exception(LONG)
                except corps.WaitTimeout:
                    self.unsettled.append(f"{method} {number}")

    def _begin(self, method: str, serial: int, name: Any) -> corps.Future[Any]:
        if method == "ask":
            future: corps.Future[Any] = self.app.ask(serial)
            return future
        if method == "create":  # what becomes of it is its own affair
            made = corps.options(deadline=LONG).create_nowait(Witness, self.path)
            made.add_done_callback(lambda done: done.exception() is None and done.result().exit())
            return made
        called: corps.Future[Any] = getattr(name, method)(serial)
        return called


def kill_at_random(template: psutil.Process, chance: random.Random) -> None:
    for number in range(KILLS):
        threading.Event().wait(chance.choice([0.0, 0.02, 0.1, 0.3, 0.6, 1.0]))
        there = template.children()
        chance.shuffle(there)
        for process in there[: 2 if number % 7 == 3 else 1]:
            try:
                process.send_signal(signal.SIGKILL)
            except psutil.NoSuchProcess:
                pass


def violations(clients: list[Client], starts: Counter[int]) -> list[str]:
    found = [f"{what} was never settled" for client in clients for what in client.unsettled]
    for client in clients:
        for serial, (method, error) in client.told.items():
            seen = starts[serial]
            if method == "create":
                continue
            if method not in ("again", "ask") and seen > 1:
                found.append(f"{method} {serial} began {seen} times")
            if error is None and seen == 0:
                found.append(f"{method} {serial} was answered, and never began")
            executed = getattr(error, "executed", None)
            if executed == "no" and seen and method != "ask":
                found.append(f"{method} {serial} began {seen} times, and it was said not to have: {error!r}")
            if executed == "yes" and not seen and method != "ask":
                found.append(f"{method} {serial} never began, and it was said to have: {error!r}")
            if not isinstance(
                error, corps.EnvLost | corps.WorkerGone | corps.RemoteError | corps.PoisonRequest | None
            ):
                found.append(f"{method} {serial} failed with {error!r}")
    return found


def test_envs_that_are_killed_at_random_come_back_and_nothing_is_lost_or_run_twice(tmp_path: Path) -> None:
    seed = int(os.environ.get("SEED_OF_THE_TEST", random.SystemRandom().randrange(2**32)))
    print("seed", seed)
    chance = random.Random(seed)
    witness = tmp_path / "witness"
    witness.touch()
    settings = {"env_restart": {"max": 1_000_000}, "log_level": "CRITICAL"}
    with corps.boot(App, str(witness), envs=ENVS, config=settings):  # what is made once is made now
        pass
    before = Snapshot.take()
    others = set(psutil.Process().children())  # templates of Corps that other tests have left to the session
    with corps.boot(App, str(witness), envs=ENVS, config=settings) as app:
        (template,) = set(psutil.Process().children()) - others
        names = corps.options().create_per_env(2, Witness, str(witness))
        stops = threading.Event()
        clients = [
            Client(names, app, str(witness), (number + 1) * 10**9, chance.randrange(2**32), stops)
            for number in range(CLIENTS)
        ]
        threads = [in_context(client.run) for client in clients]
        try:
            kill_at_random(template, chance)
        finally:
            stops.set()
            for thread in threads:
                thread.join()
        assert [error for client in clients for error in client.errors] == []
        for number, name in enumerate(names):  # all are there again, under their Names
            assert name.again(number).result(LONG) == number
        assert answer_after_the_last_kill(app) == 0
        asked = sum(len(client.told) for client in clients)
        failed = sum(error is not None for client in clients for _, error in client.told.values())
        print(f"{asked} requests, {failed} of them failed")
        assert failed < asked / 2
    starts = Counter(map(int, witness.read_bytes().split()))
    assert violations(clients, starts) == []
    assert before.leaks() == []


def answer_after_the_last_kill(app: Any) -> Any:
    """Ask what is not sent again by itself: the last kill may not be known here yet."""
    while True:
        try:
            return app.ask(0).result(LONG)
        except corps.EnvLost:
            continue


def in_context(run: Any) -> threading.Thread:
    """A thread that may create workers."""
    import contextvars

    thread = threading.Thread(target=contextvars.copy_context().run, args=(run,))
    thread.start()
    return thread
