"""Claims about the table of what a peer has: never anything stale, and nothing twice without need."""

import gc
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from corps.errors import PackError, UnpackError
from corps.packing.code_sent import CodeSent, restore_defined
from corps.packing.packer import Packed, Packer
from tests.unit.packing.test_fingerprints import closing_over, make_class, reading, with_globals


class Line:
    """A sender and a receiver; the definitions between them."""

    def __init__(self, most: int = 1000, **options: Any) -> None:
        self.definitions: list[bytes] = []
        self.built: dict[int, Any] = {}
        self.most = most
        self.base = Packer(**options)
        self.packer = self.base.for_peer(self.define, self.find)

    def define(self, body: bytes) -> int | None:
        if len(self.definitions) == self.most:
            return None
        self.definitions.append(body)
        return len(self.definitions)

    def find(self, number: int) -> Any:
        if number not in self.built:
            packed = Packed(1, self.definitions[number - 1], ())
            self.built[number] = self.base.unpack(packed)
        return self.built[number]

    def send(self, thing: Any) -> Any:
        return self.packer.unpack(self.packer.pack(thing))


def test_the_second_time_it_is_defined_and_from_then_on_the_number_goes() -> None:
    line = Line()

    def function() -> int:
        return 7

    first, second, third = line.send(function), line.send(function), line.send([function])[0]
    assert len(line.definitions) == 1
    assert first is not second
    assert second is third
    assert third() == 7
    assert len(line.packer.pack(function).body) < 80


def test_functions_made_anew_by_the_same_code_are_the_same() -> None:
    line = Line()
    sent = [line.send(closing_over(1)) for _ in range(4)]
    assert len(line.definitions) == 1
    assert sent[2] is sent[3]
    assert [line.send(closing_over(number))() for number in range(10, 20)] == list(range(10, 20))
    assert len(line.definitions) == 1  # what is sent once only is not worth a definition


def test_two_functions_of_the_same_contents_stay_two_in_one_message() -> None:
    line = Line()
    for _ in range(3):
        one, other = closing_over(1), closing_over(1)
        received = line.send(({one: "one", other: "other"}, [one, other]))
        assert list(received[0].values()) == ["one", "other"]
        assert received[1] == list(received[0])


def test_a_changed_function_is_sent_anew_and_the_old_one_is_found_again() -> None:
    line = Line()
    function = with_globals("def f(more=0): return value + more", value=1)
    for _ in range(3):
        assert line.send(function)() == 1
    function.__globals__["value"] = 2
    for _ in range(3):
        assert line.send(function)() == 2
    function.__defaults__ = (5,)
    for _ in range(3):
        assert line.send(function)() == 7
    function.__defaults__, function.__globals__["value"] = (0,), 1
    assert line.send(function)() == 1
    assert len(line.definitions) == 3


def test_what_may_change_goes_by_value_each_time() -> None:
    line = Line()
    values: list[int] = []
    for function in (closing_over(values), reading(values)):
        for number in range(4):
            values.append(number)
            received = line.send(function)()
            assert received == values
            received.append(99)
    assert line.definitions == []


def test_classes_keep_their_identity_and_their_instances_go_by_number() -> None:
    line = Line()

    class Point:
        def __init__(self, x: int) -> None:
            self.x = x

        def more(self) -> "Point":
            return Point(self.x + 1)

    received = [line.send(Point(number)) for number in range(4)]
    assert len({type(point) for point in received}) == 1
    assert len(line.definitions) == 1
    assert isinstance(received[0].more(), type(received[3]))
    assert len(line.packer.pack(Point(1)).body) < 120


def test_a_class_that_changed_goes_by_value_from_then_on() -> None:
    line = Line()
    cls = make_class(number=1)
    maker = closing_over(cls)
    for _ in range(3):
        assert line.send(cls).number == 1
        assert line.send(maker)().number == 1
    assert len(line.definitions) == 2
    cls.number = 2  # type: ignore[attr-defined]
    assert line.send(maker)().number == 2
    assert b"restore_defined" not in line.packer.pack(cls).body
    cls.number = 1  # type: ignore[attr-defined]
    for _ in range(3):
        # Each time with all it has, since who knows in which order the receiver reads.
        assert b"restore_defined" not in line.packer.pack(cls).body
        assert b"restore_defined" not in line.packer.pack(maker).body
    assert len(line.definitions) == 2


def test_a_class_is_told_from_another_of_the_same_contents() -> None:
    line = Line()
    one, other = make_class(x=1), make_class(x=1)
    for _ in range(3):
        received = line.send((one, other))
        assert received[0] is not received[1]


def test_functions_that_share_what_they_write_go_together() -> None:
    read = with_globals("def f(): return number", number=0)
    exec("def write():\n global number\n number += 1\n return number", read.__globals__)
    write = read.__globals__["write"]
    line = Line()
    for _ in range(3):
        line.send(read)
    assert len(line.definitions) == 1
    holder = closing_over(write)
    for _ in range(3):
        there_read, there_write = line.send((read, write))
        assert there_write() == there_read() == 1
        there_read, there_holder = line.send((read, holder))
        assert there_holder()() == there_read() == 1
    assert len(line.definitions) == 1


