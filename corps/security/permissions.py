"""What callers of other owners may ask for, and how often: a table of rules, judged on a given clock.

The owner may ask for all. Another owner may call what the author has declared public, if no rule speaks of
that class. Once a rule speaks of a class, its callers need one that allows what they ask for. The verbs of
operators need a rule that names them in any case.

Pure, but for the buckets that say how much each caller has left.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, NoReturn

from corps.errors import ConfigError

CALL: Final = "call"
"""The verb of a request for a method."""

OPERATOR_VERBS: Final = frozenset({"exit", "add_env", "remove_env", "log_level", "stacks"})
"""What changes or shows a Corps as a whole."""

OPERATING: Final[Mapping[str, str]] = {
    "add_env": "add_env",
    "remove_env": "remove_env",
    "set_log_level": "log_level",
    "stacks": "stacks",
}
"""The verbs of those methods of the service for other Corps that operate this one."""

ANYBODY: Final = "*"

_UNITS: Final[Mapping[str, int]] = {"": 1, "B": 1, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}
_SIZE: Final = re.compile(r"(\d{1,15})\s*([KMG]iB|B)?", re.IGNORECASE)
_MOST_CALLERS: Final = 10_000  # whose buckets are kept: those that asked last

Why = Literal["operator", "not_public", "not_permitted", "rate", "bytes", "too_large"]
"""Why something is refused, in one word."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, as far as permissions are concerned.

    Attributes:
        identity: Who asks: the name of a user.
        key: The fingerprint of the key that the caller has proved; empty for none.
        is_own: Whether the caller belongs to the owner of this Corps.
        class_name: ``module:qualname`` of the class of the worker that is asked.
        verb: ``"call"``, or one of `OPERATOR_VERBS`.
        method: The method, of a call.
        is_public: Whether the author has declared that method public.
        size: Bytes of the arguments.
    """

    identity: str
    key: str
    is_own: bool
    class_name: str
    verb: str = CALL
    method: str = ""
    is_public: bool = False
    size: int = 0


@dataclass(frozen=True, slots=True)
class Allowed:
    """The request may go on."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The request may not go on.

    Attributes:
        why: In one word.
        reason: In words, for the caller and the audit.
        retry_after: Seconds after which the same request may pass; None where it never will.
    """

    why: Why
    reason: str
    retry_after: float | None = None


Decision = Allowed | Refused

_ALLOWED: Final = Allowed()


@dataclass(frozen=True, slots=True)
class Rule:
    """One permission. `rule` makes them, and checks what is given.

    Attributes:
        of: The class: its name, or ``module:qualname``.
        identity: The user; `ANYBODY` for all; empty where `key` alone says who.
        key: The fingerprint of the key that has it; empty for all keys of the identity.
        methods: What may be called; None for all that is public.
        verbs: Verbs of operators that are allowed.
        rate: Requests a second; None for any number. As many may come at once.
        bytes: Bytes of arguments a second; None for any number. One request has no more either.
    """

    of: str
    identity: str = ""
    key: str = ""
    methods: frozenset[str] | None = None
    verbs: frozenset[str] = frozenset()
    rate: float | None = None
    bytes: int | None = None

    def is_of(self, class_name: str) -> bool:
        """Return whether it speaks of a class."""
        return self.of in (class_name, class_name.rpartition(":")[2], class_name.rpartition(".")[2])

    def is_for(self, asked: Asked) -> bool:
        """Return whether it speaks of the caller."""
        if self.key and self.key != asked.key:
            return False
        return self.identity in ("", ANYBODY, asked.identity)

    def allows(self, asked: Asked) -> bool:
        """Return whether it allows what is asked for, however often."""
        if asked.verb != CALL:
            return asked.verb in self.verbs
        return self.methods is None or asked.method in self.methods


def rule(
    of: object,
    *,
    identity: object = "",
    key: object = "",
    methods: object = None,
    verbs: object = (),
    rate: object = None,
    bytes: object = None,
) -> Rule:
    """Return a permission.

    Args:
        of: The class whose workers may be asked: its name, or ``module:qualname``.
        identity: The user who may; ``"*"`` for all.
        key: The fingerprint of the key that the caller has to have; may stand in place of a user.
        methods: What may be called; None for all that is public.
        verbs: Verbs of operators that are allowed, of `OPERATOR_VERBS`.
        rate: Requests a second at most; None for any number.
        bytes: Bytes of arguments a second at most, as a number or a text such as ``"10MiB"``; None for any.

    Returns:
        The permission.

    Raises:
        ConfigError: A value cannot be.
    """
    if not isinstance(of, str) or not of:
        _refuse("of", of, "the name of a class")
    if not isinstance(identity, str) or not isinstance(key, str) or not (identity or key):
        _refuse("identity", identity, 'a user, or "*" for all, unless `key` says who')
    allowed = None if methods is None else _names("methods", methods)
    operating = _names("verbs", verbs)
    if unknown := sorted(operating - OPERATOR_VERBS):
        _refuse("verbs", unknown[0], f"one of {', '.join(sorted(OPERATOR_VERBS))}")
    per_second = None if rate is None else _rate(rate)
    return Rule(of, identity, key, allowed, operating, per_second, None if bytes is None else _size(bytes))


def rules_of(tables: Sequence[Mapping[str, Any]], where: str) -> tuple[Rule, ...]:
    """Return the permissions that a configuration gives as tables, with the names of `rule`.

    Args:
        tables: The tables. The class stands under ``class``.
        where: Whence they come, for errors.

    Returns:
        The permissions.

    Raises:
        ConfigError: A table has an unknown name, or a bad value. The text says which.
    """
    found = []
    known = {"class", "identity", "key", "methods", "verbs", "rate", "bytes"}
    for number, table in enumerate(tables):
        place = f"{where}[{number}]"
        if unknown := sorted(set(table) - known):
            raise ConfigError(f"{place}: {unknown[0]!r} is unknown; there are {', '.join(sorted(known))}")
        given = {"of" if name == "class" else name: value for name, value in table.items()}
        try:
            found.append(rule(given.pop("of", ""), **given))
        except ConfigError as error:
            raise ConfigError(f"{place}: {error}") from error
    return tuple(found)


_DECLARED: Final = "_corps_rules"


def declare_rule(cls: type, one: Rule) -> None:
    """Have a class bring a rule with it, wherever it is loaded. Subclasses do not inherit it."""
    setattr(cls, _DECLARED, (*rules_of_class(cls), one))


def rules_of_class(cls: type | None) -> tuple[Rule, ...]:
    """Return the rules that a class brings with it."""
    found: tuple[Rule, ...] = () if cls is None else vars(cls).get(_DECLARED, ())
    return found


class Permissions:
    """The rules of a Corps, and how much each caller has left. One thread."""

    def __init__(self, rules: Iterable[Rule] = ()) -> None:
        self._rules = tuple(rules)
        # By rule and caller, the one that asked last at the end.
        self._left: dict[tuple[Rule, str, str], _Left] = {}

    def allow(self, one: Rule) -> None:
        """Add a rule."""
        self._rules = (*self._rules, one)

    def judge(self, asked: Asked, at: float, declared: Sequence[Rule] = ()) -> Decision:
        """Decide about a request, and count it if it may go on.

        Args:
            asked: The request.
            at: When, on a monotonic clock.
            declared: Further rules, which the class that is asked brings with it.

        Returns:
            The decision.
        """
        if asked.is_own:
            return _ALLOWED
        what = asked.method if asked.verb == CALL else asked.verb
        if asked.verb == CALL and not asked.is_public:
            return Refused("not_public", f"{asked.class_name} has no public method {what!r} for other owners")
        of_class = [one for one in self._rules if one.is_of(asked.class_name)]
        of_class += declared
        fitting = [one for one in of_class if one.is_for(asked) and one.allows(asked)]
        if not fitting:
            if asked.verb != CALL:
                return Refused("operator", f"{asked.identity!r} may not {what} {asked.class_name}")
            if not of_class:
                return _ALLOWED
            return Refused("not_permitted", f"{asked.identity!r} may not call {what!r} of {asked.class_name}")
        refusals = []
        for one in fitting:
            refusal = self._left_of(one, asked, at).take(asked, at)
            if refusal is None:
                return _ALLOWED
            refusals.append(refusal)
        return min(refusals, key=_wait)

    def _left_of(self, one: Rule, asked: Asked, at: float) -> "_Left":
        who = one, asked.identity, asked.key
        left = self._left.pop(who, None) or _Left(one, at)
        self._left[who] = left
        if len(self._left) > _MOST_CALLERS:
            del self._left[next(iter(self._left))]
        return left


def _wait(refusal: Refused) -> float:
    return float("inf") if refusal.retry_after is None else refusal.retry_after


class _Left:
    """What one caller has left of one rule: two token buckets, which hold what a second brings."""

    __slots__ = ("_at", "_bytes", "_requests", "_rule")

    def __init__(self, of: Rule, at: float) -> None:
        self._rule = of
        self._at = at
        self._requests = max(1.0, of.rate or 0.0)
        self._bytes = float(of.bytes or 0)

    def take(self, asked: Asked, at: float) -> Refused | None:
        """Take what a request costs; or take nothing, and say why not."""
        rate, size = self._rule.rate, self._rule.bytes
        passed = max(0.0, at - self._at)
        self._at = max(self._at, at)
        if rate is not None:
            self._requests = min(max(1.0, rate), self._requests + passed * rate)
        if size is not None:
            self._bytes = min(float(size), self._bytes + passed * size)
            if asked.size > size:
                text = f"a request of {asked.size} bytes is more than the {size} of {asked.identity!r}"
                return Refused("too_large", text)
        if rate is not None and self._requests < 1.0:
            text = f"{asked.identity!r} may ask {rate:g} times a second"
            return Refused("rate", text, (1.0 - self._requests) / rate)
        if size is not None and self._bytes < asked.size:
            text = f"{asked.identity!r} may send {size} bytes a second"
            return Refused("bytes", text, (asked.size - self._bytes) / size)
        self._requests -= 1.0
        self._bytes -= asked.size
        return None


def _rate(value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value <= 1e9:
        _refuse("rate", value, "a number of requests a second, above 0")
    return float(value)


def _names(name: str, value: object) -> frozenset[str]:
    if isinstance(value, str) or not isinstance(value, Iterable):
        _refuse(name, value, "a list of names")
    names = list(value)
    if any(not isinstance(each, str) or not each for each in names):
        _refuse(name, value, "a list of names")
    return frozenset(names)


def _size(value: object) -> int:
    if isinstance(value, str) and (found := _SIZE.fullmatch(value.strip())) is not None:
        size = int(found[1]) * _UNITS[(found[2] or "").upper()]
    elif isinstance(value, int) and not isinstance(value, bool):
        size = value
    else:
        size = 0
    if not 0 < size <= 2**60:
        _refuse("bytes", value, 'a number of bytes above 0, or a text such as "10MiB"')
    return size


def _refuse(name: str, value: object, wanted: str) -> NoReturn:
    raise ConfigError(f"{name} is {value!r:.80}, and has to be {wanted}")
