"""Claims about undelivered requests: a worker that wants them gets them, and what was in them."""

from collections.abc import Iterator
from typing import Any, Final

import pytest

import corps

LIMIT: Final = 30.0


class Keeper(corps.Conc):
    """Takes what reaches nobody."""

    def __init__(self) -> None:
        self._taken: list[tuple[str, str, Any, Any]] = []
        self._wanted: list[tuple[int, corps.Promise[Any]]] = []

    def take(self, letter: corps.DeadLetter, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._taken.append((letter.reason, letter.method, args, kwargs))
        for n, promise in self._wanted:
            if n == len(self._taken):
                promise.set_result(list(self._taken))

    def taken(self, n: int) -> Any:
        """Return what has come, when there are so many."""
        if len(self._taken) >= n:
            return self._taken
        promise: corps.Promise[Any] = corps.Promise()
        self._wanted.append((n, promise))
        return promise

    def want_them(self) -> Any:
        return corps.aundelivered_to(self.my_name().take)


class Counter(corps.Conc):
    def add(self, n: Any, *, by: Any = None) -> Any:
        return n

    def hold(self, latch: corps.Name["Latch"]) -> None:
        latch.come.send()
        latch.opened().result()

    def ask(self, other: corps.Name[Any], value: Any) -> str:
        return type(other.add(value).failure()).__name__


class Latch(corps.Conc):
    def __init__(self) -> None:
        self._came: corps.Promise[None] = corps.Promise()
        self._open: corps.Promise[None] = corps.Promise()

    def come(self) -> None:
        self._came.set_result(None)

    def came(self) -> Any:
        return self._came

    def open(self) -> None:
        self._open.set_result(None)

    def opened(self) -> Any:
        return self._open


class App(corps.Corps):
    pass


@pytest.fixture(params=[0, 2])
def app(request: pytest.FixtureRequest) -> Iterator[Any]:
    """One Env, or a Corps of two."""
    if not request.param:
        with corps.env() as env:
            yield env
        return
    with corps.boot(App, envs=request.param) as app:
        yield app


def make(cls: type[Any], at: int = -1) -> corps.Name[Any]:
    envs = sorted(corps.envs())
    return corps.options(env=envs[at]).create(cls)


def taken(keeper: corps.Name[Any], n: int) -> Any:
    return corps.call(keeper, Keeper.taken, n).result(LIMIT)


def test_what_was_for_a_worker_that_has_ended_is_handed_on_with_its_arguments(app: Any) -> None:
    keeper, gone, other = make(Keeper, 0), make(Counter), make(Counter, 0)
    corps.undelivered_to(keeper.take)
    gone.exit().result(LIMIT)
    assert isinstance(gone.add([1, 2], by="me").failure(LIMIT), corps.WorkerGone)
    assert taken(keeper, 1) == [("ended", "add", ([1, 2],), {"by": "me"})]
    gone.add.send(3)
    assert taken(keeper, 2)[1] == ("ended", "add", (3,), {})
    assert other.ask(gone, "from a worker").result(LIMIT) == "WorkerGone"
    assert taken(keeper, 3)[2] == ("ended", "add", ("from a worker",), {})
    assert isinstance(gone.pinned.add(4).failure(LIMIT), corps.WorkerGone)
    assert taken(keeper, 4)[3] == ("ended", "add", (4,), {})
    assert [letter.method for letter in corps.dead_letters()][:1] == ["add"]  # the letters are there as ever


def test_what_waited_in_a_mailbox_is_handed_on(app: Any) -> None:
    latch, keeper, busy = make(Latch, 0), make(Keeper, 0), make(Counter)
    corps.undelivered_to(keeper.take)
    held = busy.hold(latch)
    latch.came().result(LIMIT)
    waiting = [busy.add(n) for n in range(3)]
    ended = busy.kill()
    assert all(isinstance(each.failure(LIMIT), corps.WorkerGone) for each in (held, *waiting))
    ended.result(LIMIT)
    assert sorted(taken(keeper, 3)) == [("dropped", "add", (n,), {}) for n in range(3)]
    latch.open().result(LIMIT)


def test_nothing_is_handed_on_before_it_is_wanted_nor_afterwards(app: Any) -> None:
    keeper, gone = make(Keeper), make(Counter)
    gone.exit().result(LIMIT)
    gone.add(1).failure(LIMIT)
    corps.undelivered_to(keeper.take)
    gone.add(2).failure(LIMIT)
    assert taken(keeper, 1) == [("ended", "add", (2,), {})]
    corps.undelivered_to(None)
    gone.add(3).failure(LIMIT)
    corps.undelivered_to(keeper.take)
    gone.add(4).failure(LIMIT)
    assert [each[2] for each in taken(keeper, 2)] == [(2,), (4,)]


def test_one_worker_gets_them_and_another_one_may_when_that_has_ended(app: Any) -> None:
    keeper, other, gone = make(Keeper), make(Keeper, 0), make(Counter)
    corps.call(keeper, Keeper.want_them).result(LIMIT)
    with pytest.raises(corps.NameTaken):
        corps.undelivered_to(other.take)
    keeper.exit().result(LIMIT)
    keeper.take(None, (), {}).failure(LIMIT)  # those for itself go to nobody
    corps.undelivered_to(other.take)
    gone.exit().result(LIMIT)
    gone.add(5).failure(LIMIT)
    assert taken(other, 1) == [("ended", "add", (5,), {})]


def test_contents_that_cannot_be_unpacked_are_logged_and_stop_nothing(app: Any) -> None:
    keeper, gone = make(Keeper, 0), make(Counter)
    corps.undelivered_to(keeper.take)
    gone.exit().result(LIMIT)
    gone.add(Broken()).failure(LIMIT)
    gone.add(1).failure(LIMIT)
    while not any(each[2] == (1,) for each in taken(keeper, 1)):
        pass


class Broken:
    def __setstate__(self, state: Any) -> None:
        raise ValueError("it cannot be")

    def __getstate__(self) -> Any:
        return 1


@pytest.mark.parametrize("wrong", [1, "name", lambda letter: None])
def test_what_is_no_method_of_a_name_is_refused(wrong: Any) -> None:
    with corps.env(), pytest.raises(corps.ConfigError, match="wants a method of a worker's Name"):
        corps.undelivered_to(wrong)
