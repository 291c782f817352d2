"""Claims about `corps.allow`: rules that a class brings with it."""

from typing import Any

import pytest

import corps
from corps.errors import ConfigError, DefinitionError
from corps.security.permissions import Asked, Permissions, Refused, rules_of_class


class Index(corps.Conc):
    @corps.public
    def search(self) -> None: ...

    @corps.public
    def count(self) -> None: ...

    def hidden(self) -> None: ...


class Smaller(Index):
    pass


corps.allow(Index, identity="bob", methods=["search"], rate=2, bytes="1KiB")
corps.allow(Index, key="f" * 32, verbs=["exit"])


def asked(identity: str, method: str, key: str = "", cls: type = Index, **more: Any) -> Asked:
    interface = cls._corps_interface  # type: ignore[attr-defined]
    is_public = method in interface.public
    return Asked(identity, key, False, interface.class_name, method=method, is_public=is_public, **more)


def judged(one: Asked, cls: type = Index) -> str:
    decision = Permissions().judge(one, 0.0, rules_of_class(cls))
    return decision.why if isinstance(decision, Refused) else "allowed"


def test_only_those_may_that_a_rule_allows() -> None:
    assert judged(asked("bob", "search")) == "allowed"
    assert judged(asked("bob", "count")) == "not_permitted"
    assert judged(asked("bob", "hidden")) == "not_public"
    assert judged(asked("carol", "search")) == "not_permitted"
    assert judged(asked("carol", "count", key="f" * 32)) == "allowed"
    assert judged(asked("bob", "search", size=2000)) == "too_large"


def test_a_subclass_has_no_rules_of_its_base() -> None:
    assert rules_of_class(Smaller) == ()
    assert judged(asked("carol", "search", cls=Smaller), Smaller) == "allowed"


def test_what_a_caller_has_used_up_is_counted_for_rules_of_a_class_too() -> None:
    permissions = Permissions()
    decisions = [permissions.judge(asked("bob", "search"), 0.0, rules_of_class(Index)) for _ in range(3)]
    assert [isinstance(each, Refused) for each in decisions] == [False, False, True]


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"identity": 5},
        {"identity": "bob", "methods": "search"},
        {"identity": "bob", "methods": ["hidden"]},
        {"identity": "bob", "methods": ["serach"]},
        {"identity": "bob", "verbs": ["fly"]},
        {"identity": "bob", "rate": 0},
        {"identity": "bob", "rate": float("nan")},
        {"identity": "bob", "bytes": "much"},
    ],
)
def test_a_rule_that_cannot_be_is_an_error_of_the_program(wrong: Any) -> None:
    before = rules_of_class(Index)
    with pytest.raises(ConfigError):
        corps.allow(Index, **wrong)
    assert rules_of_class(Index) == before


@pytest.mark.parametrize("wrong", [None, 5, "Index", object, Index()])
def test_rules_are_of_classes_of_workers(wrong: Any) -> None:
    with pytest.raises(DefinitionError, match="class of workers"):
        corps.allow(wrong, identity="bob")
