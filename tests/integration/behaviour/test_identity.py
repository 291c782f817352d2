"""Claims about what a worker knows of itself, inside and from afar, over every path."""

import socket
from typing import Any

import pytest

import corps
from tests.integration.behaviour.paths import Way


class Self(corps.Conc):
    def __init__(self, knows: bool = False) -> None:
        self.born_as = self.my_name()
        self.born_in = self.my_env()

    def inside(self) -> dict[str, Any]:
        return {
            "name": self.my_name(),
            "self": self.my_self(),
            "mgr": self.my_mgr(),
            "env": self.my_env(),
            "tag": self.my_tag(),
            "class": self.my_class(),
            "host": self.my_host(),
            "children": self.my_children(),
        }

    async def inside_softly(self) -> dict[str, Any]:
        return self.inside()

    def bear(self, env: int, tag: str = "") -> corps.Name["Self"]:
        return corps.options(env=env, tag=tag).create(Self)

    def my_own(self) -> str:
        return "a name of my own making"


class Inner(corps.Corps):
    def bear(self, env: int) -> corps.Name[Self]:
        return corps.options(env=env).create(Self)


@pytest.mark.parametrize("method", ["inside", "inside_softly"])
def test_a_worker_knows_itself(way: Way, method: str) -> None:
    name = way.options(tag="me").create(Self)
    facts = getattr(name, method)().ret
    assert facts["name"] == facts["self"] == name
    assert facts["env"] == way.near
    assert facts["tag"] == "me"
    assert facts["class"] is Self
    assert facts["host"] == socket.gethostname()
    assert facts["children"] == []


def test_a_worker_is_asked_the_same_from_afar(way: Way) -> None:
    name = way.options(tag="me").create(Self)
    facts = name.inside().ret
    assert name.my_name().ret == facts["name"]
    assert name.my_self().ret == facts["self"]
    assert name.my_mgr().ret == facts["mgr"]
    assert name.my_tag().ret == "me"
    assert name.my_class().ret is Self
    assert name.my_host().ret == facts["host"]
    assert name.my_children().ret == []


def test_in_which_env_it_lives_is_the_workers_own_affair(way: Way) -> None:
    name = way.create(Self)
    with pytest.raises(corps.NoSuchMethod, match="belongs to the worker alone"):
        name.my_env()


def test_the_creator_is_the_mgr_and_knows_its_children(way: Way) -> None:
    mgr = way.create(Self)
    near, far = mgr.bear(way.near, "first").ret, mgr.bear(way.far, "second").ret
    assert near.my_mgr().ret == far.my_mgr().ret == mgr
    assert mgr.my_children().ret == [near, far]
    assert [child.my_tag().ret for child in (near, far)] == ["first", "second"]


def test_the_constructor_knows_the_worker_already(way: Way) -> None:
    name = way.create_far(Self)
    assert name.born_as.ret == name
    assert name.born_in.ret == way.far


def test_a_worker_belongs_to_the_corps_that_created_it(way: Way) -> None:
    inner = way.create(Inner)
    worker = inner.bear(way.far).ret
    assert worker.my_corps().ret == inner
    assert worker.bear(way.near).ret.my_corps().ret == inner


def test_without_a_tag_the_tag_is_empty(way: Way) -> None:
    assert way.create(Self).my_tag().ret == ""


def test_methods_that_begin_alike_are_ordinary_methods(way: Way) -> None:
    assert way.create(Self).my_own().ret == "a name of my own making"


def test_an_object_that_is_no_worker_says_so() -> None:
    class Plain(corps.Conc):
        def double(self, n: int) -> int:
            return 2 * n

    plain = Plain()
    assert plain.double(4) == 8
    for ask in (plain.my_name, plain.my_self, plain.my_mgr, plain.my_env, plain.my_corps, plain.my_tag):
        with pytest.raises(corps.ContextError, match="made by calling its class"):
            ask()
    with pytest.raises(corps.ContextError):
        plain.receive()