def test_functions_that_write_begin_anew_each_time() -> None:
    def outer() -> Callable[[], int]:
        number = 0

        def write() -> int:
            nonlocal number
            number += 1
            return number

        return write

    line = Line()
    write = outer()
    assert [line.send(write)() for _ in range(4)] == [1, 1, 1, 1]
    assert line.definitions == []


def test_when_the_peer_keeps_no_more_the_rest_goes_by_value() -> None:
    line = Line(most=1)
    for number in range(3):
        for _ in range(4):
            assert line.send(closing_over(number))() == number
    assert len(line.definitions) == 1


def test_a_message_that_fails_loses_nothing() -> None:
    line = Line()
    function = closing_over(5)
    line.send(function)
    for _ in range(3):
        with pytest.raises(PackError):
            line.packer.pack((function, iter(number for number in range(3))))
    assert len(line.definitions) == 1
    assert line.send(function)() == 5


def test_what_is_changed_while_it_is_defined_is_not_defined() -> None:
    sent: list[bytes] = []
    function = with_globals("def f(): return value", value=1)

    def pack(thing: Any) -> bytes:
        thing.__globals__["value"] += 1
        return b"some version"

    def define(body: bytes) -> int:
        sent.append(body)
        return 1

    table = CodeSent(pack, define, None)
    for _ in range(3):
        function.__globals__["value"] = 1
        assert table.number_of(function) is None
    assert sent == []


def test_nothing_is_kept_alive_but_what_was_defined() -> None:
    line = Line()

    def make() -> type:
        class Local:
            def method(self) -> type:
                return Local

        return Local

    cls = make()
    gone = weakref.ref(cls)
    line.packer.pack(cls)
    assert len(line.packer._sent._versions) == 1  # type: ignore[union-attr]
    del cls
    gc.collect()
    assert gone() is None
    assert len(line.packer._sent._versions) == 0  # type: ignore[union-attr]


@pytest.mark.parametrize("codec", ["dill", "data"])
def test_other_codecs_define_nothing(codec: str) -> None:
    line = Line(codec=codec)
    for _ in range(3):
        assert line.send([1]) == [1]
        if codec == "dill":
            assert line.send(closing_over(1))() == 1
    assert line.definitions == []


def test_who_does_not_read_that_line_learns_why_it_fails() -> None:
    line = Line()
    line.send(closing_over(1))
    with pytest.raises(UnpackError, match="definition 1"):
        Packer().unpack(line.packer.pack(closing_over(1)))
    with pytest.raises(UnpackError):
        restore_defined(1)


class Changing(RuleBasedStateMachine):
    """Whatever changes, in whichever order, the receiver has what the sender has at that moment."""

    @initialize()
    def begin(self) -> None:
        self.line = Line(most=5)
        self.function = with_globals("def f(n=0): return g() + factor + n", factor=1)
        self.function.__globals__["g"] = with_globals("def f(n=0): return n")
        self.cls = make_class(number=1, method=lambda self: self.number)
        self.maker = closing_over(self.cls)

    @rule(value=st.integers(0, 2))
    def rebind_a_global(self, value: int) -> None:
        self.function.__globals__["factor"] = value

    @rule(value=st.integers(0, 2))
    def change_a_default(self, value: int) -> None:
        self.function.__defaults__ = (value,)

    @rule(value=st.integers(0, 2))
    def change_a_default_further_in(self, value: int) -> None:
        self.function.__globals__["g"].__defaults__ = (value,)

    @rule(value=st.integers(0, 2) | st.lists(st.integers(), max_size=1))
    def patch_the_class(self, value: Any) -> None:
        self.cls.number = value  # type: ignore[attr-defined]

    @rule(value=st.integers(0, 2))
    def patch_a_method(self, value: int) -> None:
        self.cls.method = lambda self: (self.number, value)  # type: ignore[attr-defined]

    @rule()
    def send_the_function(self) -> None:
        assert self.line.send(self.function)() == self.function()

    @rule()
    def send_the_class(self) -> None:
        expected = self.cls().method()
        for sent in (self.cls, self.maker):
            packed = self.line.packer.pack(sent)
            # The receiver is this process: what it reads would change the class here.
            before = self.cls.__dict__["number"], self.cls.__dict__["method"]
            self.cls.number = self.cls.method = "changed by another"  # type: ignore[attr-defined]
            received = self.line.packer.unpack(packed)
            if b"restore_defined" in packed.body:
                self.cls.number, self.cls.method = before  # type: ignore[attr-defined]
            received = received if sent is self.cls else received()
            assert received is self.cls
            assert received().method() == expected
            self.cls.number, self.cls.method = before


TestChanging = Changing.TestCase
TestChanging.settings = settings(max_examples=30, stateful_step_count=20, deadline=None)
