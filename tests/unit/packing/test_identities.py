"""Claims about names of classes: each has one, by itself, and nothing is kept alive for ever."""

import gc
import weakref
from threading import Barrier, RLock, Thread
from typing import Any

import pytest

from corps.packing import identities
from corps.packing.identities import Identities
from corps.packing.packer import Packer


def make() -> type:
    class Local:
        def method(self) -> type:
            return Local

    return Local


class Equal(type):
    """A metaclass that takes all its classes for equal."""

    def __eq__(cls, other: object) -> bool:
        return isinstance(other, Equal)

    __hash__ = None  # type: ignore[assignment]


def test_a_name_stays_and_is_nobody_elses() -> None:
    known = Identities()
    one, other = make(), make()
    assert known.name_of(one) == known.name_of(one) != known.name_of(other)
    assert known.make(known.name_of(one), make) is one
    assert known.make("unknown", make) not in (one, other)


def test_classes_that_cannot_be_hashed_have_names() -> None:
    one, other = (Equal(name, (), {}) for name in ("One", "Other"))
    reader, sender = Packer(), Packer()
    there = reader.unpack(sender.pack([one, other, one]))
    assert [each.__name__ for each in there] == ["One", "Other", "One"]
    assert there[0] is there[2] is not there[1]


def test_what_is_made_for_a_name_is_made_once() -> None:
    known = Identities()
    first = known.make("name", make)
    assert known.make("name", make) is first
    assert known.name_of(first) == "name"


def test_the_last_classes_are_kept_and_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identities, "_MOST_KEPT", 4)
    sender, reader = Packer(), Packer()

    def send() -> list[weakref.ref[Any]]:
        cls = make()
        there = reader.unpack(sender.pack(cls))
        there.count = 1
        return [weakref.ref(cls), weakref.ref(there)]

    first = send()
    gc.collect()
    assert all(each() is not None for each in first)
    for _ in range(4):
        send()
    gc.collect()
    assert [each() for each in first] == [None, None]
    for packer in (sender, reader):
        known = [each.thing() for each in packer._identities._entries.values()]
        assert sum(isinstance(each, type) for each in known) <= 4


def test_a_class_whose_versions_are_forgotten_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identities, "_MOST_KEPT", 2)
    sender, reader = Packer(), Packer()
    cls: Any = make()
    cls.number = 1
    there = reader.unpack(sender.pack(cls))
    for _ in range(3):
        reader.unpack(sender.pack(make()))
    cls.number = 2
    assert reader.unpack(sender.pack(cls)) is there
    assert there.number == 1
    assert sender.unpack(reader.pack(there)) is cls
    assert cls.number == 2


def test_threads_that_ask_at_once_get_one_name() -> None:
    known = Identities(RLock())
    classes = [make() for _ in range(50)]
    start = Barrier(4)
    found: list[list[str]] = []

    def ask() -> None:
        start.wait()
        found.append([known.name_of(cls) for cls in classes])

    threads = [Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({tuple(names) for names in found}) == 1
    assert len(set(found[0])) == 50


def test_threads_that_read_the_same_code_at_once_get_one_code_object() -> None:
    sender, reader = Packer(), Packer(identities=Identities(RLock()))
    packed = [sender.pack(eval(f"lambda: {number}", {})) for number in range(50)]
    start = Barrier(4)
    found: list[list[Any]] = []

    def read() -> None:
        start.wait()
        found.append([reader.unpack(each) for each in packed])

    threads = [Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, functions in enumerate(zip(*found, strict=True)):
        assert {function() for function in functions} == {number}
        assert len({id(function.__code__) for function in functions}) == 1
