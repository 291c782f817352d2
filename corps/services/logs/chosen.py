"""What the Envs of a Corps are to do about their log records now. Values only."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple


class LevelRule(NamedTuple):
    """From which level on records are made, of some loggers and some workers. None takes a level back."""

    level: int | None
    logger: str = ""  # and those below it; empty: all
    env: int | None = None  # None: all
    class_name: str = ""  # ``module:qualname``; empty: workers of all classes, and what runs in no worker
    tag: str = ""  # the same

    @property
    def is_of_workers(self) -> bool:
        """Whether it concerns the records of some workers alone."""
        return bool(self.class_name or self.tag)


@dataclass(frozen=True, slots=True)
class Chosen:
    """What is wanted now. Of two, the one with the higher version holds."""

    is_wanted: bool = False  # there is a sink
    is_shown: bool = False  # a sink shows records to people
    rules: tuple[LevelRule, ...] = ()  # of those that concern a record, the last one of the most exact holds
    version: int = 0

    def with_rule(self, rule: LevelRule) -> "Chosen":
        """Return what is wanted after a level was set, or taken back."""
        others = [each for each in self.rules if each[1:] != rule[1:]]
        return replace(self, rules=(*others, rule) if rule.level is not None else tuple(others))

    def next(self, *, is_wanted: bool, is_shown: bool) -> "Chosen":
        """Return the version that follows."""
        return replace(self, is_wanted=is_wanted, is_shown=is_shown, version=self.version + 1)

    def rules_of(self, env_id: int) -> list[LevelRule]:
        """Return the rules for one Env, the weaker ones first."""
        found = [rule for rule in self.rules if rule.env in (None, env_id) and rule.level is not None]
        return sorted(found, key=lambda rule: (bool(rule.class_name) + bool(rule.tag), rule.env is not None))

    def as_plain(self) -> list[Any]:
        """Return it as plain data."""
        return [self.is_wanted, self.is_shown, [list(rule) for rule in self.rules], self.version]

    @classmethod
    def from_plain(cls, plain: Sequence[Any]) -> "Chosen":
        """Undo `as_plain`."""
        is_wanted, is_shown, rules, version = plain
        return cls(is_wanted, is_shown, tuple([LevelRule(*rule) for rule in rules]), version)
