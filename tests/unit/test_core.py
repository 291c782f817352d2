"""Claims about the native core: each of its classes does what the Python class does that defines it.

The same events go to both, and all that can be seen of them is compared after each.
"""

import concurrent.futures
import os
import shutil
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from corps import core
from corps.addresses import ConcAddr
from corps.clock import now
from corps.core import pure_of
from corps.errors import Cancelled, CorpsError
from corps.messages.interfaces import Interface
from corps.messages.outcomes import Outcome, Raised, Refused, Value
from corps.messages.requests import CALL, GET, WAITING, Request
from corps.runtime.calls.futures import Future
from corps.runtime.calls.waiting import Countdown
from corps.runtime.cells.cell import Cell
from corps.runtime.cells.mailbox import Mailbox
from corps.runtime.context import Activity
from corps.runtime.threads.gates import Gate
from corps.runtime.threads.pool import WorkerPool

ADDR = ConcAddr("00", 0, 1)
LIMIT = 3
METHODS = frozenset({"add", "boom", "stream", "exits", "asks"})


def test_the_native_core_is_under_the_classes_if_it_runs() -> None:
    is_native = core.name == "native"
    hot = (Request, Value, Future, Mailbox, Cell, Activity, Gate, WorkerPool)
    assert [cls is not pure_of(cls) for cls in hot] == [is_native] * len(hot)


def test_the_native_core_runs_where_it_could_be_built() -> None:
    headers = Path(sysconfig.get_paths()["include"]) / "Python.h"
    is_wanted = os.environ.get("CORPS_PURE", "0") in ("", "0") and "t" not in sys.abiflags
    could_be_built = shutil.which("gcc") is not None and headers.exists()
    assert (core.name == "native") is (is_wanted and could_be_built)


@pytest.mark.skipif("t" not in sys.abiflags, reason="this interpreter has its lock")
def test_nothing_that_is_imported_brings_the_interpreters_lock_back() -> None:
    text = "import sys, corps\nwith corps.env(): assert not sys._is_gil_enabled()"
    command = [sys.executable, "-W", "error", "-c", text]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("wanted", ["1", "true"])
def test_the_environment_asks_for_the_python_code(wanted: str) -> None:
    environ = {**os.environ, "CORPS_PURE": wanted}
    text = "import corps; from corps import core; print(core.name)"
    done = subprocess.run(
        [sys.executable, "-c", text], env=environ, capture_output=True, text=True, check=True
    )
    assert done.stdout == "pure\n"


@pytest.mark.skipif(core.name == "pure", reason="no core was built here")
def test_a_core_that_is_older_than_its_sources_does_not_run(tmp_path: Path) -> None:
    package = Path(core.__file__).parent
    shutil.copytree(package, tmp_path / "corps", ignore=shutil.ignore_patterns("__pycache__"))
    source = tmp_path / "corps/_core/engine.pyx"
    os.utime(source, (now() + 1e10, now() + 1e10))
    text = "import corps; from corps import core; print(core.name, core.__file__)"
    how: Any = {"env": {**os.environ, "PYTHONPATH": str(tmp_path)}, "cwd": tmp_path}
    done = subprocess.run([sys.executable, "-c", text], **how, capture_output=True, text=True, check=True)
    assert done.stdout == f"pure {tmp_path / 'corps/core.py'}\n"
    assert "make setup" in done.stderr


# --- mailboxes ---


