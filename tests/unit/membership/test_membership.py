"""Claims about processes that die at the worst moment of their start."""

import logging
from pathlib import Path
from threading import Event, Lock
from types import SimpleNamespace
from typing import Any, Final

import pytest

from corps.errors import BrokenError, EnvStartError
from corps.launch.child import main
from corps.launchers.launcher import Exit
from corps.launchers.local.launcher import LocalLauncher
from corps.membership.membership import Membership
from corps.membership.orders import Ready, Start
from corps.membership.place_life import Move
from corps.membership.vitals import Vitals
from corps.messages.endings import Failure
from corps.messages.interfaces import Interface
from corps.messages.members import Member
from corps.observing.counters import Counters
from corps.runtime.threads.alarms import Alarms
from corps.supervision.restarts import Restart

START: Final = Start("0" * 16, {}, [], b"", 0, [], [])


class Channel:
    def __init__(self) -> None:
        self.is_closed = Event()

    def close(self) -> None:
        self.is_closed.set()

    def send(self, message: Any) -> None:
        raise BrokenError("it has gone")

    def recv(self) -> Any:
        return None


class Process:
    host = None

    def __init__(self, env_id: int, pid: int) -> None:
        self.env_id = env_id
        self.pid = pid
        self.mark = f"pid {pid}"
        self.channel = Channel()

    def wait(self, seconds: float) -> str:
        return "was killed by the test"

    def output(self) -> str:
        return f"last words of {self.pid}\n"

    def kill(self) -> None: ...


class Env:
    def __init__(self) -> None:
        self.alarms = Alarms("alarms", lambda: None)
        self.losses: list[bool] = []
        self.others = self
        self.env_counters = Counters(Lock())

    def lost(self, env_id: int, failure: Failure, *, returns: bool) -> None:
        self.losses.append(returns)


class Host:
    """Starts processes whose end is told before whoever starts them knows of them."""

    def __init__(self) -> None:
        self.membership: Membership | None = None
        self.pid = 100
        self.refusals: list[EnvStartError] = []
        self.spawned: list[Process] = []
        self.has_replaced = Event()  # a process has followed the first one

    def clear_after(self, env_id: int, incarnation: str) -> None: ...

    def spawn(self, env_id: int) -> Process:
        self.pid += 1
        if self.membership is not None:
            assert self.membership.failure_of(Exit(env_id, f"pid {self.pid}", None, 9)) is None
        if self.refusals:
            raise self.refusals.pop()
        self.spawned.append(Process(env_id, self.pid))
        if len(self.spawned) > 1:
            self.has_replaced.set()
        return self.spawned[-1]


class Forgetful(Vitals):
    """Notes whom it forgets."""

    def __init__(self) -> None:
        super().__init__(1.0, 3.0, None)
        self.forgotten: list[int] = []

    def forget(self, process: Any) -> str | None:
        self.forgotten.append(process.pid)
        return super().forget(process)


def test_nobody_looks_for_signs_of_life_of_a_process_that_has_ended_whatever_its_status() -> None:
    """Was a defect: one that ended with an exit status was found to hang, again and again."""
    env, vitals = Env(), Forgetful()
    membership = Membership(
        env,  # type: ignore[arg-type]
        Member(0, "a", ""),
        Host(),  # type: ignore[arg-type]
        START,
        boot_timeout=10.0,
        restart=Restart(),
        on_limit=lambda error: None,
        vitals=vitals,
    )
    reasons = []
    for env_id, (code, sent) in enumerate([(None, 9), (3, None), (0, None)], 1):
        membership._begin(env_id, 0)
        failure = membership.failure_of(Exit(env_id, f"pid {100 + env_id}", code, sent))
        assert failure is not None
        reasons.append(failure.reason)
    env.alarms.close()
    assert vitals.forgotten == [101, 102, 103]
    assert reasons == ["killed", "error", "error"]


