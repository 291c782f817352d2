"""Claims about requests of one worker that run beside each other, over every path."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from threading import Condition, Lock, get_ident
from typing import Any, ClassVar

import pytest

import corps
from tests.integration.behaviour.paths import Way, local
from tests.integration.behaviour.workers import TENANT, Holder, Latch, tenant


class Shelf(corps.Conc):
    """Counts how many requests are inside at once. Threads run its methods."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._inside = 0
        self._most = 0
        self._log: list[str] = []

    def _meet(self, number: int) -> int:
        """Wait until so many threads have been here at the same time."""
        with self._changed:
            self._inside += 1
            self._most = max(self._most, self._inside)
            self._changed.notify_all()
            assert self._changed.wait_for(lambda: self._most >= number, 20)
            self._inside -= 1
            return self._most

    @corps.readonly
    def look(self, number: int = 1) -> int:
        return self._meet(number)

    @corps.readonly
    def look_and_hold(self, latch: corps.Name[Latch]) -> str:
        self._log.append("holds")
        latch.arrive.send()
        latch.wait().result()
        self._log.append("held")
        return "held"

    @corps.readonly
    async def look_softly(self, latch: corps.Name[Latch]) -> str:
        latch.arrive.send()
        return str(await latch.wait())

    @corps.readonly
    def pages(self, number: int) -> Iterator[int]:
        yield from range(number)

    @corps.readonly
    def fail(self, error: Exception) -> None:
        raise error

    @corps.readonly
    def create_child(self) -> corps.Name[Holder]:
        return corps.create(Holder)

    def write(self) -> list[str]:
        self._log.append("writes")
        return list(self._log)

    def children(self) -> int:
        return len(self.my_children())


class Inn(corps.Conc):
    """One method waits; another, marked, may begin meanwhile."""

    def __init__(self) -> None:
        self._opened = asyncio.Event()
        self.log: list[str] = []

    async def stay(self, latch: corps.Name[Latch]) -> list[str]:
        self.log.append("stays")
        latch.arrive.send()
        await self._opened.wait()
        return [*self.log, "goes"]

    @corps.interleave
    async def let_go(self) -> None:
        self.log.append("lets go")
        self._opened.set()

    @corps.interleave
    async def meet(self, latch: corps.Name[Latch], number: int) -> str:
        await latch.arrive()
        await latch.arrived(number)
        return "met"

    async def call_back(self, other: corps.Name[Any]) -> str:
        return str(await other.ask(self.my_name()))

    @corps.interleave
    async def answer(self) -> str:
        return "answered"

    async def plain_answer(self) -> str:
        return "answered"


class Asker(corps.Conc):
    def ask(self, name: corps.Name[Any], method: str = "answer") -> str:
        return str(getattr(name, method)().ret)


class Host(corps.Conc):
    """Gives up its turn."""

    def __init__(self) -> None:
        self.log: list[str] = []

    async def step_aside(self, latch: corps.Name[Latch]) -> list[str]:
        self.log.append("in")
        async with self.my_turn_given_up():
            latch.arrive.send()
            await latch.wait()
        self.log.append("back")
        await asyncio.sleep(0)
        return list(self.log)

    def note(self, text: str) -> None:
        self.log.append(text)

    def hold(self, latch: corps.Name[Latch]) -> None:
        latch.arrive.send()
        latch.wait().result()
        self.log.append("held")

    async def call_back(self, other: corps.Name[Any]) -> str:
        async with self.my_turn_given_up():
            return str(await other.ask(self.my_name()))

    def answer(self) -> str:
        return "answered"

    async def twice(self) -> str:
        async with self.my_turn_given_up():
            try:
                async with self.my_turn_given_up():
                    return "entered"
            except corps.ContextError as error:
                return str(error)

    async def in_a_task(self) -> str:
        async def enter() -> str:
            try:
                async with self.my_turn_given_up():
                    return "entered"
            except corps.ContextError as error:
                return str(error)

        return await asyncio.create_task(enter())

    async def fail_aside(self, latch: corps.Name[Latch]) -> None:
        async with self.my_turn_given_up():
            latch.arrive.send()
            await latch.wait()
            raise ValueError("aside")

    def enter_plainly(self) -> str:
        try:
            self.my_turn_given_up().__aenter__().send(None)
        except corps.ContextError as error:
            return str(error)
        return "entered"


