"""Futures as arguments: a chain of workers in which nothing waits for the one before.

python examples/chain.py
"""

import corps


class Reader(corps.Conc):
    def read(self, page: int) -> str:
        if page > 2:
            raise LookupError(f"there is no page {page}")
        return f"the text of page {page}"


class Counter(corps.Conc):
    def count(self, text: str) -> int:
        return len(text.split())


class Sum(corps.Conc):
    def add(self, counts: list[int]) -> int:
        return sum(counts)


class App(corps.Corps):
    def __init__(self) -> None:
        self.reader, self.counter = corps.create(Reader), corps.create(Counter)
        self.sum = corps.create(Sum)

    def words(self, pages: list[int]) -> corps.Future[int]:
        counts = [self.counter.count(self.reader.read(page)) for page in pages]
        total: corps.Future[int] = self.sum.add(corps.gather(counts))
        return total


if __name__ == "__main__":
    with corps.boot(App, envs=2) as app:
        print("words:", app.words([1, 2]).ret)
        try:
            print(app.words([2, 3]).ret)
        except LookupError as error:
            print(str(error).splitlines()[0])
