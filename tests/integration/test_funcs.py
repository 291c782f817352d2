"""Claims about functions in several Envs behind one Name, and what becomes of them when an Env dies."""

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextvars import copy_context
from pathlib import Path
from typing import Any, ClassVar

import pytest

import corps

LIMIT = 30.0


def pid() -> int:
    return os.getpid()


def work(log: str, number: int) -> int:
    """Write down that this number is worked at, which takes a while."""
    with Path(log).open("a") as file:
        file.write(f"{number}\n")
    time.sleep(0.005)
    return number


def wait_for(path: str) -> int:
    while not Path(path).exists():
        threading.Event().wait(0.01)
    return os.getpid()


class Echo(corps.Conc):
    def pid(self) -> int:
        return os.getpid()

    def of(self, user: str, more: int = 0) -> int:
        return os.getpid()


class App(corps.Corps):
    def __init__(self) -> None:
        self.pool = corps.options(at_once=2).replicate_funcs(1, pid, work, wait_for)
        self.group = corps.options().replicate(2, Echo)

    def funcs(self) -> corps.Name[Any]:
        return self.pool

    def any(self, routing: Any = "local", key: Any = None) -> corps.Name[Echo]:
        return self.group.any_by(routing, key=key)

    def pids_of_all(self) -> list[int]:
        return self.group.gather.pid().ret  # type: ignore[no-any-return]

    def near(self, env: int) -> corps.Name["Near"]:
        return corps.options(env=env).create(Near, self.pool)


class Near(corps.Conc):
    """Uses the Name of any function from an Env that has functions itself."""

    def __init__(self, pool: corps.Name[Any]) -> None:
        self._pool = pool

    def pids(self, number: int) -> tuple[int, list[int]]:
        return os.getpid(), [self._pool.pid().ret for _ in range(number)]

    def while_full(self, path: str) -> tuple[int, list[int]]:
        """Fill the functions of this Env, and see where further ones run."""
        filling = [self._pool.wait_for(path) for _ in range(2)]
        pids = [self._pool.pid().ret for _ in range(10)]
        Path(path).touch()
        return os.getpid(), [*pids, *{future.ret for future in filling}]


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def test_a_call_goes_to_the_own_env_while_that_has_room_and_then_to_another(tmp_path: Path) -> None:
    with corps.boot(App, envs=2) as app:
        near = app.near(2).ret
        own, pids = near.pids(10).ret
        assert set(pids) == {own}
        own, pids = near.while_full(str(tmp_path / "go")).ret
        assert own not in pids[:10]
        assert pids[10:] == [own]


def test_a_key_reaches_the_same_worker_from_everywhere() -> None:
    with corps.boot(App, envs=2) as app:
        by_user, by_place = app.any(key="user").ret, app.any("round", key=0).ret
        for user in ("ann", "bert", "cleo"):
            found = {by_user.of(user).ret for _ in range(3)} | {by_user.of(more=1, user=user).ret}
            assert found == {by_place.of(user).ret}
        assert len({by_user.of(str(n)).ret for n in range(40)}) == 2
        in_turn = app.any("round").ret
        assert set(Counter(in_turn.pid().ret for _ in range(8)).values()) == {4}
        with pytest.raises(corps.ConfigError):
            app.any(key="colour").result()


def test_all_are_asked_and_an_env_that_comes_has_its_share() -> None:
    with corps.boot(App, envs=1) as app:
        pool = app.funcs().ret
        assert len(app.pids_of_all().ret) == 2
        assert len({pool.pid().ret for _ in range(20)}) == 1
        app.add_env().result(LIMIT)
        deadline = time.monotonic() + LIMIT
        while len({pool.pid().ret for _ in range(40)}) < 2:
            assert time.monotonic() < deadline
        assert len(app.pids_of_all().ret) == 4


