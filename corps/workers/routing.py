"""Which of several workers gets a request: a decision. Pure: values in, values out."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from typing import Any, Final, Literal, NamedTuple, cast, get_args

from corps.addresses import ConcAddr
from corps.errors import ConfigError

Routing = Literal["local", "least", "round"]
"""How one of several workers is chosen. ``"local"`` takes one of the caller's own Env if it has room, and
otherwise chooses as ``"least"``. ``"least"`` looks at two at random, and takes the one with fewer requests of
the caller's Env under way. ``"round"`` takes each in turn."""

ROUTINGS: Final[frozenset[str]] = frozenset(get_args(Routing))

_PLAIN: Final = (str, bytes, int, float, bool, type(None))


class How(NamedTuple):
    """How the workers behind a Name are chosen. Plain data, because it travels with the Name."""

    routing: Routing = "local"
    # The argument that decides, by its place or its name: the same value reaches the same worker.
    key: int | str | None = None
    places: tuple[tuple[str, int], ...] = ()  # of an argument with a name: its place in each method
    room: int = 1  # requests of one Env that may be under way in a worker before it counts as full
    # Whether the Name has the address of a worker that replaces those that are gone, and that they end with.
    is_scaled: bool = False


class Choice(NamedTuple):
    """What a choice is made from."""

    members: Sequence[ConcAddr]
    here: int  # id of the caller's Env
    loads: Mapping[ConcAddr, int]  # requests of this Env under way, where there are any
    turn: int  # how many choices were made before


def choose(how: How, key: bytes | None, choice: Choice, chance: Callable[[int], int]) -> ConcAddr:
    """Return the worker that gets a request.

    Args:
        how: How to choose.
        key: Of the request, from `key_of`; None if it has none.
        choice: Between what. There is at least one.
        chance: Gives a random number below its argument.
    """
    members = choice.members
    if key is not None:
        return _highest(key, members)
    if how.routing == "round":
        return members[choice.turn % len(members)]
    loads = choice.loads
    if how.routing == "local":
        near = [member for member in members if member.env == choice.here]
        if near:
            idlest = min(near, key=lambda member: loads.get(member, 0))
            if loads.get(idlest, 0) < how.room or len(near) == len(members):
                return idlest
            members = [member for member in members if member.env != choice.here]
    return _less_busy(members, loads, chance)


def _less_busy(
    members: Sequence[ConcAddr], loads: Mapping[ConcAddr, int], chance: Callable[[int], int]
) -> ConcAddr:
    """Return the one of two at random that has fewer requests under way."""
    # Two suffice: the longest queue grows with log log n then, and with log n / log log n if it is one. To
    # take the least busy of all would send every caller to the same one. (Mitzenmacher: The Power of Two
    # Choices in Randomized Load Balancing, IEEE TPDS 2001.)
    if len(members) == 1:
        return members[0]
    first = chance(len(members))
    second = (first + 1 + chance(len(members) - 1)) % len(members)
    one, other = members[first], members[second]
    return other if loads.get(other, 0) < loads.get(one, 0) else one


def _highest(key: bytes, members: Sequence[ConcAddr]) -> ConcAddr:
    """Return the worker that a key belongs to: when one comes or goes, only its own keys move."""
    # Rendezvous hashing (Thaler and Ravishankar, IEEE/ACM ToN 1998). `hash` differs from process to process.
    # Corps that were booted for a pool have objects of the same ids, each in its own.
    return max(members, key=lambda member: blake2b("{}/{}.{} ".format(*member).encode() + key).digest())


def key_of(how: How, method: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bytes | None:
    """Return what decides about a request; None if it does not have the argument of that place or name.

    Raises:
        ConfigError: The argument is nothing that has the same bytes in every process.
    """
    key = how.key
    if key is None:
        return None
    if isinstance(key, str):
        if key in kwargs:
            return as_bytes(kwargs[key])
        key = dict(how.places).get(method, -1)
    return as_bytes(args[key]) if 0 <= key < len(args) else None


def as_bytes(value: Any) -> bytes:
    """Return bytes of a key that are the same in every process.

    Raises:
        ConfigError: It is neither text, a number, bytes, None, nor a tuple of such.
    """
    if type(value) is tuple:
        return b"(%s)" % b",".join(map(as_bytes, value))
    if type(value) not in _PLAIN:
        raise ConfigError(
            f"the key {value!r:.200} decides which worker gets a request: it has to be text, a number, "
            f"bytes, None, or a tuple of these, and not a {type(value).__name__}"
        )
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # equal keys are one key, as in a dict
    elif isinstance(value, bool):
        value = int(value)
    return repr(value).encode("utf-8", "surrogatepass")


def how_of(routing: str, key: object, room: int, parameters: Mapping[str, Sequence[str]]) -> How:
    """Return how one of several workers of a class is chosen.

    Args:
        routing: One of `ROUTINGS`.
        key: The place or the name of an argument; None for no key.
        room: See `How`.
        parameters: The names of the parameters of each method.

    Raises:
        ConfigError: There is no such routing, or no such argument.
    """
    if routing not in ROUTINGS:
        known = ", ".join(sorted(ROUTINGS))
        raise ConfigError(f"routing={routing!r:.80}: wants one of {known}")
    chosen = cast("Routing", routing)
    if key is None:
        return How(chosen, None, (), room)
    if type(key) is int and key >= 0:
        return How(chosen, key, (), room)
    if type(key) is not str:
        raise ConfigError(f"key={key!r:.80}: wants the name of an argument, or its place, from 0")
    methods = sorted(method for method, names in parameters.items() if key in names)
    places = [(method, list(parameters[method]).index(key)) for method in methods]
    if not places:
        raise ConfigError(f"key={key!r}: none of these has an argument of that name: {', '.join(parameters)}")
    return How(chosen, key, tuple(places), room)


def named_parameters(function: Any, *, is_bound: bool) -> list[str]:
    """Return the names of what can be given to a function, in order; without `self` where that is bound."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # of a builtin
        return []
    variable = inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD
    return [each.name for each in parameters[is_bound:] if each.kind not in variable]
