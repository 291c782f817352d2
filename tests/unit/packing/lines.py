"""A sender and a receiver that know each other's definitions, as two processes do; and things to send."""

from collections.abc import Callable
from typing import Any

from corps.packing.packer import Packed, Packer


class Side:
    """One process: what it has defined for the other one, and what that has."""

    def __init__(self, most: int, options: dict[str, Any]) -> None:
        self.definitions: list[bytes] = []
        self.built: dict[int, Any] = {}
        self.most = most
        self.base = Packer(**options)
        self.packer = self.base

    def define(self, body: bytes) -> int | None:
        if len(self.definitions) == self.most:
            return None
        self.definitions.append(body)
        return len(self.definitions)

    def meet(self, other: "Side") -> None:
        self.packer = self.base.for_peer(self.define, lambda number: self.find(number, other))

    def find(self, number: int, other: "Side") -> Any:
        if number not in self.built:
            self.built[number] = self.base.unpack(Packed(1, other.definitions[number - 1], ()))
        return self.built[number]


class Line:
    """Two sides, each of which takes the other one for another process."""

    def __init__(self, most: int = 1000, **options: Any) -> None:
        self.forward, self.backward = Side(most, options), Side(most, options)
        self.forward.meet(self.backward)
        self.backward.meet(self.forward)
        self.definitions = self.forward.definitions
        self.packer = self.forward.packer

    def send(self, thing: Any) -> Any:
        return self.backward.packer.unpack(self.forward.packer.pack(thing))

    def send_back(self, thing: Any) -> Any:
        return self.forward.packer.unpack(self.backward.packer.pack(thing))

    def both_ways(self, thing: Any) -> Any:
        return self.send_back(self.send(thing))


def closing_over(value: Any) -> Callable[[], Any]:
    return lambda: value


def with_globals(source: str, **variables: Any) -> Any:
    """The function `f` of a program that has these globals."""
    variables["__name__"] = "made_by_hand"
    exec(source, variables)
    return variables["f"]


def reading(value: Any) -> Any:
    return with_globals("def f(): return value", value=value)


def make_class(**attributes: Any) -> type:
    return type("Made", (), {"__module__": "made_by_hand", **attributes})
