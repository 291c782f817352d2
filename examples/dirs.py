"""Dirs: workers are found by a word, their class or a property; one of its kind; a watch.

python examples/dirs.py
"""

import corps


class Shelf(corps.Conc):
    def __init__(self, topic: str) -> None:
        self.topic = topic

    def title(self) -> str:
        return f"a book about {self.topic}"


class Catalogue(corps.Conc):
    """The only one of its kind: the first worker that needs it has it created."""

    def __init__(self) -> None:
        self.lent = 0

    def lend(self) -> int:
        self.lent += 1
        return self.lent


class Reader(corps.Conc):
    def read(self, topic: str) -> str:
        shelf = corps.find(Shelf, topic=topic)  # no Name was passed, and no message is sent
        number = corps.singleton(Catalogue).lend().ret
        return f"{number}: {shelf.title().ret}"


class Guide(corps.Conc):
    def directory(self) -> corps.Name[corps.Dir]:
        return self.my_dir()  # that of its Env, as a Name, which can be passed on


class Library(corps.Corps):
    def __init__(self) -> None:
        for topic in ("bees", "tea"):
            corps.options(tag="shelf", register=True, properties={"topic": topic}).create(Shelf, topic)


if __name__ == "__main__":
    with corps.boot(Library, envs=2):
        for reader, topic in zip(corps.options().create_many(2, Reader), ("tea", "bees"), strict=True):
            print(reader.read(topic).ret)
        print("shelves:", len(corps.find_all("shelf")))
        try:
            corps.find("shelves")
        except corps.NotFound as error:
            print(error)
        mine = corps.create(corps.Dir)  # a Dir of one's own: what it has is found through it alone
        mine.register(corps.find(Shelf, topic="bees"), tag="favourite").result()
        print("the favourite:", mine.find("favourite").ret == corps.find(Shelf, topic="bees"))
        directory = corps.options(env=2).create(Guide).directory().ret
        print("in the Dir of the guide:", directory.find("shelf", topic="tea").ret.title().ret)
        with corps.watch_dir(Shelf, topic="tea") as changes:
            shelf = changes.take().name  # what there is comes first
            shelf.exit().result()
            print("the shelf with tea:", type(changes.take()).__name__)