# --- readonly ---


def test_methods_that_change_nothing_run_beside_each_other(way: Way) -> None:
    shelf = way.create(Shelf)
    assert corps.gather(*[shelf.look(3) for _ in range(3)]).ret == [3, 3, 3]


def test_no_writing_method_runs_beside_a_reading_one(way: Way) -> None:
    shelf, latch = way.create(Shelf), way.create(Latch)
    reading = [shelf.look_and_hold(latch) for _ in range(2)]
    latch.arrived(2).result()
    writing, behind = shelf.write(), shelf.look_and_hold(latch)
    latch.open().result()
    assert corps.gather(*reading, behind).ret == ["held"] * 3
    assert writing.ret == ["holds", "holds", "held", "held", "writes"]


def test_a_coroutine_that_changes_nothing_runs_beside_threads_that_do_not(way: Way) -> None:
    shelf, latch = way.create(Shelf), way.create(Latch)
    waiting = [shelf.look_softly(latch), shelf.look_and_hold(latch)]
    latch.arrived(2).result()
    latch.open().result()
    assert corps.gather(*waiting).ret == ["opened", "held"]


def test_a_reading_method_gives_an_iterator_and_errors_as_others_do(way: Way) -> None:
    shelf = way.create(Shelf)
    assert list(shelf.pages(4).ret) == [0, 1, 2, 3]
    with pytest.raises(KeyError) as caught:
        shelf.fail(KeyError("gone")).result()
    assert isinstance(caught.value, corps.RemoteError)
    with pytest.raises(corps.Fail):
        shelf.fail(corps.Fail("on purpose")).result()
    corps.watch(shelf).result(20)


def test_what_a_reading_method_creates_belongs_to_its_worker(way: Way) -> None:
    shelf = way.create(Shelf)
    shelf.create_child().result()
    assert shelf.children().ret == 1


def test_a_worker_ends_in_order_while_reading_methods_run(way: Way) -> None:
    shelf, latch = way.create(Shelf), way.create(Latch)
    reading = shelf.look_and_hold(latch)
    latch.arrived().result()
    waiting = shelf.write()
    ended = shelf.exit()
    with pytest.raises(corps.WorkerGone) as caught:
        waiting.result()
    assert caught.value.executed == "no"
    latch.open().result()
    assert reading.ret == "held"
    ended.result()


def test_a_worker_that_is_killed_answers_all_that_it_ran(way: Way) -> None:
    shelf, latch = way.create(Shelf), way.create(Latch)
    reading = [shelf.look_and_hold(latch) for _ in range(2)]
    latch.arrived(2).result()
    shelf.kill().result()
    for future in reading:
        with pytest.raises(corps.WorkerGone) as caught:
            future.result()
        assert caught.value.executed == "unknown"
    latch.open().result()


def test_a_request_that_waits_behind_a_reading_one_is_cancelled_before_it_begins(way: Way) -> None:
    shelf, latch = way.create(Shelf), way.create(Latch)
    reading = shelf.look_and_hold(latch)
    latch.arrived().result()
    writing = shelf.write()
    assert writing.cancel()
    latch.open().result()
    reading.result()
    assert "writes" not in shelf.write().ret[:-1]


# --- interleave, by method ---


def test_a_marked_coroutine_begins_while_another_one_awaits(way: Way) -> None:
    inn, latch = way.create(Inn), way.create(Latch)
    staying = inn.stay(latch)
    latch.arrived().result()
    inn.let_go().result()
    assert staying.ret == ["stays", "lets go", "goes"]


