"""Claims about requests from a script to another Corps of the same user on the same host."""

import asyncio
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import corps
from tests.integration.other_corps import ROOT, OtherCorps, other_corps

INDEX = """
import time
import corps

class Shelf(corps.Conc):
    def __init__(self):
        self.books = []

    def put(self, book):
        self.books.append(book)
        return len(self.books)

    def all(self):
        return list(self.books)

class Index(corps.Corps):
    def __init__(self):
        self.asked = 0
        self.closed = 0
        self._shelf = corps.options(env=1).create(Shelf)
        self._kept = None

    def search(self, word):
        self.asked += 1
        return f"{word}!"

    def fail(self, text):
        raise KeyError(text)

    def echo(self, value):
        return value

    def sleep(self, seconds):
        time.sleep(seconds)

    def count(self, n):
        try:
            yield from range(n)
        finally:
            self.closed += 1

    async def acount(self, n):
        for i in range(n):
            yield i

    def shelf(self):
        return self._shelf

    def is_shelf(self, name):
        return name == self._shelf and hash(name) == hash(self._shelf)

    def fill(self, name, book):
        return name.put(book).result()

    def new_shelf(self):
        return corps.create(Shelf)

    def keep(self, name):
        self._kept = name

    def kept(self):
        return self._kept

    def call_kept(self, *args):
        return self._kept.hear(*args).result()

    def where(self):
        return self.my_env()

    def disconnect(self):
        return "the method of the Corps"
"""


class Listener(corps.Conc):
    """A worker of the script."""

    def __init__(self) -> None:
        self.heard: list[object] = []

    def hear(self, *words: object) -> int:
        self.heard.extend(words)
        return len(self.heard)


@pytest.fixture(scope="module")
def index_corps(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OtherCorps]:
    with other_corps(tmp_path_factory.mktemp("index"), INDEX, envs=2) as other:
        yield other


@pytest.fixture
def index(index_corps: OtherCorps) -> Iterator[Any]:
    with corps.connect(index_corps.record) as name:
        yield name


def test_a_script_calls_a_corps_that_it_did_not_boot(index: Any) -> None:
    before = index.asked.ret
    assert [index.search(word).ret for word in "ab"] == ["a!", "b!"]
    assert index.asked.ret == before + 2


def test_an_attribute_is_set(index: Any) -> None:
    index.asked = 100
    assert index.asked.ret == 100


def test_an_error_of_the_other_corps_is_that_of_the_author(index: Any) -> None:
    with pytest.raises(corps.RemoteError) as caught:
        index.fail("the shelf").result()
    assert isinstance(caught.value, KeyError)
    assert "the shelf" in str(caught.value)


def test_a_method_that_is_not_there_is_known_here(index: Any) -> None:
    with pytest.raises(corps.NoSuchMethod):
        index.nonsense()


def test_a_generator_gives_its_items(index: Any) -> None:
    assert list(index.count(20).ret) == list(range(20))
    assert list(index.acount(20).ret) == list(range(20))


def test_a_generator_that_is_given_up_is_closed_there(index: Any) -> None:
    before = index.closed.ret
    with index.count(1000).ret as items:
        assert next(items) == 0
    while index.closed.ret == before:
        pass


def test_the_generators_of_a_script_that_has_gone_are_closed(index_corps: OtherCorps, index: Any) -> None:
    before = index.closed.ret
    program = f"""
        import os
        from corps import connect
        index = connect({str(index_corps.record)!r})
        items = index.count(1000).ret
        next(items)
        print("has begun", flush=True)
        os.kill(os.getpid(), 9)
    """
    assert _run(program) == "has begun\n"
    while index.closed.ret == before:
        pass
    _run(f"from corps import connect; connect({str(index_corps.record)!r})")  # it removes what was left


def test_a_call_is_cancelled(index: Any) -> None:
    first = index.sleep(0.5)
    second = index.search("never")
    asked = index.asked
    assert second.cancel()
    first.result()
    asked.result()
    with pytest.raises(corps.Cancelled):
        second.result()


def test_a_deadline_passes(index: Any) -> None:
    with pytest.raises(corps.DeadlineExceeded):
        index.options(deadline=0.1).sleep(1.0).result()


def test_large_buffers_cross_both_ways(index: Any) -> None:
    data = bytearray(b"corps" * 1_000_000)
    assert index.echo(data).ret == data


