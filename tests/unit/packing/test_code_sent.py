"""Claims about the table of what a peer has: never anything stale, and nothing twice without need."""

from collections.abc import Callable

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from corps.errors import PackError, UnpackError
from corps.packing.code_sent import restore_defined
from corps.packing.packer import Packer
from tests.unit.packing.lines import Line, closing_over, make_class, reading, with_globals


def test_the_second_time_the_code_is_defined_and_from_then_on_its_number_goes() -> None:
    line = Line()

    def function() -> int:
        return 7

    sent = [line.send(function), line.send(function), line.send([function])[0]]
    assert len(line.definitions) == 1
    assert [each() for each in sent] == [7, 7, 7]
    assert sent[1] is not sent[2]
    assert sent[1].__code__ is sent[2].__code__
    assert len(line.packer.pack(function).body) < 80


def test_functions_made_anew_by_the_same_code_send_their_variables_and_no_code() -> None:
    line = Line()
    assert [line.send(closing_over(number))() for number in range(10, 20)] == list(range(10, 20))
    assert len(line.definitions) == 1
    assert len(line.packer.pack(closing_over(1)).body) < 160


def test_a_function_that_came_back_goes_out_by_its_number() -> None:
    line = Line()
    here = closing_over(1)
    for _ in range(4):
        here = line.send_back(line.send(here))
    assert here() == 1
    assert len(line.definitions) == len(line.backward.definitions) == 1


def test_equal_code_that_is_compiled_again_is_other_code_and_goes_by_value() -> None:
    line = Line()
    for _ in range(4):
        assert line.send(with_globals("def f(): return 1"))() == 1
    assert line.definitions == []


def test_two_functions_of_the_same_contents_stay_two() -> None:
    line = Line()
    for _ in range(3):
        one, other = closing_over(1), closing_over(1)
        received = line.send(({one: "one", other: "other"}, [one, other]))
        assert list(received[0].values()) == ["one", "other"]
        assert received[1] == list(received[0])


def test_what_belongs_to_a_function_goes_as_it_is_at_that_moment() -> None:
    line = Line()
    function = with_globals("def f(more=0): return value + more", value=1)
    for _ in range(3):
        assert line.send(function)() == 1
    function.__globals__["value"] = 2
    assert line.send(function)() == 2
    function.__defaults__ = (5,)
    assert line.send(function)() == 7
    function.__defaults__, function.__globals__["value"] = (0,), 1
    assert line.send(function)() == 1
    assert len(line.definitions) == 1


def test_mutable_values_are_each_messages_own() -> None:
    line = Line()
    values: list[int] = []
    for function in (closing_over(values), reading(values)):
        for number in range(4):
            values.append(number)
            received = line.send(function)()
            assert received == values
            received.append(99)


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


def test_a_class_is_told_from_another_of_the_same_contents() -> None:
    line = Line()
    one, other = make_class(x=1), make_class(x=1)
    for _ in range(3):
        received = line.send((one, other))
        assert received[0] is not received[1]


def test_functions_share_what_they_write_in_one_message_and_begin_anew_in_the_next() -> None:
    read = with_globals("def f(): return number", number=0)
    exec("def write():\n global number\n number += 1\n return number", read.__globals__)
    write = read.__globals__["write"]
    line = Line()
    for _ in range(3):
        there_read, there_write = line.send((read, write))
        assert there_write() == there_read() == 1
    assert len(line.definitions) == 2


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


def test_when_the_peer_keeps_no_more_the_rest_goes_by_value() -> None:
    line = Line(most=1)
    for number in range(3):
        function = with_globals(f"def f(): return {number}")
        for _ in range(4):
            assert line.send(function)() == number
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
    """Whatever changes, in whichever order: functions go as they are, the class as it was."""

    @initialize()
    def begin(self) -> None:
        self.line = Line(most=5)
        self.function = with_globals("def f(n=0): return g() + factor + n", factor=1)
        self.function.__globals__["g"] = with_globals("def f(n=0): return n")
        self.cls = make_class(number=1, method=lambda self: self.number)
        self.there = self.line.send(self.cls)
        self.there.number = "there"
        self.here = 1

    @rule(value=st.integers(0, 2))
    def rebind_a_global(self, value: int) -> None:
        self.function.__globals__["factor"] = value

    @rule(value=st.integers(0, 2))
    def change_a_default(self, value: int) -> None:
        self.function.__defaults__ = (value,)

    @rule(value=st.integers(0, 2))
    def change_a_default_further_in(self, value: int) -> None:
        self.function.__globals__["g"].__defaults__ = (value,)

    @rule(value=st.integers(0, 2))
    def patch_the_class(self, value: int) -> None:
        self.cls.number = self.here = value  # type: ignore[attr-defined]

    @rule()
    def send_the_function(self) -> None:
        assert self.line.send(self.function)() == self.function()

    @rule()
    def send_the_class_there_and_back(self) -> None:
        received = self.line.send(closing_over(self.cls))()
        assert received is self.there
        assert received().method() == "there"
        assert self.line.send_back(received()).__class__ is self.cls
        assert self.cls().method() == self.here


TestChanging = Changing.TestCase
TestChanging.settings = settings(max_examples=30, stateful_step_count=20, deadline=None)
