"""Claims about what Envs are to do: which rule holds, and that it travels as plain data."""

import logging

from corps.packing.data import decode_data, encode_data
from corps.services.logs.chosen import Chosen, LevelRule


def test_it_travels_as_plain_data() -> None:
    chosen = Chosen(is_wanted=True).with_rule(LevelRule(10, "app", 2, "m:C", "t")).next(
        is_wanted=True, is_shown=True
    )  # fmt: skip
    assert Chosen.from_plain(decode_data(encode_data(chosen.as_plain()))) == chosen
    assert chosen.version == 1


def test_a_rule_replaces_the_one_for_the_same_and_none_takes_it_back() -> None:
    chosen = (
        Chosen().with_rule(LevelRule(10, "a")).with_rule(LevelRule(20, "b")).with_rule(LevelRule(30, "a"))
    )
    assert chosen.rules == (LevelRule(20, "b"), LevelRule(30, "a"))
    assert chosen.with_rule(LevelRule(None, "a")).rules == (LevelRule(20, "b"),)
    assert chosen.with_rule(LevelRule(None, "c")) == chosen


def test_the_more_exact_rules_come_last() -> None:
    rules = [
        LevelRule(1, class_name="m:C", tag="t"),
        LevelRule(2, env=2),
        LevelRule(3),
        LevelRule(4, class_name="m:C"),
        LevelRule(5, env=3),
        LevelRule(6, env=2, tag="t"),
    ]
    chosen = Chosen()
    for rule in rules:
        chosen = chosen.with_rule(rule)
    assert [rule.level for rule in chosen.rules_of(2)] == [3, 2, 4, 6, 1]
    assert [rule.level for rule in chosen.rules_of(1)] == [3, 4, 1]


def test_a_rule_for_workers_is_known_as_one() -> None:
    assert not LevelRule(logging.DEBUG, "a", 1).is_of_workers
    assert LevelRule(logging.DEBUG, tag="t").is_of_workers
    assert LevelRule(logging.DEBUG, class_name="m:C").is_of_workers
