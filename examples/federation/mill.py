"""Ann's Corps: others buy flour of it, with keys of their own. trade.py starts it."""

from dataclasses import dataclass

import corps


@dataclass
class Flour:
    """What a mill sells."""

    grain: str
    kilograms: int


class Mill(corps.Corps):
    """Grinds for those that Ann allows to buy."""

    def __init__(self) -> None:
        self.sold: dict[str, int] = {}

    @corps.public
    def grind(self, grain: str, kilograms: int) -> Flour:
        who = corps.caller().identity
        self.sold[who] = self.sold.get(who, 0) + kilograms
        return Flour(grain, kilograms)

    def books(self) -> dict[str, int]:
        """Return who has bought how much: for Ann alone, because it is not public."""
        return self.sold


corps.allow(Mill, identity="bob", methods=["grind"])