def test_marked_coroutines_run_beside_each_other(way: Way) -> None:
    inn, latch = way.create(Inn), way.create(Latch)
    assert corps.gather(*[inn.meet(latch, 3) for _ in range(3)]).ret == ["met"] * 3


def test_unmarked_coroutines_run_one_after_the_other(way: Way) -> None:
    inn, latch = way.create(Inn), way.create(Latch)
    first = inn.stay(latch)
    latch.arrived().result()
    second = inn.stay(latch)
    assert not second.done()
    inn.let_go().result()
    first.result()
    second.result()


def test_a_coroutine_may_wait_for_a_marked_one_of_its_own_worker_and_for_no_other(way: Way) -> None:
    inn, asker = way.create(Inn), way.create_far(Asker)
    assert inn.call_back(asker).result(20) == "answered"

    class Wrong(Inn):
        async def call_back(self, other: corps.Name[Any]) -> str:
            return str(await other.ask(self.my_name(), "plain_answer"))

    with pytest.raises(corps.DeadlockError):
        way.create(Wrong).call_back(asker).result(20)


# --- my_turn_given_up ---


def test_others_run_while_a_coroutine_has_given_up_its_turn(way: Way) -> None:
    host, latch = way.create(Host), way.create(Latch)
    aside = host.step_aside(latch)
    latch.arrived().result()
    host.note("meanwhile").result()
    latch.open().result()
    assert aside.ret == ["in", "meanwhile", "back"]


def test_a_coroutine_comes_back_when_what_runs_is_over(way: Way) -> None:
    host, first, second = way.create(Host), way.create(Latch), way.create(Latch)
    aside = host.step_aside(first)
    first.arrived().result()
    holding = host.hold(second)
    second.arrived().result()
    first.open().result()
    waiting = host.note("behind")
    second.open().result()
    holding.result()
    assert aside.ret == ["in", "held", "back"]
    waiting.result()


def test_a_coroutine_that_has_given_up_its_turn_may_be_called_back(way: Way) -> None:
    host, asker = way.create(Host), way.create_far(Asker)
    assert host.call_back(asker).result(20) == "answered"


def test_a_turn_is_given_up_once_and_by_the_coroutine_of_the_request_alone(way: Way) -> None:
    host = way.create(Host)
    assert "already" in host.twice().ret
    assert "async def" in host.in_a_task().ret
    assert "async def" in host.enter_plainly().ret


def test_an_error_in_the_block_leaves_it_with_the_turn_back(way: Way) -> None:
    host, latch = way.create(Host), way.create(Latch)
    failing = host.fail_aside(latch)
    latch.arrived().result()
    latch.open().result()
    with pytest.raises(ValueError, match="aside"):
        failing.result()
    host.note("alive").result()


def test_the_end_of_a_worker_waits_for_a_coroutine_that_has_given_up_its_turn() -> None:
    with local({"exit_timeout": 20}) as way:
        host, latch = way.create(Host), way.create(Latch)
        aside = host.step_aside(latch)
        latch.arrived().result()
        ended = host.exit()
        latch.open().result()
        assert aside.result(20) == ["in", "back"]
        ended.result(20)


def test_a_coroutine_aside_is_cancelled_by_its_caller_and_by_a_kill(way: Way) -> None:
    host, latch = way.create(Host), way.create(Latch)
    aside = host.step_aside(latch)
    latch.arrived().result()
    assert aside.cancel()
    host.note("goes on").result()
    other = host.step_aside(latch)
    latch.arrived(2).result()
    host.kill().result()
    with pytest.raises(corps.WorkerGone):
        other.result()


class Lobby(corps.Conc):
    """Its coroutines interleave by their marks, and give up their turn besides."""

    @corps.interleave
    async def stay(self, latch: corps.Name[Latch]) -> str:
        await latch.arrive()
        return str(await latch.wait())

    @corps.interleave
    async def step_aside(self, latch: corps.Name[Latch]) -> str:
        async with self.my_turn_given_up():
            await latch.arrive()
            return str(await latch.wait())

    def look(self) -> str:
        return "looked"


