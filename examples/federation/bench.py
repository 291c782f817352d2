"""A part of a workshop, in processes of its own. workshop.py boots it."""

from typing import Any

import corps


class Bench(corps.Corps):
    """Makes things, and says to its workshop what it has made."""

    def __init__(self, workshop: corps.Name[Any]) -> None:
        self.workshop = workshop
        self.made = 0

    def make(self, thing: str) -> str:
        self.made += 1
        answer: str = self.workshop.note(f"{thing} no. {self.made}").ret
        return answer