class Mailboxes(RuleBasedStateMachine):
    """The same requests in a native mailbox and in one of Python."""

    def __init__(self) -> None:
        super().__init__()
        self.boxes = Mailbox(LIMIT), pure_of(Mailbox)(LIMIT)
        self.requests: list[tuple[Request, ...]] = []

    def pair(self) -> tuple[Request, ...]:
        made = tuple(Request(CALL, ADDR, f"m{len(self.requests)}", (), {}, Future()) for _ in self.boxes)
        self.requests.append(made)
        return made

    def both(self, act: Callable[[Any, int], object]) -> None:
        one, other = (self.shown(act(box, at)) for at, box in enumerate(self.boxes))
        assert one == other

    def shown(self, result: object) -> object:
        if isinstance(result, Request):
            return result.method, result.stage
        return [each.method for each in result] if isinstance(result, list) else result

    @rule(is_taken=st.booleans())
    def put(self, is_taken: bool) -> None:
        pair = self.pair()
        self.both(lambda box, at: box.put(pair[at], is_taken=is_taken))

    @precondition(lambda self: self.boxes[0].first is not None)
    @rule()
    def take(self) -> None:
        self.both(lambda box, _: box.take())

    @rule(if_drained=st.booleans())
    def put_first(self, if_drained: bool) -> None:
        pair = self.pair()
        self.both(lambda box, at: box.put_first(pair[at], if_drained=if_drained))

    @rule(is_behind=st.booleans())
    def put_ahead(self, is_behind: bool) -> None:
        pair = self.pair()
        self.both(lambda box, at: box.put_ahead(pair[at], box.first if is_behind else None))

    @precondition(lambda self: self.requests)
    @rule(data=st.data())
    def take_back(self, data: st.DataObject) -> None:
        pair = data.draw(st.sampled_from(self.requests))
        self.both(lambda box, at: box.take_back(pair[at]))

    @rule(how=st.sampled_from(["close", "still", "close_behind", "put_late"]))
    def end(self, how: str) -> None:
        pair = self.pair()
        self.both(lambda box, at: getattr(box, how)(pair[at]))

    @rule(is_held=st.booleans())
    def hold(self, is_held: bool) -> None:
        with self.boxes[0].lock:
            assert self.boxes[0].lock.locked()

    @invariant()
    def all_that_is_seen_is_equal(self) -> None:
        def seen(box: Mailbox) -> object:
            first = None if box.first is None else box.first.method
            return len(box), box.is_full, first, repr(box._door), box.has_room_for(1)

        assert seen(self.boxes[0]) == seen(self.boxes[1])
        assert [one.stage for one, _ in self.requests] == [other.stage for _, other in self.requests]


# --- Futures ---

OUTCOMES: tuple[Outcome, ...] = (
    Value(1),
    Value(None),
    Refused(Cancelled("given up")),
    Raised.capture(ValueError("wrong"), "a worker"),
)