def test_a_coroutine_comes_back_beside_those_that_it_goes_with(way: Way) -> None:
    lobby, first, second = way.create(Lobby), way.create(Latch), way.create(Latch)
    aside, staying = lobby.step_aside(first), lobby.stay(second)
    first.arrived().result()
    second.arrived().result()
    first.open().result()
    assert aside.result(20) == "opened"
    assert not staying.done()
    second.open().result()
    assert staying.result(20) == "opened"
    assert lobby.look().result(20) == "looked"


def test_a_plain_method_waits_for_a_coroutine_that_has_come_back(way: Way) -> None:
    first, second = way.create(Latch), way.create(Latch)

    class Both(Host):
        async def aside_and_on(self, first: corps.Name[Latch], second: corps.Name[Latch]) -> list[str]:
            async with self.my_turn_given_up():
                await first.arrive()
                await first.wait()
            await second.arrive()
            await second.wait()
            self.log.append("over")
            return list(self.log)

    host = way.create(Both)
    on = host.aside_and_on(first, second)
    first.arrived().result()
    host.note("meanwhile").result()
    first.open().result()
    second.arrived().result()
    late = host.note("late")
    second.open().result()
    assert on.ret == ["meanwhile", "over"]
    late.result()


class Kept(corps.Conc):
    """Has a step of each request, keeps its state, and reads beside it."""

    restart: ClassVar[corps.Restart | None] = corps.Restart()
    keep_every = 0

    def __init__(self) -> None:
        self._words: list[str] = []
        self._seen = 0

    def before(self, request: corps.Request) -> None:
        self._seen += 1

    def keep_state(self) -> list[str]:
        return self._words

    def after_restart(self, state: Any) -> None:
        self._words = state or []

    def add(self, word: str) -> None:
        self._words.append(word)

    @corps.readonly
    def words(self, latch: corps.Name[Latch], number: int) -> list[str]:
        latch.arrive().result()
        latch.arrived(number).result()
        return list(self._words)

    def fail(self) -> None:
        raise corps.Fail("on purpose")


def test_reading_methods_of_a_class_with_steps_run_beside_each_other_too(way: Way) -> None:
    kept, latch = way.create(Kept), way.create(Latch)
    kept.add("a").result()
    assert corps.gather(*[kept.words(latch, 2) for _ in range(2)]).result(20) == [["a"], ["a"]]
    with pytest.raises(corps.Fail):
        kept.fail().result()
    assert kept.words(latch, 1).result(20) == ["a"]


# --- hooks that are awaited ---


class Opened(corps.Conc):
    restart: ClassVar[corps.Restart | None] = corps.Restart()

    def __init__(self, witness: corps.Name[Holder]) -> None:
        self._witness = witness
        self._is_open = False

    async def start(self) -> None:
        await self._witness.note("start")
        self._is_open = True

    async def before_restart(self, error: BaseException | None) -> None:
        await asyncio.sleep(0)
        await self._witness.note(f"before_restart {type(error).__name__}")

    async def cleanup(self) -> None:
        await asyncio.sleep(0)
        await self._witness.note("cleanup")

    def is_open(self) -> bool:
        return self._is_open

    def fail(self) -> None:
        raise corps.Fail("on purpose")


def test_hooks_may_be_coroutines(way: Way) -> None:
    witness = way.create(Holder)
    worker = way.create(Opened, witness)
    assert worker.is_open().ret
    with pytest.raises(corps.Fail):
        worker.fail().result()
    assert worker.is_open().result(20)
    worker.exit().result()
    assert witness.log.ret == ["start", "before_restart Fail", "start", "cleanup"]
    with pytest.raises(corps.NoSuchMethod):
        worker.start()


def test_what_start_raises_fails_the_creation(way: Way) -> None:
    class Broken(corps.Conc):
        async def start(self) -> None:
            await asyncio.sleep(0)
            raise KeyError("no start")

    with pytest.raises(KeyError, match="no start") as caught:
        way.create(Broken)
    assert isinstance(caught.value, corps.RemoteError)


