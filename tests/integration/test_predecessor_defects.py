"""The defects of the predecessor, CorpsPython 0.1.8: for each of them a test that would catch it."""

import ast
import contextlib
import inspect
import os
import signal
import socket
import subprocess
import sys
import threading
import types
from pathlib import Path
from threading import Event
from typing import Any

import psutil
import pytest

import corps
from corps.membership.orders import Order
from corps.membership.places import Place
from corps.messages.outcomes import Value
from corps.messages.promises import NoAnswer
from corps.messages.requests import CALL, Request
from tests.integration.behaviour.paths import APP, booted, local
from tests.integration.behaviour.workers import Counter, Holder, Latch, Talker

ROOT = Path(corps.__file__).parent.parent


class Defect(corps.Conc):
    def __init__(self) -> None:
        self.runs = 0

    def run(self, gate: Event | None = None) -> int:
        self.runs += 1
        if gate is not None:
            gate.wait()
        return self.runs

    def lock(self) -> None:
        self.runs += 1
        error = ValueError("with a lock")
        error.lock = threading.Lock()  # type: ignore[attr-defined]
        raise error

    def nothing(self) -> None:
        self.runs += 1

    def meet(self, other: corps.Name["Defect"], n: int) -> int:
        return n if n == 0 else int(other.meet(self.my_name(), 0).ret) + n


class Silent(Defect):
    def reply(self, request: Request, outcome: corps.Outcome) -> None:
        """Answers nothing."""


def test_calls_share_one_connection() -> None:
    """1. One TCP connection for each call."""
    with booted("tcp") as way, way.entered():
        counter = way.create(Counter)
        connections = len(psutil.Process().net_connections("tcp"))
        for _ in range(200):
            counter.add().result()
        assert len(psutil.Process().net_connections("tcp")) == connections


def test_nothing_waits_by_sleeping() -> None:
    """2. Waits poll with sleep, and give up after a number of tries."""
    assert [
        f"{path.name}:{node.lineno}"
        for path in (ROOT / "corps").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("time.sleep", "sleep")
        if ast.unparse(node.args[0]) != "0"  # which only gives way
    ] == []


def test_a_broken_promise_does_not_take_the_thread_with_it() -> None:
    """3. What is raised while a request is finished ends the thread, and the Future stays open."""
    with local({"threads.max": 1}) as way, way.entered():
        counter = way.create(Counter)
        future = counter.add()
        future.add_done_callback(lambda _: 1 / 0)
        assert future.result(timeout=20) == 1
        for _ in range(3):
            assert counter.add("x").exception(timeout=20) is not None
        assert counter.add(1).result(timeout=20) == 2


def test_ten_workers_that_wait_for_each_other_do_not_stall() -> None:
    """4. Requests under way hold threads of the pool that would have to run their answers."""
    with local({"threads.max": 1}) as way, way.entered():
        names = [way.create(Defect) for _ in range(10)]
        futures = [name.meet(other, 1) for name, other in zip(names[::2], names[1::2], strict=True)]
        assert [future.result(timeout=20) for future in futures] == [1] * 5


def test_no_wake_up_is_lost_between_looking_and_leaving() -> None:
    """5. A request that arrives while the worker's thread is about to leave waits for the next one."""
    with local() as way, way.entered():
        defect = way.create(Defect)
        for n in range(1, 3_001):
            assert defect.run().result(timeout=20) == n


def test_a_request_without_an_answer_leaves_the_others_their_turn() -> None:
    """6. A request that is not answered, or whose answer fails, leaves the rest of the mailbox waiting."""
    with booted("unix") as way, way.entered():
        silent, defect = way.create(Silent), way.create(Defect)
        futures = []
        for worker in (silent, defect):
            worker.run.send()
            futures += [worker.lock(), worker.nothing(), worker.run()]
        for future in futures:
            assert future.exception(timeout=20) is None or "with a lock" in str(future.exception())
        assert futures[-1].ret == 4


def test_a_request_is_run_at_most_once() -> None:
    """7. A request that takes long, fails, or gives None is sent and run again."""
    with booted("unix") as way, way.entered():
        holder, latch, defect = way.create(Holder), way.create(Latch), way.create(Defect)
        slow = holder.hold(latch)
        latch.arrived().result()
        with pytest.raises(corps.WaitTimeout):
            slow.result(timeout=0.1)
        latch.open().result()
        assert slow.ret == "held"
        assert holder.log.ret == ["held"]
        assert defect.nothing().ret is None
        assert defect.lock().exception() is not None
        assert defect.runs.ret == 2