def test_what_a_script_defines_crosses_by_value(index: Any) -> None:
    assert index.echo(_doubled).ret(21) == 42


def _doubled(number: int) -> int:
    return 2 * number


def test_a_worker_of_another_env_is_reached_directly(index: Any) -> None:
    shelf = index.new_shelf().ret
    assert [shelf.put(book).ret for book in "abc"] == [1, 2, 3]
    assert shelf.all().ret == ["a", "b", "c"]


def test_the_end_of_a_worker_is_heard_of(index: Any) -> None:
    shelf = index.new_shelf().ret
    watched = corps.watch(shelf)
    shelf.exit().result()
    assert watched.result(30).reason == "normal"
    with pytest.raises(corps.WorkerGone) as caught:
        shelf.all().result()
    assert caught.value.executed == "no"


def test_a_name_that_comes_home_is_the_local_one(index: Any) -> None:
    shelf = index.shelf().ret
    assert index.is_shelf(shelf).result()
    assert index.fill(shelf, "by its own Corps").ret
    assert index.shelf().ret == shelf


def test_a_worker_of_the_script_is_called_back(index: Any) -> None:
    listener = corps.create(Listener)
    index.keep(listener).result()
    assert index.call_kept("a", "b").ret == 2
    assert index.kept().ret == listener
    assert type(index.kept().ret._addr) is type(listener._addr)
    assert listener.heard.ret == ["a", "b"]


def test_a_message_without_an_answer_arrives(index: Any) -> None:
    before = index.asked.ret
    for _ in range(3000):  # more than there is room for at once
        index.search.send("x")
    assert index.asked.ret == before + 3000


def test_many_threads_ask_at_once(index: Any) -> None:
    got: list[str] = []

    def ask(word: str) -> None:
        got.extend(index.search(f"{word}{n}").ret for n in range(50))

    threads = [threading.Thread(target=ask, args=(word,)) for word in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == sorted(f"{word}{n}!" for word in "abcd" for n in range(50))


def test_coroutines_ask(index_corps: OtherCorps) -> None:
    async def ask() -> list[str]:
        async with corps.connect(index_corps.record) as index:
            return await asyncio.gather(*(_search(index, word) for word in "abc"))

    assert asyncio.run(ask()) == ["a!", "b!", "c!"]


async def _search(index: Any, word: str) -> str:
    found: str = await index.search(word)
    return found


def test_a_corps_whose_class_has_a_method_disconnect_keeps_it(index: Any) -> None:
    assert index.disconnect().ret == "the method of the Corps"


def test_a_worker_connects_with_the_env_that_it_has(index_corps: OtherCorps) -> None:
    class Asker(corps.Corps):
        def __init__(self, record: str) -> None:
            self.index: Any = corps.connect(record)

        def ask(self, word: str) -> object:
            return self.index.search(word).result()

        def shelf(self) -> object:
            return self.index.shelf().result()

        def fill(self, shelf: Any, book: str) -> object:
            return shelf.put(book).result()

    with corps.boot(Asker, str(index_corps.record), envs=1) as asker:
        assert asker.ask("word").ret == "word!"
        shelf = asker.shelf().ret  # from one Corps by way of another one to this Env of that
        assert shelf.put("x").ret == asker.fill(shelf, "y").ret - 1
        with corps.connect(index_corps.record) as index:
            assert index.is_shelf(shelf).result()


def test_a_corps_that_is_not_external_is_found_by_none_and_reached_by_names_alone(
    index_corps: OtherCorps, index: Any
) -> None:
    class Asker(corps.Corps):
        def hand_out(self, record: str) -> None:
            corps.connect(record).keep(self.my_name()).result()

        def hear(self, word: str) -> str:
            return f"heard {word}"

    with corps.boot(Asker, envs=1, tag="asker") as asker:
        asker.hand_out(str(index_corps.record)).result()
        assert index.call_kept("a word").ret == "heard a word"
        with pytest.raises(corps.NotFound):
            corps.connect("asker")


def test_a_program_ends_without_disconnecting(index_corps: OtherCorps) -> None:
    program = f"""
        from corps import connect
        print(connect({str(index_corps.record)!r}).search("x").ret)
    """
    assert _run(program) == "x!\n"


def _run(program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    return done.stdout


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(corps.NotFound, match=r"nothing\.json"):
        corps.connect(tmp_path / "nothing.json")
