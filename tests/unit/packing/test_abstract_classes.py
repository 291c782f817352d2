"""Abstract classes by value lean on two private names of `abc`: what there is without each of them."""

import abc
from types import SimpleNamespace

import pytest

from corps.packing import classes
from tests.unit.packing.lines import Line


def sent(is_without: str | None, monkeypatch: pytest.MonkeyPatch) -> type:
    """The copy of an abstract class, made where `abc` lacks a name."""
    names = {name: thing for name, thing in vars(abc).items() if name != is_without}
    assert is_without is None or is_without in vars(abc)  # else the list of private names is out of date
    monkeypatch.setattr(classes, "abc", SimpleNamespace(**names))

    class Shape(abc.ABC):
        @abc.abstractmethod
        def area(self) -> float: ...

    Shape.register(int)
    copy = Line(codec="pickle").send(Shape)
    assert isinstance(copy, type)
    assert copy is not Shape
    return copy


@pytest.mark.parametrize("is_without", [None, "_get_dump", "_abc_init"])
def test_an_abstract_class_arrives_abstract(is_without: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = sent(is_without, monkeypatch)
    with pytest.raises(TypeError, match="abstract"):
        copy()
    assert issubclass(type("Square", (copy,), {"area": lambda self: 1.0}), copy)


def test_its_registrations_arrive_where_they_can_be_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    assert issubclass(int, sent(None, monkeypatch))
    assert not issubclass(int, sent("_get_dump", monkeypatch))