def test_an_exception_that_cannot_be_packed_is_an_answer() -> None:
    """8. An exception that cannot be packed loses the answer."""
    with booted("unix") as way, way.entered():
        with pytest.raises(corps.RemoteError, match="ValueError: with a lock") as caught:
            way.create(Defect).lock().result(timeout=20)
        assert "raise error" in caught.value.traceback


def test_no_bytes_of_a_stranger_are_unpacked(tmp_path: Path) -> None:
    """9. Whatever comes in by a socket on the LAN is unpickled."""
    mark = tmp_path / "mark"
    bomb = b"cos\nsystem\n(S'touch " + os.fsencode(mark) + b"'\ntR."
    with booted("tcp") as way, way.entered():
        listening = [
            connection.laddr
            for process in [psutil.Process(), *psutil.Process().children(recursive=True)]
            for connection in process.net_connections("tcp")
            if connection.status == psutil.CONN_LISTEN
        ]
        assert listening
        assert {address.ip for address in listening} <= {"127.0.0.1", "::1"}
        for address in listening:
            with socket.create_connection((address.ip, address.port), timeout=20) as stranger:
                stranger.sendall(len(bomb).to_bytes(8, "big") + bomb)
                # Read to the end: it has been judged then, whether by a close or by a reset.
                with contextlib.suppress(OSError):
                    stranger.shutdown(socket.SHUT_WR)
                    while stranger.recv(4096):
                        pass
        assert way.create(Counter).add().ret == 1
    assert not mark.exists()


def test_only_public_methods_are_called_from_afar() -> None:
    """10. Every inherited method can be called by every peer, and a wrong name ends the thread."""
    with booted("unix") as way, way.entered():
        talker = way.create(Talker)
        for method in ("__init__", "__kill__", "cleanup", "main", "_corps_own_cell", "exit", "nothing"):
            future = way.engine.ask(CALL, talker._addr, method, (), {})
            assert isinstance(future.exception(timeout=20), corps.NoSuchMethod), method
        assert talker.later(1).result(timeout=20) == 1


def test_the_processes_of_a_corps_do_not_outlive_the_one_that_booted_it() -> None:
    """11. Nothing ends the processes of a Corps whose booting process is killed."""
    script = (
        "import sys, corps, psutil; corps.boot(sys.argv[1], envs=2);"
        "print(*[child.pid for child in psutil.Process().children(recursive=True)], flush=True);"
        "sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(APP)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
    ) as booter:  # fmt: skip
        assert booter.stdout is not None
        children = [psutil.Process(int(pid)) for pid in booter.stdout.readline().split()]
        assert len(children) >= 2
        booter.send_signal(signal.SIGKILL)
        _, alive = psutil.wait_procs(children, timeout=20)
    assert alive == []


def test_the_calls_of_one_caller_are_run_in_order() -> None:
    """12. Two calls of one caller go over two connections, in any order."""
    with booted("tcp") as way, way.entered():
        holder = way.create(Holder)
        for i in range(500):
            holder.note.send(i) if i % 2 else holder.note(i)
        assert holder.log.ret == list(range(500))


def test_the_envs_of_a_corps_start_side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    """13. The Envs are started one after the other. Here all are told to start before any is waited for."""
    steps: list[str] = []
    tell, wait = Place.tell, Place.await_ready

    def noted_tell(self: Place, order: Order) -> None:
        steps.append(order.word)
        tell(self, order)

    def noted_wait(self: Place, *args: Any) -> None:
        steps.append("wait")
        wait(self, *args)

    monkeypatch.setattr(Place, "tell", noted_tell)
    monkeypatch.setattr(Place, "await_ready", noted_wait)
    with corps.boot(APP, envs=3) as app:
        assert app.ping().ret == "pong"
    assert steps[:5] == ["start"] * 4 + ["wait"]


def test_a_class_adds_nothing_to_the_module_that_defines_it() -> None:
    """14. Defining a worker's class adds a further class to the module that does it."""
    module = types.ModuleType("fresh")
    exec("import corps\nclass Worker(corps.Conc):\n    def hello(self): return 1\n", vars(module))
    assert {name for name in vars(module) if not name.startswith("__")} == {"corps", "Worker"}
    assert type(vars(module)["Worker"]) is type(corps.Conc) is type
    nested = _nested_class()
    assert nested.__qualname__ == "_nested_class.<locals>.Nested"
    assert not inspect.isabstract(nested)


def _nested_class() -> type:
    class Nested(corps.Conc):
        def hello(self) -> int:
            return 1

    return Nested


def test_a_promise_that_wants_no_answer_is_settled_once() -> None:
    """3 and 6 again, where no Future is."""
    promise = NoAnswer("a request")
    assert promise.settle(Value(1))
    assert not promise.settle(Value(2))