def test_a_coroutine_creates_a_worker_whose_start_is_awaited(way: Way) -> None:
    class Creator(corps.Conc):
        async def make(self, witness: corps.Name[Holder]) -> bool:
            made = await corps.options(env="here").create_nowait(Opened, witness)
            return bool(await made.is_open())

    assert way.create(Creator).make(way.create(Holder)).result(20)


def test_a_cleanup_that_takes_too_long_is_cancelled(way: Way) -> None:
    class Slow(corps.Conc):
        def __init__(self, witness: corps.Name[Holder]) -> None:
            self._witness = witness

        async def cleanup(self) -> None:
            try:
                await asyncio.Event().wait()
            finally:
                self._witness.note.send("cancelled")

    witness = way.create(Holder)
    with pytest.raises(corps.RequestError):
        way.create(Slow, witness).exit().result()
    assert witness.log.ret == ["cancelled"]


# --- Funcs ---


def meet(latch: corps.Name[Latch], number: int) -> int:
    latch.arrive().result()
    latch.arrived(number).result()
    return get_ident()


async def meet_softly(latch: corps.Name[Latch], number: int) -> None:
    await latch.arrive()
    await latch.arrived(number)


def count(number: int) -> Iterator[int]:
    yield from range(number)


async def count_softly(number: int) -> AsyncIterator[int]:
    for each in range(number):
        await asyncio.sleep(0)
        yield each


def hold(latch: corps.Name[Latch]) -> str:
    latch.arrive.send()
    return str(latch.wait().ret)


def test_functions_run_beside_each_other(way: Way) -> None:
    both, latch = way.options().create_funcs(meet, meet_softly), way.create(Latch)
    met = [both.meet(latch, 4), both.meet_softly(latch, 4), both.meet(latch, 4), both.meet_softly(latch, 4)]
    corps.wait_all(met)
    assert met[0].ret != met[2].ret


def test_generator_functions_give_iterators_that_several_may_pull(way: Way) -> None:
    counts = way.options().create_funcs(count, count_softly)
    iterators = corps.gather(counts.count(5), counts.count_softly(5), counts.count(3)).ret
    assert [list(iterator) for iterator in iterators] == [list(range(5)), list(range(5)), list(range(3))]


def test_at_most_so_many_functions_run_and_the_rest_waits_in_order(way: Way) -> None:
    def note(number: int) -> int:
        return number

    funcs, latch = way.options(at_once=2).create_funcs(hold, note), way.create(Latch)
    holding = [funcs.hold(latch) for _ in range(2)]
    latch.arrived(2).result()
    waiting = [funcs.note(number) for number in range(3)]
    assert waiting[1].cancel()
    assert not waiting[0].done()
    latch.open().result()
    assert corps.gather(*holding, waiting[0], waiting[2]).ret == ["opened", "opened", 0, 2]


def test_a_function_may_ask_its_own_worker_while_there_is_room(way: Way) -> None:
    def ask(name: corps.Name[Any]) -> str:
        return str(name.answer().ret)

    def answer() -> str:
        return "answered"

    funcs = way.options(at_once=2).create_funcs(ask, answer)
    assert funcs.ask(funcs).result(20) == "answered"
    many = way.options(at_once=9).create_funcs(ask, answer)
    assert corps.gather(*[many.ask(many) for _ in range(8)]).result(20) == ["answered"] * 8
    alone = way.options(at_once=1).create_funcs(ask, answer)
    with pytest.raises(corps.DeadlockError):
        alone.ask(alone).result(20)


