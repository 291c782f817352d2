"""Claims about requests that run beside each other, in many seeded orders."""

import asyncio
import random
import threading
import time
from threading import Lock
from typing import Any

import pytest

import corps

ROUNDS = 30
ASKERS = 4
REQUESTS = 40


class Ground(corps.Conc):
    """Writes down what is under way, and what may not be."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._inside = {"reading": 0, "writing": 0, "turn": 0, "interleaving": 0}
        self._wrong: list[str] = []

    def _enter(self, what: str, *may_not: str) -> None:
        with self._lock:
            there = [each for each in may_not if self._inside[each]]
            self._inside[what] += 1
            if there:
                self._wrong.append(f"{what} beside {there}")

    def _leave(self, what: str) -> None:
        with self._lock:
            self._inside[what] -= 1

    @corps.readonly
    def read(self, seconds: float) -> str:
        self._enter("reading", "writing", "turn", "interleaving")
        time.sleep(seconds)
        self._leave("reading")
        return "read"

    @corps.readonly
    async def read_softly(self, seconds: float) -> str:
        self._enter("reading", "writing", "turn", "interleaving")
        await asyncio.sleep(seconds)
        self._leave("reading")
        return "read_softly"

    def write(self, seconds: float) -> str:
        self._enter("writing", "reading", "writing", "turn", "interleaving")
        time.sleep(seconds)
        self._leave("writing")
        return "write"

    async def turn(self, seconds: float) -> str:
        self._enter("turn", "reading", "writing", "turn")
        await asyncio.sleep(seconds)
        self._leave("turn")
        return "turn"

    @corps.interleave
    async def meet(self, seconds: float) -> str:
        self._enter("interleaving", "reading", "writing")
        await asyncio.sleep(seconds)
        self._leave("interleaving")
        return "meet"

    async def aside(self, seconds: float) -> str:
        self._enter("turn", "reading", "writing", "turn")
        self._leave("turn")
        async with self.my_turn_given_up():
            await asyncio.sleep(seconds)
        self._enter("turn", "reading", "writing", "turn")
        await asyncio.sleep(0)
        self._leave("turn")
        return "aside"

    def wrong(self) -> list[str]:
        return self._wrong


class Asker(corps.Conc):
    """Asks as a worker does: its thread may run what it waits for."""

    def ask(self, what: Any, *args: Any) -> list[str]:
        failed: list[str] = []
        what(*args, failed)
        return failed


def ask_by(kind: str, what: Any, name: Any, first: int) -> list[str]:
    """Have four threads, or four workers, ask; return what went wrong."""
    failed: list[str] = []
    if kind == "workers":
        askers = corps.options().create_many(ASKERS, Asker)
        asked = [asker.ask(what, name, first + number) for number, asker in enumerate(askers)]
        for future in asked:
            failed += future.result(60)
        for asker in askers:
            asker.exit().result(20)
        return failed
    threads = [threading.Thread(target=what, args=(name, first + number, failed)) for number in range(ASKERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failed


METHODS = ("read", "read", "read_softly", "write", "turn", "meet", "aside")


def ask(ground: Any, seed: int, failed: list[str]) -> None:
    chance = random.Random(seed)
    asked = []
    for _ in range(REQUESTS):
        method = chance.choice(METHODS)
        future = getattr(ground, method)(chance.choice((0, 0, 0.0005)))
        if chance.random() < 0.1:
            future.cancel()
        elif chance.random() < 0.2:
            future.exception(20)  # with a time limit, so that this thread runs nothing itself
        asked.append((method, future))
    for method, future in asked:
        try:
            answer = future.result()
        except corps.Cancelled:
            continue
        except Exception as error:
            failed.append(repr(error))
        else:
            if answer != method:
                failed.append(f"{method} gave {answer}")


@pytest.mark.stress
@pytest.mark.parametrize("kind", ["threads", "workers"])
def test_nothing_runs_beside_what_it_may_not_and_everything_is_answered(kind: str) -> None:
    with corps.env() as env:
        for round_number in range(ROUNDS):
            ground = env.create(Ground)
            failed = ask_by(kind, ask, ground, 100 * round_number)
            assert (round_number, failed, ground.wrong().result(20)) == (round_number, [], [])
            ground.exit().result(20)


class Tools(corps.Funcs):
    at_once = 3
    lock = Lock()
    inside = 0
    most = 0

    @staticmethod
    def work(seconds: float) -> str:
        with Tools.lock:
            Tools.inside += 1
            Tools.most = max(Tools.most, Tools.inside)
        time.sleep(seconds)
        with Tools.lock:
            Tools.inside -= 1
        return "work"

    @staticmethod
    async def work_softly(seconds: float) -> str:
        with Tools.lock:
            Tools.inside += 1
            Tools.most = max(Tools.most, Tools.inside)
        await asyncio.sleep(seconds)
        with Tools.lock:
            Tools.inside -= 1
        return "work_softly"


def ask_tools(tools: Any, seed: int, failed: list[str]) -> None:
    chance = random.Random(seed)
    asked = []
    for _ in range(REQUESTS):
        method = chance.choice(("work", "work_softly"))
        asked.append((method, getattr(tools, method)(chance.choice((0, 0, 0.0005)))))
        if chance.random() < 0.3:
            asked[-1][1].result()  # this thread may run it
    for method, future in asked:
        if future.result() != method:
            failed.append(method)


@pytest.mark.stress
@pytest.mark.parametrize("kind", ["threads", "workers"])
def test_no_more_functions_run_than_may_and_the_places_are_all_used(kind: str) -> None:
    Tools.most = 0
    with corps.env() as env:
        for round_number in range(ROUNDS):
            tools = env.create(Tools)
            failed = ask_by(kind, ask_tools, tools, 100 * round_number)
            assert failed == []
            tools.exit().result(20)
        assert Tools.most == 3
