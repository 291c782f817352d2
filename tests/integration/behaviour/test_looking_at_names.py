"""Claims about looking at Names: it shows what the author wrote, and asks the worker nothing."""

import asyncio
import concurrent.futures
import inspect
import pickle
import pydoc
import threading
from typing import Any

import corps
from tests.integration.behaviour.paths import Way


class Seen(corps.Conc):
    """Counts the requests that reach it."""

    def __init__(self) -> None:
        self.requests = -1  # the one that reads it does not count
        self.value = 7

    def before(self, request: corps.Request) -> None:
        self.requests += 1

    def add(self, n: int = 1, *, twice: bool = False) -> int:
        """Add to the value."""
        self.value += n
        return self.value

    @staticmethod
    def fixed(text: str) -> str:
        """Give the text."""
        return text

    @classmethod
    def of_class(cls, text: str) -> str:
        return text


def test_nothing_is_sent_by_what_only_looks(way: Way) -> None:
    seen = way.create(Seen)
    assert hasattr(seen, "value")
    assert hasattr(seen, "no_such_attribute")
    assert not hasattr(seen, "_repr_html_")
    for attribute in ("getdoc", "value", "shape"):
        repr(getattr(seen, attribute))
    inspect.getdoc(seen)
    dir(seen)
    pydoc.render_doc(seen)
    pydoc.render_doc(seen.add)
    assert seen.requests.ret == 0


def test_the_authors_signature_and_text_are_shown(way: Way) -> None:
    seen = way.create(Seen)
    assert str(inspect.signature(seen.add)) == "(n: int = 1, *, twice: bool = False) -> int"
    assert (seen.add.__name__, seen.add.__qualname__, seen.add.__doc__) == (
        "add",
        "Seen.add",
        "Add to the value.",
    )
    assert str(inspect.signature(seen.fixed)) == str(inspect.signature(seen.of_class)) == "(text: str) -> str"
    assert "(n: int = 1, *, twice: bool = False) -> int" in pydoc.plain(pydoc.render_doc(seen.add))
    again = pickle.loads(pickle.dumps(seen))  # by its class, which is loaded here
    assert inspect.getdoc(again.fixed) == "Give the text."
    assert sorted(dir(seen)) == sorted(set(dir(seen)))


def test_a_method_of_a_class_that_is_not_loaded_has_its_name_at_least(way: Way) -> None:
    packed = pickle.dumps(way.create(Seen)).replace(b":Seen", b":Gone")
    gone = pickle.loads(packed)
    assert (gone.add.__name__, gone.add.__doc__) == ("add", None)
    assert "add" in pydoc.plain(pydoc.render_doc(gone.add))


def test_attributes_are_read_in_turn_although_they_are_asked_for_late(way: Way) -> None:
    seen = way.create(Seen)
    before, _ = seen.value, seen.add.send(1)
    between = seen.value
    seen.value = 100
    assert [before.ret, between.ret, seen.value.ret] == [7, 8, 100]


def test_every_way_of_waiting_asks_for_an_attribute(way: Way) -> None:
    seen = way.create(Seen)
    assert concurrent.futures.wait([seen.value], timeout=20).not_done == set()
    assert [future.result() for future in concurrent.futures.as_completed([seen.value], timeout=20)] == [7]
    assert corps.wait_any([seen.value]).ret == 7
    assert [future.ret for future in corps.wait_all([seen.value, seen.value])] == [7, 7]
    assert [future.ret for future in corps.as_completed([seen.value, seen.value])] == [7, 7]
    assert corps.gather(seen.value, seen.value).ret == [7, 7]
    called: list[Any] = []
    seen.value.add_done_callback(called.append)
    waited = seen.value
    while not waited.done():
        pass
    assert waited.exception(timeout=0) is None
    assert seen.value.cancel() in (True, False)

    async def awaited() -> list[int]:
        return [
            await seen.value,
            await asyncio.wrap_future(seen.value),
            await asyncio.wait_for(seen.value, 20),
        ]

    assert asyncio.run(awaited()) == [7, 7, 7]
    seen.add(0).result()
    assert len(called) == 1


def test_an_attribute_is_asked_for_once_however_many_threads_use_it(way: Way) -> None:
    seen = way.create(Seen)
    for _ in range(20):
        future = seen.value
        threads = [threading.Thread(target=future.result) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert seen.requests.ret == 20
