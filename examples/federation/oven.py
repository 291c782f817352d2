"""A contained Corps of the bakery: nobody else reaches it. It buys its flour straight from the mill."""

from mill import Mill

import corps


class Oven(corps.Corps):
    """Bakes in a process of its own."""

    def __init__(self) -> None:
        self.mill: corps.Name[Mill] | None = None

    def buy_from(self, mill: corps.Name[Mill]) -> None:
        self.mill = mill

    def bake(self, grain: str, loaves: int) -> list[str]:
        if self.mill is None:
            raise LookupError("there is no flour: no mill is known")
        flour = self.mill.grind(grain, loaves).ret
        return [f"{flour.grain} bread {number}" for number in range(1, flour.kilograms + 1)]