def test_nothing_is_lost_and_nothing_runs_twice_when_an_env_dies_under_load(tmp_path: Path) -> None:
    log, number = tmp_path / "log", 400
    with corps.boot(App, envs=3) as app:
        pool = app.funcs().ret
        pids = sorted({pool.pid().ret for _ in range(60)})
        assert len(pids) == 3
        futures = [pool.work(str(log), n) for n in range(number)]
        corps.wait_any(futures)
        kill(pids[0])
        failed = []
        for n, future in enumerate(futures):
            try:
                assert future.result(LIMIT) == n
            except corps.EnvLost as error:
                failed.append((n, error.executed))
        assert "no" not in dict(failed).values()
        assert len(failed) <= 2  # what ran, at most two at once
        ran = Counter(map(int, log.read_text().split()))
        assert max(ran.values()) == 1
        assert set(range(number)) - ran.keys() <= dict(failed).keys()


def test_a_message_without_an_answer_is_not_lost_either(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with corps.boot(App, envs=2) as app:
        pool = app.funcs().ret
        pids = sorted({pool.pid().ret for _ in range(40)})
        for n in range(100):
            pool.work.send(str(log), n)
        kill(pids[0])
        deadline = time.monotonic() + LIMIT
        while not log.exists() or len(set(log.read_text().split())) < 98:
            assert time.monotonic() < deadline
            threading.Event().wait(0.05)
        assert max(Counter(log.read_text().split()).values()) == 1


def test_a_name_of_any_has_methods_alone_and_its_end_is_that_of_all() -> None:
    with corps.env() as env:
        group = env.options().replicate(3, Echo)
        name = group.any
        assert name == group.any
        assert "any Echo" in repr(name)
        assert name.options(deadline=5).pid().ret == os.getpid()
        with pytest.raises(corps.NoSuchMethod):
            getattr(name, "value")  # noqa: B009
        with pytest.raises(corps.NoSuchMethod):
            name.value = 1
        with pytest.raises(corps.NoSuchMethod):
            getattr(name, "pinned")  # noqa: B009
        for refused in (corps.watch, corps.register):
            with pytest.raises(corps.ConfigError, match="several workers"):
                refused(name)
        group.broadcast.pid()
        assert group.gather.pid().ret == [os.getpid()] * 3
        name.exit().result(LIMIT)
        with pytest.raises(corps.WorkerGone) as caught:
            name.pid().result()
        assert caught.value.executed == "no"
        assert group.names() == []


def test_a_worker_that_fails_is_waited_for_and_the_others_go_on() -> None:
    class Frail(corps.Conc):
        restart: ClassVar[corps.Restart | None] = corps.Restart(backoff=(0.01, 0.02))

        def fail(self) -> None:
            raise corps.Fail("on purpose")

        def pid(self) -> int:
            return os.getpid()

    with corps.env() as env:
        name = env.options().replicate(2, Frail).any
        with pytest.raises(corps.Fail):
            name.fail().result()
        assert corps.gather(*[name.pid() for _ in range(20)]).ret == [os.getpid()] * 20


async def ask(name: Any) -> int:
    own = await corps.options().create_funcs_nowait(pid)
    assert await own.pid() == os.getpid()
    answer: int = await corps.asking(name.pid)
    await name.pid.asend()
    return answer


def test_a_coroutine_asks_any() -> None:
    with corps.env() as env:
        asker = env.create_funcs(ask)
        assert asker.ask(env.options().replicate_funcs(2, pid)).result(LIMIT) == os.getpid()


# --- corps.func ---


@corps.func
def place(number: int) -> tuple[int, int]:
    return number, os.getpid()


@corps.func
async def later(number: int) -> int:
    return number + 1


@corps.func(at_once=2)
def items(number: int) -> Iterator[int]:
    yield from range(number)


@corps.func
@corps.idempotent
def again(path: str) -> int:
    """End its own process when it is run first."""
    if not Path(path).exists():
        Path(path).touch()
        kill(os.getpid())
    return os.getpid()


@corps.func
def broken() -> None:
    raise KeyError("on purpose")


class Asker(corps.Conc):
    restart: ClassVar[corps.Restart | None] = corps.Restart()

    def ask(self, number: int) -> tuple[int, int]:
        return place.ask(number).ret

    async def ask_softly(self, number: int) -> tuple[int, int]:
        return await place.ask(number)


class Asking(corps.Corps):
    def __init__(self) -> None:
        self.first = place.ask(0).ret
        self.askers = corps.options().create_per_env(1, Asker)

    def names(self) -> list[corps.Name[Asker]]:
        return self.askers

    def make(self) -> corps.Name[Asker]:
        return corps.options(where="corps", tag="made").create(Asker)

    def tags(self) -> list[str]:
        return [name.my_tag().ret for name in self.my_children()]


def test_a_function_stays_one_and_can_be_asked() -> None:
    assert place(1) == (1, os.getpid())
    assert place.__name__ == "place"
    with corps.env():
        assert place.ask(2).ret == (2, os.getpid())
        assert later.ask(2).ret == 3
        assert list(items.ask(3).ret) == [0, 1, 2]
        with pytest.raises(KeyError):
            broken.ask().result()
        place.send(3)
        captured = []

        @corps.func
        def local(x: int) -> None:
            captured.append(x)

        local.ask(4).result()
        assert captured == [4]


def test_all_who_ask_in_a_corps_meet_in_one_worker() -> None:
    with corps.boot(Asking, envs=2) as app:
        askers = app.names().ret
        pids = {place.ask(n).ret[1] for n in range(3)}
        pids |= {asker.ask(1).ret[1] for asker in askers} | {asker.ask_softly(1).ret[1] for asker in askers}
        assert len(pids) == 1
        assert os.getpid() not in pids
        asked: list[corps.Future[int]] = []

        def ask() -> None:
            asked.append(later.ask(1))

        # In this context, because other Envs may be open in this process.
        threads = [threading.Thread(target=copy_context().run, args=(ask,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert corps.gather(*asked).result(LIMIT) == [2] * 8
        assert len(corps.find_all(corps.Funcs)) == 2


def test_a_function_goes_on_in_another_process_after_the_death_of_its_own() -> None:
    with corps.boot(Asking, envs=2) as app:
        asker = app.names().ret[0]
        pid = place.ask(1).ret[1]
        kill(pid)
        deadline = time.monotonic() + LIMIT
        found = pid
        while found == pid:
            try:
                found = place.ask(1).result(LIMIT)[1]
            except corps.EnvLost:
                assert time.monotonic() < deadline
        assert asker.ask(2).result(LIMIT) == (2, found)


def test_what_is_idempotent_is_run_again_in_another_process(tmp_path: Path) -> None:
    with corps.boot(Asking, envs=2) as app:
        assert app.names().ret
        assert again.ask(str(tmp_path / "func")).result(LIMIT)
        group = corps.options().replicate_funcs(1, again=again.__wrapped__)
        assert group.again(str(tmp_path / "group")).result(LIMIT)


def test_a_worker_of_the_corps_outlives_the_one_that_has_created_it() -> None:
    with corps.boot(Asking, envs=2) as app:
        name = app.make().ret
        assert "made" in app.tags().ret
        assert corps.options(where="corps", tag="other").create(Echo).my_mgr().ret == app
        assert name.ask(3).ret[0] == 3
    with corps.env() as env:
        assert env.options(where="corps").create(Echo).pid().ret == os.getpid()
        with pytest.raises(corps.ConfigError):
            env.options(where="env")  # type: ignore[arg-type]


# --- groups of the Corps ---


class Maker(corps.Conc):
    """Makes groups that are not its own."""

    def funcs(self, tag: str, unique: bool = False) -> corps.Name[Any]:
        options = corps.options(where="corps", tag=tag, at_once=2, register="unique" if unique else True)
        return options.replicate_funcs(1, pid, wait_for)

    def group(self, tag: str = "", **properties: Any) -> tuple[int, int]:
        group = corps.options(where="corps", tag=tag, register=True, properties=properties or None).replicate(
            2, Echo
        )
        return len(group.names()), len(group.here())

    def failing(self) -> None:
        corps.options(where="corps").replicate(2, Unwilling)

    def find(self, tag: str, number: int = 20) -> set[int]:
        found = corps.find(tag)
        return {found.pid().ret for _ in range(number)}

    def each(self, tag: str) -> int:
        return len(corps.find_all(tag))


class Unwilling(corps.Conc):
    def __init__(self) -> None:
        if self.my_env() == 2:
            raise ValueError("not here")


class Empty(corps.Corps):
    """It has Envs."""

    def children(self) -> int:
        return len(self.my_children())


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_group_of_the_corps_outlives_its_maker_and_is_found_in_each_env(tmp_path: Path) -> None:
    with corps.boot(Empty, envs=2) as app:
        maker, other = (corps.options(env=env).create(Maker) for env in (1, 2))
        name = maker.funcs("stats").ret
        assert len(maker.find("stats").ret) == 1  # that of its own Env
        maker.exit().result()
        assert other.each("stats").ret == 2
        assert corps.find("stats") == name
        assert app.children().ret == 2
        own = other.find("stats").ret
        assert len(own) == 1
        both = {name.pid().ret for _ in range(60)}
        assert own < both  # the booting process has none: it takes either
        kill((both - own).pop())
        until(lambda: other.find("stats").ret == own and len({name.pid().ret for _ in range(60)}) == 2)
        app.add_env().result(LIMIT)
        until(lambda: len({corps.find("stats").pid().ret for _ in range(60)}) == 3)
        name.exit().result()
        until(lambda: app.children().ret == 0)
        # The copy of the Dirs in that Env hears of the ends a moment later.
        until(lambda: isinstance(other.find("stats").exception(LIMIT), corps.NotFound))


def test_a_group_of_the_corps_is_found_by_its_class_and_properties() -> None:
    with corps.boot(Empty, envs=2):
        maker = corps.options(env=1).create(Maker)
        assert maker.group(zone="a").ret == (4, 2)
        assert maker.group("b", zone="b").ret == (4, 2)
        assert corps.find(Echo, zone="a") != corps.find(Echo, tag="b")
        assert len(corps.find_all(Echo)) == 8
        assert len(corps.find_all(Echo, zone="b")) == 4
        assert len({corps.find(Echo, zone="b").pid().ret for _ in range(60)}) == 2


def test_a_unique_group_of_the_corps_refuses_another_one_and_leaves_nothing_of_that() -> None:
    with corps.boot(Empty, envs=2) as app:
        maker = corps.options(env=1).create(Maker)
        first = maker.funcs("stats", unique=True).ret
        with pytest.raises(corps.NameTaken):
            maker.funcs("stats", unique=True).result()
        with pytest.raises(corps.NameTaken):
            maker.funcs("stats").result()
        until(lambda: app.children().ret == 2)
        assert corps.find("stats") == first
        assert first.pid().ret


def test_a_group_of_which_one_worker_cannot_be_created_leaves_none() -> None:
    with corps.boot(Empty, envs=2) as app:
        maker = corps.options(env=1).create(Maker)
        with pytest.raises(ValueError, match="not here"):
            maker.failing().result()
        until(lambda: app.children().ret == 0)
        with pytest.raises(ValueError, match="not here"):
            corps.options().replicate(1, Unwilling)
        app.add_env().result(LIMIT)  # of which the groups that were not made hear no more
        until(lambda: app.children().ret == 0)
        assert corps.find_all(Unwilling) == []


def test_an_env_alone_has_groups_of_the_corps() -> None:
    with corps.env() as env:
        pool = env.options(where="corps", tag="stats").replicate_funcs(2, pid)
        assert env.find("stats") == pool
        assert pool.pid().ret == os.getpid()
        maker = env.create(Maker)
        assert maker.group("echo").ret == (2, 2)
        assert maker.find("echo").ret == {os.getpid()}
        maker.exit().result()
        assert env.find("echo").pid().ret == os.getpid()
        with pytest.raises(corps.ConfigError):
            env.options(where="corps", env=0).replicate(1, Echo)


# --- all places are taken ---


def deep(name: corps.Name[Any], depth: int) -> int:
    """Ask for another function of the same worker, and wait for it in its place."""
    return depth if depth <= 0 else name.deep(name, depth - 1).ret + 1


async def deep_softly(name: corps.Name[Any], depth: int) -> int:
    return depth if depth <= 0 else await name.deep_softly(name, depth - 1) + 1


def by_way_of(other: corps.Name["Between"], name: corps.Name[Any]) -> int:
    return corps.call(other, Between.ask, name).ret


class Between(corps.Conc):
    interleave: ClassVar[bool | int] = True

    async def ask(self, name: corps.Name[Any]) -> int:
        return await name.by_way_of(self.my_self(), name)  # type: ignore[no-any-return]


class Diver(corps.Conc):
    def dive(self, pool: "corps.Pool[Diver]", depth: int) -> int:
        return 0 if depth <= 0 else pool.submit(Diver.dive, pool, depth - 1).ret + 1


@pytest.mark.parametrize("places", [1, 2, 5])
@pytest.mark.parametrize("method", ["deep", "deep_softly"])
def test_functions_that_fill_all_places_and_wait_for_one_more_are_told(places: int, method: str) -> None:
    with corps.env() as env:
        name = env.options(at_once=places).create_funcs(deep, deep_softly)
        ask = getattr(name, method)
        assert ask(name, places - 1).result(LIMIT) == places - 1
        with pytest.raises(corps.DeadlockError) as caught:
            ask(name, places).result(LIMIT)
        assert len(caught.value.cycle) == 1
        assert ask(name, places - 1).result(LIMIT) == places - 1


def test_places_that_are_taken_by_way_of_other_workers_are_told() -> None:
    with corps.env() as env:
        name = env.options(at_once=3).create_funcs(by_way_of)
        with pytest.raises(corps.DeadlockError) as caught:
            name.by_way_of(env.create(Between), name).result(LIMIT)
        assert len(caught.value.cycle) == 2


def test_a_pool_whose_workers_all_wait_for_a_worker_of_it_is_told() -> None:
    with corps.env():
        pool = corps.pool(3, Diver)
        assert pool.submit(Diver.dive, pool, 2).result(LIMIT) == 2
        for _ in range(30):  # what is stuck goes on after an error, and takes the place of none
            with pytest.raises(corps.DeadlockError, match="the workers of the pool"):
                pool.submit(Diver.dive, pool, 3).result(LIMIT)
            assert pool.submit(Diver.dive, pool, 2).result(LIMIT) == 2


def test_one_function_that_goes_on_is_enough_for_those_that_wait_for_a_place(tmp_path: Path) -> None:
    path = tmp_path / "go"
    with corps.env() as env:
        name = env.options(at_once=3).create_funcs(deep, wait_for)
        ends = name.wait_for(str(path))
        deeper = name.deep(name, 2)  # its last one waits for a place that it gets in the end
        with pytest.raises(corps.WaitTimeout):
            deeper.result(0.3)
        path.touch()
        assert ends.result(LIMIT)
        assert deeper.result(LIMIT) == 2


# --- corps.pool ---


class Crew(corps.Conc):
    def __init__(self) -> None:
        self.most = 0

    def work(self, number: int, seconds: float = 0.0) -> tuple[int, int]:
        threading.Event().wait(seconds)
        return number, self.my_name()._addr.conc

    def log(self, path: str, number: int) -> int:
        return work(path, number)

    def busy(self, begun: str, path: str) -> int:
        Path(begun).touch()
        return wait_for(path)


def test_a_pool_gives_each_worker_one_request_at_a_time() -> None:
    with corps.env():
        pool = corps.pool(3, Crew)
        assert len(pool.names()) == 3
        futures = [pool.submit(Crew.work, n, 0.001) for n in range(60)]
        answers = corps.gather(*futures).result(LIMIT)
        assert [number for number, _ in answers] == list(range(60))
        assert len({worker for _, worker in answers}) == 3
        first: Any = pool.submit(Crew.work, 0)
        second: Any = pool.submit(Crew.work, first, 0.001)  # the value of a Future is the argument
        assert second.result(LIMIT)[0] == first.result(LIMIT)
        slow = [pool.submit(Crew.work, n, 0.2) for n in range(3)]
        waiting = pool.submit(Crew.work, 3)
        taken_back = pool.submit(Crew.work, 4)
        assert taken_back.cancel()
        assert waiting.result(LIMIT)[0] == 3
        assert corps.gather(*slow).result(LIMIT)
        with pytest.raises(corps.NoSuchMethod):
            pool.submit(Echo.of, 1)  # type: ignore[call-overload]
        pool.exit().result(LIMIT)
        with pytest.raises(corps.WorkerGone):
            pool.submit(Crew.work, 5).result(LIMIT)
    with pytest.raises(corps.ConfigError):
        corps.pool(0, Crew)


@pytest.mark.parametrize("has_envs", [False, True], ids=["one Env", "two Envs"])
def test_a_worker_whose_caller_has_given_up_is_not_idle_before_it_is_done(
    has_envs: bool, tmp_path: Path
) -> None:
    begun, path = tmp_path / "begun", tmp_path / "path"
    with corps.boot(App, envs=1) if has_envs else corps.env():
        pool = corps.pool(2, Crew)
        given_up = pool.submit(Crew.busy, str(begun), str(path))
        wait_for(str(begun))
        assert given_up.cancel()
        others = [pool.submit(Crew.work, n).result(LIMIT)[1] for n in range(5)]
        assert len(set(others)) == 1  # the first one runs still
        path.touch()
        slow = [pool.submit(Crew.work, n, 0.2) for n in range(4)]
        while len({future.result(LIMIT)[1] for future in slow}) < 2:  # its end is on its way
            slow = [pool.submit(Crew.work, n, 0.2) for n in range(4)]


def test_what_a_pool_cannot_send_fails_and_its_worker_is_free_again() -> None:
    with corps.boot(App, envs=1):
        pool = corps.pool(1, Crew)
        with pytest.raises(corps.PackError):
            pool.submit(Crew.log, threading.Lock(), 1).result(LIMIT)  # type: ignore[call-overload]
        assert pool.submit(Crew.work, 2).result(LIMIT)[0] == 2


class Noting:
    """Notes in which thread it is packed, and does not let that go on for a while."""

    def __init__(self, packed: list[str], go_on: threading.Event) -> None:
        self.packed, self.go_on = packed, go_on

    def __reduce__(self) -> tuple[Any, ...]:
        self.packed.append(threading.current_thread().name)
        assert self.go_on.wait(LIMIT)
        return int, (0,)


def test_what_waited_for_a_worker_of_a_pool_is_packed_by_no_thread_that_others_wait_for() -> None:
    packed: list[str] = []
    go_on = threading.Event()
    with corps.boot(App, envs=1):
        pool, other = corps.pool(1, Crew), corps.create(Crew)
        first = pool.submit(Crew.work, 1, 0.05)
        waiting: Any = pool.submit(Crew.work, Noting(packed, go_on))  # type: ignore[call-overload]
        assert first.result(LIMIT)[0] == 1
        assert other.work(2, 0.0).result(LIMIT)[0] == 2  # answers come, though it is not packed yet
        go_on.set()
        assert waiting.result(LIMIT)[0] == 0
    assert packed == ["env0-resender"]


def test_a_pool_loses_nothing_that_had_not_begun(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with corps.boot(App, envs=2) as app:
        pool = corps.pool(4, Crew)
        pids = app.pids_of_all().ret
        futures = [pool.submit(Crew.log, str(log), n) for n in range(200)]
        corps.wait_any(futures)
        kill(pids[0])
        failed = []
        for n, future in enumerate(futures):
            error = future.exception(LIMIT)
            if error is not None:
                failed.append((n, getattr(error, "executed", error)))
        assert "no" not in dict(failed).values()
        assert len(failed) <= 2  # what ran
        ran = Counter(map(int, log.read_text().split()))
        assert max(ran.values()) == 1
        assert set(range(200)) - ran.keys() <= dict(failed).keys()