def test_errors_deadlines_and_ends_are_those_of_other_workers(way: Way) -> None:
    def fail() -> None:
        raise KeyError("gone")

    funcs, latch, other = way.options().create_funcs(hold, fail), way.create(Latch), way.create(Latch)
    with pytest.raises(KeyError):
        funcs.fail().result()
    with pytest.raises(corps.DeadlineExceeded):  # before it begins, or afterwards
        funcs.options(deadline=0.05).hold(other).result()
    with pytest.raises(corps.NoSuchMethod):
        funcs.nothing().result()
    holding = funcs.hold(latch)
    latch.arrived().result()
    ended = funcs.exit()
    other.open().result()
    latch.open().result()
    assert holding.ret == "opened"
    ended.result()
    with pytest.raises(corps.WorkerGone):
        funcs.hold(latch).result()


class Tools(corps.Funcs):
    at_once = 4
    known: ClassVar[list[str]] = []

    def start() -> None:  # type: ignore[misc]
        Tools.known.append("start")

    def learn(word: str) -> list[str]:  # type: ignore[misc]  # noqa: N805
        Tools.known.append(word)
        return list(Tools.known)

    async def learn_softly(word: str) -> list[str]:  # type: ignore[misc]  # noqa: N805
        await asyncio.sleep(0)
        return Tools.learn(word)

    def cleanup() -> None:  # type: ignore[misc]
        Tools.known.clear()


def test_a_class_of_functions_has_what_they_share_in_it(way: Way) -> None:
    tools = way.create(Tools)
    assert tools.learn("a").ret == ["start", "a"]
    assert tools.learn_softly("b").ret == ["start", "a", "b"]
    tools.exit().result()
    again = way.create(Tools)
    assert again.learn("c").ret == ["start", "c"]
    again.exit().result()


def test_what_cannot_be_packed_is_refused_before_anything_is_created(way: Way) -> None:
    if way.is_local:
        pytest.skip("nothing is packed inside an Env")
    lock = Lock()

    def locked() -> bool:
        return lock.locked()

    with pytest.raises(corps.PackError, match="lock"):
        way.options().create_funcs(locked)
    asked = corps.func(locked).ask()
    with pytest.raises(corps.PackError):
        asked.result(20)


def test_context_variables_travel_to_functions_and_stay_apart(way: Way) -> None:
    funcs, latch = way.options().create_funcs(tenant), way.create(Latch)
    futures = []
    for name in ("ann", "bert"):
        token = TENANT.set(name)
        futures.append(funcs.tenant(latch, 2))
        TENANT.reset(token)
    assert corps.gather(*futures).result(20) == ["ann", "bert"]
    assert funcs.tenant(latch, 1).ret == "nobody"


def test_what_a_function_creates_belongs_to_its_worker(way: Way) -> None:
    def make() -> corps.Name[Holder]:
        return corps.create(Holder)

    funcs = way.options().create_funcs(make)
    made = corps.gather(funcs.make(), funcs.make()).ret
    assert {name.my_mgr().ret for name in made} == {funcs}
    funcs.exit().result()
    for name in made:
        assert isinstance(name.note("x").exception(), corps.WorkerGone)


def test_a_worker_of_functions_comes_back_when_it_fails(way: Way) -> None:
    def fail() -> None:
        raise corps.Fail("on purpose")

    def answer() -> str:
        return "answered"

    funcs = way.options(restart=corps.Restart()).create_funcs(fail, answer)
    with pytest.raises(corps.Fail):
        funcs.fail().result()
    assert funcs.answer().result(20) == "answered"


async def soft() -> str:
    await asyncio.sleep(0.001)
    return "soft"


class Waiter(corps.Conc):
    def ask_and_leave(self, funcs: corps.Name[Any], latch: corps.Name[Latch]) -> str:
        future = funcs.soft()
        funcs.hold.send(latch)
        return str(future.ret)  # this thread may run what it waits for


def test_a_thread_that_waits_for_one_function_runs_no_other_one(way: Way) -> None:
    funcs, waiter = way.options().create_funcs(soft, hold), way.create(Waiter)
    for _ in range(20):
        latch = way.create(Latch)
        assert waiter.ask_and_leave(funcs, latch).result(20) == "soft"
        latch.open().result()
