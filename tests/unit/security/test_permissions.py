"""Claims about permissions: what is refused by default, what a rule opens, and how often."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corps.errors import ConfigError
from corps.security.permissions import (
    OPERATOR_VERBS,
    Allowed,
    Asked,
    Permissions,
    Refused,
    Rule,
    rule,
    rules_of,
)


def asked(method: str = "search", identity: str = "bob", **facts: Any) -> Asked:
    return Asked(
        **{
            "identity": identity,
            "key": "f00d",
            "is_own": False,
            "class_name": "shop:Index",
            "method": method,
            "is_public": True,
            **facts,
        }
    )


def why(permissions: Permissions, one: Asked, at: float = 0.0) -> str:
    decision = permissions.judge(one, at)
    return "" if isinstance(decision, Allowed) else decision.why


def test_the_owner_may_ask_for_all() -> None:
    permissions = Permissions([rule("Index", identity="bob", methods=["search"])])
    for verb in ("call", *OPERATOR_VERBS):
        assert why(permissions, asked("hidden", is_own=True, is_public=False, verb=verb)) == ""


def test_another_owner_may_call_what_is_public_and_nothing_else() -> None:
    permissions = Permissions()
    assert why(permissions, asked()) == ""
    assert why(permissions, asked(is_public=False)) == "not_public"
    for verb in OPERATOR_VERBS:
        assert why(permissions, asked(verb=verb)) == "operator"


def test_once_a_rule_speaks_of_a_class_its_callers_need_one() -> None:
    permissions = Permissions([rule("Index", identity="bob", methods=["search"])])
    assert why(permissions, asked()) == ""
    assert why(permissions, asked("count")) == "not_permitted"
    assert why(permissions, asked(identity="eve")) == "not_permitted"
    assert why(permissions, asked("count", class_name="shop:Other")) == ""
    permissions.allow(rule("Index", identity="*", methods=["count"]))
    assert why(permissions, asked("count", identity="eve")) == ""


def test_no_rule_opens_what_is_not_public() -> None:
    permissions = Permissions(
        [rule("Index", identity="*"), rule("Index", identity="bob", methods=["search"])]
    )
    assert why(permissions, asked(is_public=False)) == "not_public"


def test_a_verb_of_operators_needs_a_rule_that_names_it() -> None:
    permissions = Permissions([rule("Index", identity="*"), rule("Index", identity="bob", verbs=["exit"])])
    assert why(permissions, asked(verb="exit", is_public=False)) == ""
    assert why(permissions, asked(verb="stacks")) == "operator"
    assert why(permissions, asked(verb="exit", identity="eve")) == "operator"


@pytest.mark.parametrize("of", ["Index", "shop:Index"])
def test_a_rule_names_a_class_with_or_without_its_module(of: str) -> None:
    assert rule(of, identity="*").is_of("shop:Index")
    assert not rule(of, identity="*").is_of("shop:OtherIndex")
    assert not rule(of, identity="*").is_of("shop:Outer.Index2")
    assert rule("Index", identity="*").is_of("shop:Outer.Index")
    assert rule("Outer.Index", identity="*").is_of("shop:Outer.Index")


def test_a_rule_may_be_for_a_key() -> None:
    permissions = Permissions([rule("Index", key="f00d")])
    assert why(permissions, asked()) == ""
    assert why(permissions, asked(key="beef")) == "not_permitted"
    both = Permissions([rule("Index", key="f00d", identity="bob")])
    assert why(both, asked(identity="eve")) == "not_permitted"


def test_a_rate_lets_a_second_of_requests_come_at_once_and_then_says_when_the_next_may() -> None:
    permissions = Permissions([rule("Index", identity="*", rate=10)])
    assert [why(permissions, asked()) for _ in range(11)] == [""] * 10 + ["rate"]
    refused = permissions.judge(asked(), 0.0)
    assert isinstance(refused, Refused)
    assert refused.retry_after == pytest.approx(0.1)
    assert why(permissions, asked(), 0.05) == "rate"
    assert why(permissions, asked(), 0.1) == ""
    assert why(permissions, asked(), 0.1) == "rate"


def test_a_rate_below_one_lets_one_request_come() -> None:
    permissions = Permissions([rule("Index", identity="*", rate=0.5)])
    assert [why(permissions, asked(), at) for at in (0.0, 1.9, 2.1)] == ["", "rate", ""]


def test_callers_do_not_take_from_each_other() -> None:
    permissions = Permissions([rule("Index", identity="*", rate=1)])
    assert [why(permissions, asked(identity=who)) for who in ("bob", "eve", "bob")] == ["", "", "rate"]


def test_bytes_are_counted_by_the_second_and_bound_one_request() -> None:
    permissions = Permissions([rule("Index", identity="*", bytes="1KiB")])
    assert why(permissions, asked(size=1025)) == "too_large"
    assert [why(permissions, asked(size=512)) for _ in range(3)] == ["", "", "bytes"]
    refused = permissions.judge(asked(size=512), 0.0)
    assert isinstance(refused, Refused)
    assert refused.retry_after == pytest.approx(0.5)
    assert permissions.judge(asked(size=2000), 0.0) == Refused(
        "too_large", "a request of 2000 bytes is more than the 1024 of 'bob'"
    )


def test_what_is_refused_takes_nothing() -> None:
    permissions = Permissions([rule("Index", identity="*", rate=1, bytes=10)])
    assert why(permissions, asked(size=11)) == "too_large"
    assert why(permissions, asked(size=10)) == ""


def test_of_several_rules_that_fit_one_with_room_is_enough() -> None:
    permissions = Permissions([rule("Index", identity="bob", rate=1), rule("Index", identity="*", rate=2)])
    assert [why(permissions, asked()) for _ in range(4)] == ["", "", "", "rate"]
    refused = permissions.judge(asked(), 0.0)
    assert isinstance(refused, Refused)
    assert refused.retry_after == pytest.approx(0.5)


def test_a_clock_that_stands_still_or_goes_back_gives_nothing() -> None:
    permissions = Permissions([rule("Index", identity="*", rate=1)])
    assert [why(permissions, asked(), at) for at in (5.0, 4.0, 5.5, 5.9, 6.0)] == [
        "",
        "rate",
        "rate",
        "rate",
        "",
    ]


def test_buckets_are_kept_for_the_last_callers_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("corps.security.permissions._MOST_CALLERS", 3)
    permissions = Permissions([rule("Index", identity="*", rate=1)])
    for who in ("a", "b", "c", "a", "d"):
        why(permissions, asked(identity=who))
    assert why(permissions, asked(identity="a")) == "rate"
    assert why(permissions, asked(identity="b")) == ""


@given(st.lists(st.tuples(st.floats(0, 5), st.integers(0, 40)), max_size=60), st.integers(1, 20))
def test_in_any_time_no_more_passes_than_the_rate_and_one_second_allow(
    requests: list[tuple[float, int]], rate: int
) -> None:
    permissions = Permissions([rule("Index", identity="*", rate=rate, bytes=100)])
    at, count, size = 0.0, 0, 0
    for pause, each in requests:
        at += pause
        if why(permissions, asked(size=each), at) == "":
            count, size = count + 1, size + each
    assert count <= rate * (at + 1) + 1e-6
    assert size <= 100 * (at + 1) + 1e-6


def test_a_configuration_gives_rules_as_tables() -> None:
    tables: list[dict[str, Any]] = [
        {"class": "Index", "identity": "bob", "methods": ["search"], "rate": 100, "bytes": "10MiB"},
        {"class": "shop:Index", "key": "f00d", "verbs": ["exit"]},
    ]
    assert rules_of(tables, "permissions") == (
        Rule("Index", "bob", "", frozenset({"search"}), frozenset(), 100.0, 10 * 2**20),
        Rule("shop:Index", "", "f00d", None, frozenset({"exit"})),
    )


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"identity": "bob"}, r"permissions\[0\]: of is ''"),
        ({"class": "Index"}, "identity is '', and has to be a user"),
        ({"class": "Index", "identity": 1}, "identity is 1"),
        ({"class": 5, "identity": "bob"}, "of is 5"),
        ({"class": "Index", "identity": "bob", "method": []}, "'method' is unknown; there are bytes, class"),
        (
            {"class": "Index", "identity": "bob", "methods": "search"},
            "methods is 'search', .* a list",
        ),
        ({"class": "Index", "identity": "bob", "methods": [1]}, "methods is"),
        ({"class": "Index", "identity": "bob", "methods": 1}, "methods is 1"),
        (
            {"class": "Index", "identity": "bob", "verbs": ["reboot"]},
            "verbs is 'reboot', .* one of add_env",
        ),
        ({"class": "Index", "identity": "bob", "rate": 0}, "rate is 0"),
        ({"class": "Index", "identity": "bob", "rate": True}, "rate is True"),
        ({"class": "Index", "identity": "bob", "rate": float("nan")}, "rate is nan"),
        ({"class": "Index", "identity": "bob", "rate": "10"}, "rate is '10'"),
        ({"class": "Index", "identity": "bob", "bytes": "ten"}, "bytes is 'ten', .* such as \"10MiB\""),
        ({"class": "Index", "identity": "bob", "bytes": "10TB"}, "bytes is '10TB'"),
        ({"class": "Index", "identity": "bob", "bytes": -1}, "bytes is -1"),
        ({"class": "Index", "identity": "bob", "bytes": True}, "bytes is True"),
    ],
)
def test_a_table_that_cannot_be_is_refused_by_what_is_wrong(table: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        rules_of([table], "permissions")
