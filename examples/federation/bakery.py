"""Bob's Corps: it has an oven, which is a Corps of its own. trade.py starts it."""

from pathlib import Path
from typing import Any

from mill import Mill

import corps

HERE = Path(__file__).parent


class Table(corps.Conc):
    """Where a customer sits: it belongs to the customer, and the bakery calls it."""

    @corps.public
    def serve(self, loaf: str) -> str:
        return f"{loaf}: thank you, {corps.caller().identity}"


class Bakery(corps.Corps):
    """Sells bread to all whose keys Bob allows."""

    def __init__(self) -> None:
        self.oven: corps.Name[Any] = corps.options(contained=True).boot(HERE / "oven.py", envs=1)

    def buy_from(self, address: str) -> None:
        """Buy flour of a mill: for Bob alone, because it is not public."""
        self.oven.buy_from(corps.connect(address, Mill)).result()

    @corps.public
    def order(self, grain: str, loaves: int, table: "corps.Name[Table]") -> list[str]:
        baked = self.oven.bake(grain, loaves).ret
        return [table.serve(loaf).ret for loaf in baked]
