"""Claims about `corps.caller` and `corps.public`: what a method learns of who has asked it."""

import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

import corps
from corps.errors import ContextError, DefinitionError
from corps.workers.idempotence import idempotent


class Asked(corps.Conc):
    def plain(self) -> corps.Caller:
        return corps.caller()

    @corps.readonly
    def reading(self) -> corps.Caller:
        return corps.caller()

    async def coroutine(self) -> corps.Caller:
        return corps.caller()

    def items(self) -> Iterator[corps.Caller]:
        yield corps.caller()

    async def async_items(self) -> AsyncIterator[corps.Caller]:
        yield corps.caller()

    def in_thread(self) -> str:
        said: list[str] = []

        def ask() -> None:
            try:
                corps.caller()
            except ContextError as error:
                said.append(str(error))

        thread = threading.Thread(target=ask)
        thread.start()
        thread.join()
        return said[0]

    def of_another(self, other: "corps.Name[Asked]") -> corps.Caller:
        found: corps.Caller = other.plain().ret
        return found


class Early(corps.Conc):
    def __init__(self) -> None:
        corps.caller()


def test_every_kind_of_method_learns_that_its_owner_calls() -> None:
    with corps.env() as env:
        worker = env.create(Asked)
        own = worker.plain().ret
        assert (own.identity, own.key, own.is_own) == ("own", "", True)
        for answer in (worker.plain(), worker.reading(), worker.coroutine()):
            assert answer.ret == own
        assert list(worker.items().ret) == [own]
        assert list(worker.async_items().ret) == [own]
        assert worker.of_another(env.create(Asked)).ret.is_own
        assert env.create_funcs(corps.caller, asked=corps.caller).asked().ret == own


class Ahead(corps.Conc):
    def __init__(self) -> None:
        self.made = 0

    def items(self) -> Iterator[corps.Caller]:
        while True:
            self.made += 1
            yield corps.caller()

    async def async_items(self) -> AsyncIterator[corps.Caller]:
        while True:
            self.made += 1
            yield corps.caller()


@pytest.mark.parametrize("method", ["items", "async_items"])
def test_items_that_are_made_ahead_are_for_the_same_caller(method: str) -> None:
    with corps.env() as env:
        worker = env.create(Ahead)
        items = getattr(worker.options(prefetch=5), method)().ret
        first = next(items)
        while worker.made.ret < 6:  # those that are made while the consumer works
            pass
        assert [next(items) for _ in range(8)] == [first] * 8


def test_it_is_the_same_between_envs(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(
        "import corps\n"
        "class Worker(corps.Conc):\n"
        "    def ask(self):\n"
        "        return corps.caller()\n"
        "class App(corps.Corps):\n"
        "    def ask(self):\n"
        "        return corps.options(env=1).create(Worker).ask().ret, corps.caller()\n"
    )
    with corps.boot(tmp_path / "app.py", envs=1) as app:
        inner, outer = app.ask().ret
        assert inner == corps.Caller("own", inner.corps, "", True)
        assert len(inner.corps) == 16
        assert outer == corps.Caller("own", "", "", True)


def test_where_no_request_is_answered_it_is_an_error() -> None:
    with pytest.raises(ContextError, match="none is being answered here"):
        corps.caller()
    with corps.env() as env:
        with pytest.raises(ContextError, match="none is being answered here"):
            corps.caller()
        with pytest.raises(ContextError, match="none is being answered here"):
            env.create(Early)
        assert "none is being answered here" in env.create(Asked).in_thread().ret


class Some(corps.Conc):
    @corps.public
    def shown(self) -> None: ...

    @corps.public
    @staticmethod
    def static() -> None: ...

    @idempotent
    @corps.public
    async def both(self) -> None: ...

    def hidden(self) -> None: ...


class All(Some):
    public = True


class Fewer(All):
    public = False


def test_a_class_knows_which_of_its_methods_are_public() -> None:
    assert Some._corps_interface.public == {"shown", "static", "both"}
    assert All._corps_interface.public == {"shown", "static", "both", "hidden"}
    assert Fewer._corps_interface.public == Some._corps_interface.public
    assert Asked._corps_interface.public == frozenset()


def test_what_cannot_be_public_is_an_error_of_the_definition() -> None:
    def _hidden() -> None: ...

    for wrong in (_hidden, 5, Some, property(lambda self: None)):
        with pytest.raises(DefinitionError, match="public is for methods"):
            corps.public(wrong)  # type: ignore[type-var]
    with pytest.raises(DefinitionError, match="public is 'yes': it must be True or False"):

        class Wrong(corps.Conc):
            public = "yes"  # type: ignore[assignment]