def test_a_process_that_dies_before_it_has_a_place_is_replaced_all_the_same() -> None:
    """Was a defect: its end was taken for that of the former one, and nobody came back."""
    env, host, limit = Env(), Host(), Event()
    membership = Membership(
        env,  # type: ignore[arg-type]
        Member(0, "a", ""),
        host,  # type: ignore[arg-type]
        START,
        boot_timeout=10.0,
        restart=Restart(max=3, backoff=(0.0, 0.0)),
        on_limit=lambda error: limit.set(),
        vitals=Vitals(1.0, 3.0, None),
    )
    logging.getLogger("corps.managers").setLevel(logging.CRITICAL)
    try:
        membership._restarts.add(1, membership._restart)
        membership._begin(1, 0)
        host.membership = membership
        ended = Exit(1, "pid 101", None, 9)
        failure = membership.failure_of(ended)
        assert failure is not None
        membership.env_ended(ended, failure)
        assert limit.wait(30)
    finally:
        logging.getLogger("corps.managers").setLevel(logging.NOTSET)
        membership.replace_no_more()
        env.alarms.close()
    assert env.losses == [True, True, True, False]
    assert host.pid == 104
    assert all(process.channel.is_closed.wait(20) for process in host.spawned[1:])
    assert membership.output() == "".join(f"last words of {pid}\n" for pid in range(101, 105))


@pytest.mark.parametrize("is_passing", [True, False])
def test_a_process_that_the_system_does_not_give_now_is_tried_again(*, is_passing: bool) -> None:
    """Was a defect: to lack descriptors for a moment, during one death, ended the whole Corps."""
    env, host, limit = Env(), Host(), Event()
    membership = Membership(
        env,  # type: ignore[arg-type]
        Member(0, "a", ""),
        host,  # type: ignore[arg-type]
        START,
        boot_timeout=10.0,
        restart=Restart(max=1, backoff=(0.0, 0.0)),
        on_limit=lambda error: limit.set(),
        vitals=Vitals(1.0, 3.0, None),
    )
    logging.getLogger("corps.managers").setLevel(logging.CRITICAL)
    try:
        membership._restarts.add(1, membership._restart)
        membership._begin(1, 0)
        host.refusals = [EnvStartError("planted", is_passing=is_passing) for _ in range(3)]
        ended = Exit(1, "pid 101", None, 9)
        failure = membership.failure_of(ended)
        assert failure is not None
        membership.env_ended(ended, failure)
        assert (host.has_replaced if is_passing else limit).wait(30)
    finally:
        logging.getLogger("corps.managers").setLevel(logging.NOTSET)
        membership.replace_no_more()
        env.alarms.close()
    assert len(host.refusals) == (0 if is_passing else 2)
    assert len(host.spawned) == (2 if is_passing else 1)


def test_of_a_process_that_has_ended_no_channel_and_no_file_is_left(tmp_path: Path) -> None:
    env, host = Env(), Host()
    there: Any = SimpleNamespace(runtime_dir=str(tmp_path))
    host.clear_after = LocalLauncher(there, main).clear_after  # type: ignore[method-assign]
    membership = Membership(
        env,  # type: ignore[arg-type]
        Member(0, "a", ""),
        host,  # type: ignore[arg-type]
        START,
        boot_timeout=10.0,
        restart=Restart(),
        on_limit=lambda error: None,
        vitals=Vitals(1.0, 3.0, None),
    )
    for env_id in (1, 2):
        place = membership._begin(env_id, 0)
        member = Member(env_id, str(env_id) * 32, "")
        place.ready = Ready(member, Interface("app:App", frozenset()), None, {})
        place.life.on(Move.INTRODUCE)
        place.life.on(Move.JOIN)
    for name in ("1-1.sock", "2-2.sock", f"{'1' * 12}-x.journal", f"{'2' * 12}-{'1' * 12}.journal"):
        tmp_path.joinpath(name).touch()
    membership.replace_no_more()
    ended = Exit(1, "pid 101", 0, None)
    failure = membership.failure_of(ended)
    assert failure is not None
    membership.env_ended(ended, failure)
    env.alarms.close()
    assert [process.channel.is_closed.is_set() for process in host.spawned] == [True, False]
    # The third one belongs to the other Env, which reads it to say what this one had begun.
    assert {path.name for path in tmp_path.iterdir()} == {"2-2.sock", f"{'2' * 12}-{'1' * 12}.journal"}
