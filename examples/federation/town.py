"""A Corps that others use: it keeps letter boxes, and hands out their Names."""

import corps


class Box(corps.Conc):
    """The letters of one person."""

    def __init__(self, owner: str) -> None:
        self.owner = owner
        self.letters: list[str] = []

    def drop(self, letter: str) -> str:
        self.letters.append(letter)
        return f"{self.owner} has {len(self.letters)}"


class Town(corps.Corps):
    """Knows the boxes of its people."""

    def __init__(self) -> None:
        self.boxes: dict[str, corps.Name[Box]] = {}

    def box(self, owner: str) -> corps.Name[Box]:
        """Return the box of a person, wherever in this Corps it is."""
        if owner not in self.boxes:
            self.boxes[owner] = corps.create(Box, owner)
        return self.boxes[owner]

    def write(self, box: corps.Name[Box], letter: str) -> str:
        """Write to a box, be it of this town or of another one."""
        answer: str = box.drop(letter).ret
        return answer

    def is_here(self, box: corps.Name[Box]) -> bool:
        """Return whether a box belongs to this town."""
        return box in self.boxes.values()