class Observer:
    """What `concurrent.futures.wait` leaves with a Future."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def add_result(self, _: object) -> None:
        self.heard.append("result")

    def add_exception(self, _: object) -> None:
        self.heard.append("exception")

    def add_cancelled(self, _: object) -> None:
        self.heard.append("cancelled")


class Futures(RuleBasedStateMachine):
    """A native Future and one of Python, with the same life."""

    def __init__(self) -> None:
        super().__init__()
        self.futures: tuple[Any, ...] = Future(), pure_of(Future)()
        self.heard: tuple[list[int], ...] = [], []
        self.observers = Observer(), Observer()
        self.callbacks: list[tuple[Callable[[object], object], ...]] = []
        self.alarms = SimpleNamespace(rung=0), SimpleNamespace(rung=0)

    @rule(outcome=st.sampled_from(OUTCOMES))
    def settle(self, outcome: Outcome) -> None:
        one, other = (future.settle(outcome) for future in self.futures)
        assert one is other

    @rule()
    def cancel(self) -> None:
        one, other = (future.cancel() for future in self.futures)
        assert one is other

    @rule(raises=st.booleans())
    def add_callback(self, raises: bool) -> None:
        number = len(self.callbacks)

        def made(heard: list[int]) -> Callable[[object], object]:
            def call(_: object) -> None:
                heard.append(number)
                if raises:
                    raise SystemExit(number)

            return call

        pair = tuple(made(heard) for heard in self.heard)
        self.callbacks.append(pair)
        for future, call in zip(self.futures, pair, strict=True):
            future.when_settled(call)

    @precondition(lambda self: self.callbacks)
    @rule(data=st.data())
    def remove_callback(self, data: st.DataObject) -> None:
        pair = data.draw(st.sampled_from(self.callbacks))
        for future, call in zip(self.futures, pair, strict=True):
            future.remove_callback(call)

    @rule()
    def observe(self) -> None:
        for future, observer in zip(self.futures, self.observers, strict=True):
            with future._condition:
                future._waiters.append(observer)

    @rule()
    def set_alarm(self) -> None:
        for future, alarm in zip(self.futures, self.alarms, strict=True):
            future.set_alarm(
                SimpleNamespace(cancel=lambda alarm=alarm: setattr(alarm, "rung", alarm.rung + 1))
            )

    @invariant()
    def all_that_is_seen_is_equal(self) -> None:
        def seen(future: Any) -> object:
            if not future.done():
                return future.done(), future.running(), future.cancelled(), future._state
            error = future.failure()
            value = None if error is not None else (future.ret, future.result(), future.result(1))
            return future._state, future.cancelled(), type(error), str(error), value, type(future.outcome)

        assert seen(self.futures[0]) == seen(self.futures[1])
        assert self.heard[0] == self.heard[1]
        assert self.observers[0].heard == self.observers[1].heard
        assert self.alarms[0].rung == self.alarms[1].rung


@pytest.mark.parametrize("outcome", OUTCOMES, ids=lambda each: type(each).__name__)
def test_the_standard_library_waits_for_a_future_of_either(outcome: Outcome) -> None:
    for future in (Future[Any](), pure_of(Future)()):
        threading.Timer(0.01, future.settle, (outcome,)).start()
        assert concurrent.futures.wait([future], 20).done == {future}


@pytest.mark.parametrize("cls", [Future, pure_of(Future)])
def test_all_hear_of_the_outcome_though_a_thread_that_reads_cannot_be_interrupted(cls: type[Any]) -> None:
    def interrupt() -> None:
        raise OSError("the link is closed")

    future, gate, heard = cls(), Gate(), list[Any]()
    gate.read_instead(interrupt)
    future.when_settled(gate)
    future.when_settled(heard.append)
    assert future.settle(Value(1))
    assert heard == [future]
    assert gate.is_open


@pytest.mark.parametrize("future", [Future, pure_of(Future)])
@pytest.mark.parametrize("countdown", [Countdown, pure_of(Countdown)])
def test_the_last_of_many_futures_ends_a_countdown(future: type[Any], countdown: type[Any]) -> None:
    futures = [future() for _ in range(5)]
    count = countdown(len(futures))
    for each in futures:
        each.when_settled(count)
    assert [each.settle(Value(1)) and count.over.done() for each in futures] == [False] * 4 + [True]
    assert count.over.ret is None


# --- cells ---


class Letters:
    """What becomes of requests that are not run."""

    def __init__(self) -> None:
        self.said: list[str | tuple[str, str]] = []

    def settle(self, request: Request, outcome: Refused) -> None:
        self.said.append((request.method, type(outcome.error).__name__))
        request.settle(outcome)

    def note(self, reason: str, *_: object) -> None:
        self.said.append(reason)

    def undelivered(self, request: Request, outcome: Refused) -> None:
        self.said.append((request.method, outcome.letter or ""))


class Side:
    """One cell, and all that it does to its Env."""

    def __init__(self, cls: type[Cell]) -> None:
        self.ready: list[object] = []
        self.letters = Letters()
        env: Any = SimpleNamespace(
            id=0,
            options=SimpleNamespace(mailbox=100, window_requests=1000),
            upper=SimpleNamespace(make_name=lambda *_: "name"),
            pool=SimpleNamespace(submit=self.ready.append),
            lives=SimpleNamespace(pass_on=lambda cell, request: request.settle(Refused(cell.gone("no")))),
            letters=self.letters,
            travels=None,
            waits=None,
            closed=True,
            expect_garbage=lambda: None,
        )
        options = SimpleNamespace(tag="", mailbox=None, when_full=None)
        record: Any = SimpleNamespace(options=options, cls=None, corps_name="corps")
        self.cell = cls(env, ADDR, record, Interface("m:Worker", METHODS), None, None)
        self.worker: Any = Worker(self)
        self.cell.performer.cls = Worker
        self.cell.performer.worker = self.worker
        self.here = Activity(env)
        self.ran: list[object] = []
        self.futures: list[Any] = []

    def ask(self, method: str, args: tuple[Any, ...], **fields: Any) -> Request:
        future: Any = Future()
        request = Request(fields.pop("kind", CALL), ADDR, method, args, {}, future, **fields)
        future.request = request
        self.futures.append(future)
        self.cell.deliver(request)
        return request

    def seen(self) -> object:
        outcomes: list[str | tuple[str, str] | None] = []
        for future in self.futures:
            outcome = future.outcome
            if outcome is None or isinstance(outcome, Value):
                outcomes.append(None if outcome is None else type(outcome.value).__name__)
            else:
                outcomes.append((type(outcome.error).__name__, str(outcome.error)[:60]))
        cell = self.cell
        ready = len(self.ready)
        return repr(cell._turn), len(cell.mailbox), ready, outcomes, self.ran, self.letters.said


class Worker:
    """What an author has written."""

    def __init__(self, side: Side) -> None:
        self.side = side

    def add(self, number: int) -> int:
        self.side.ran.append(("add", number, self.side.cell.activity.depth, repr(self.side.cell._turn)))
        return number

    def boom(self, number: int) -> None:
        self.side.ran.append(("boom", number))
        raise KeyError(number)

    def exits(self, _: int) -> None:
        raise TypeError("no such thing")

    def stream(self, number: int) -> Any:
        future: Future[int] = Future()
        future.settle(Value(number))
        return future

    def asks(self, number: int) -> None:
        """Have another request come while this one runs."""
        self.side.ask("add", (number,))


class Cells(RuleBasedStateMachine):
    """The same requests for a native cell and for one of Python."""

    @initialize()
    def begin(self) -> None:
        self.sides = Side(Cell), Side(pure_of(Cell))

    def both(self, act: Callable[[Side], object]) -> None:
        one, other = (act(side) for side in self.sides)
        assert one == other

    @rule(method=st.sampled_from([*sorted(METHODS), "unknown"]), number=st.integers(0, 3))
    def ask(self, method: str, number: int) -> None:
        self.both(lambda side: side.ask(method, (number,)).stage)

    @rule(how=st.sampled_from(["late", "in time", "packed", "unpackable", "read", "bad arguments", "a list"]))
    def ask_unusually(self, how: str) -> None:
        def unpack() -> tuple[Any, ...]:
            if how == "unpackable":
                raise CorpsError("bytes of another kind")
            return (2,), {}

        unusual: dict[str, dict[str, Any]] = {
            "late": {"deadline": now() - 1},
            "in time": {"deadline": now() + 1000},
            "read": {"kind": GET},
            "bad arguments": {},
            "a list": {},
        }
        fields = unusual.get(how, {"packed": unpack})
        args: Any = {"bad arguments": (1, 2, 3), "a list": [1]}.get(how, (1,))
        self.both(lambda side: side.ask("missing" if how == "read" else "add", args, **fields).stage)

    @precondition(lambda self: self.sides[0].futures)
    @rule(data=st.data())
    def give_up(self, data: st.DataObject) -> None:
        number = data.draw(st.integers(0, len(self.sides[0].futures) - 1))
        self.both(lambda side: side.futures[number].cancel())

    @precondition(lambda self: self.sides[0].ready)
    @rule()
    def run(self) -> None:
        def run(side: Side) -> None:
            side.ready.pop()
            side.cell.run()

        self.both(run)

    @precondition(lambda self: self.sides[0].futures)
    @rule(data=st.data())
    def help(self, data: st.DataObject) -> None:
        number = data.draw(st.integers(0, len(self.sides[0].futures) - 1))
        self.both(lambda side: side.cell.help(side.futures[number], side.here))

    @invariant()
    def all_that_is_seen_is_equal(self) -> None:
        if hasattr(self, "sides"):
            assert self.sides[0].seen() == self.sides[1].seen()
            assert self.sides[0].cell._inflight == self.sides[1].cell._inflight == 0


SETTINGS = settings(max_examples=150, stateful_step_count=40, deadline=None)

for machine in (Mailboxes, Futures, Cells):
    machine.TestCase.settings = SETTINGS
TestMailboxes = Mailboxes.TestCase
TestFutures = Futures.TestCase
TestCells = Cells.TestCase


def test_a_request_that_waits_is_as_it_was_made() -> None:
    for cls in (Request, pure_of(Request)):
        made = cls(CALL, ADDR, "add", (1,), {}, Future())
        assert (made.stage, made.number, made.sent, made.is_given_up) == (WAITING, 0, None, False)
        assert (made.behind, made.route, made.packed, made.deadline) == (None, None, None, None)
        made.sent = 2.5
        assert made.sent == 2.5
